"""Name -> thing, found by existing: a file in the kind's package, an entry point, or a dotted path.

A file `objectives/facility_location.py` that defines `FacilityLocation` (or a function `facility_location`) is the objective
`facility-location`. Nothing is listed anywhere else, so adding one is adding a file.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from selector.errors import UnknownName, unknown

KINDS = ("objectives", "layers", "optimizers", "measures")


def find(kind: str, name: str) -> Any:
    """The thing of this kind with this name.

    `name` is a kebab-case name, the name of an entry point in the group `selector.<kind>`, or `package.module:attribute`.
    Raises UnknownName with a hint when it is none of these.
    """
    if ":" in name:
        module_name, _, attribute = name.partition(":")
        try:
            return getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError) as error:
            raise UnknownName(f"no {kind[:-1]} at '{name}': {error}. A dotted path is written package.module:Name.") from error
    own = _own(kind)
    if name in own:
        module = importlib.import_module(f"selector.{kind}.{own[name]}")
        return getattr(module, _public(own[name], vars(module)))
    for point in entry_points(group=f"selector.{kind}"):
        if point.name == name:
            return point.load()
    raise unknown(kind[:-1], name, names(kind))


def names(kind: str) -> list[str]:
    """All names of a kind, without importing any of them."""
    return sorted({*_own(kind), *(point.name for point in entry_points(group=f"selector.{kind}"))})


def describe(kind: str) -> dict[str, str]:
    """Name -> the first line of its docstring, read without importing the file where that is possible."""
    own, folder, lines = _own(kind), _folder(kind), {}
    for name in names(kind):
        if name in own:
            tree = ast.parse((folder / f"{own[name]}.py").read_text(encoding="utf-8"))
            defined = {node.name: node for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
            text = ast.get_docstring(defined[_public(own[name], defined)])
        else:
            text = find(kind, name).__doc__
        lines[name] = (text or "").strip().split("\n")[0]
    return lines


@cache
def _own(kind: str) -> dict[str, str]:
    """Kebab-case name -> module name, for the files of the package that define their public thing."""
    folder, found = _folder(kind), {}
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg:
            continue
        tree = ast.parse((folder / f"{module.name}.py").read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, (ast.ClassDef, ast.FunctionDef))}
        if _camel(module.name) in defined or module.name in defined:
            found[module.name.replace("_", "-")] = module.name
    return found


def _folder(kind: str) -> Path:
    spec = find_spec(f"selector.{kind}")
    if spec is None or spec.origin is None:
        raise ValueError(f"selector has no package '{kind}'")
    return Path(spec.origin).parent


def _public(module: str, defined: Any) -> str:
    return _camel(module) if _camel(module) in defined else module


def _camel(snake: str) -> str:
    return "".join(part.capitalize() for part in snake.split("_"))
