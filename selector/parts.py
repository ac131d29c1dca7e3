"""From words to the things they name: objectives, layers, optimizers, each with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from inspect import isgeneratorfunction
from types import SimpleNamespace
from typing import Any, Protocol, get_type_hints

from pydantic import TypeAdapter, ValidationError

from selector import registry
from selector.core import Layer, Need, Objective, Optimizer, Procedure, Room, Similarity, Texts
from selector.errors import RecipeError, hint
from selector.features import join_vectors
from selector.objectives.quality import Quality
from selector.recipe import Recipe, fault

ELSEWHERE = {  # parameters of objectives that are never options, and the words that say them
    "features": "by layer and side",
    "function": "in the name, as apricot:feature-based",
}


@dataclass(frozen=True)
class Part:
    """One objective of a selection, under the name that the recipe gives it, and its weight among the others."""

    name: str
    objective: Objective | Procedure
    weight: float

    @property
    def places(self) -> list[str]:
        """The layer/side pairs whose features it reads."""
        return list(dict.fromkeys(need.name for need in self.objective.needs if need.view != "scores"))

    @property
    def columns(self) -> list[str]:
        """The numeric columns that it reads."""
        return [need.name for need in self.objective.needs if need.view == "scores"]

    def __str__(self) -> str:
        reads = " and ".join([*self.places, *self.columns])
        return f"{self.name} on {reads}" if reads else self.name


def parts(recipe: Recipe) -> list[Part]:
    """The objectives that a selection names. Raises UnknownName or RecipeError."""
    wanted = recipe.select
    if not wanted.mix:
        known = set(_parameters(_found(wanted.objective)[0]))
        own = wanted.quality is not None and not known.isdisjoint(("quality", "column"))  # it reads the column itself
        if own and (both := sorted({"quality", "quality_weight"} & set(wanted.options))):
            raise RecipeError(f"{both[0]} is given twice: for the selection and among the objective's options; keep one of them.")
        if own and "quality_weight" in wanted.model_fields_set - known:
            raise RecipeError(f"the objective '{wanted.objective}' reads its quality column without a weight; leave quality_weight out.")
        told: dict[str, Any] = {name: getattr(wanted, name) for name in ("quality", "quality_weight") if own and name in known}
        found = [Part(wanted.objective, _objective(wanted.objective, wanted.layer, wanted.side, {**wanted.options, **told}, recipe), 1.0)]
        if own:
            return found
    elif wanted.options:
        raise RecipeError("a mixture's options belong to its parts; write them under each part of mix.")
    else:
        found = [
            Part(name, _objective(name, one.layer, one.side, one.options, recipe), one.weight)
            for one in wanted.mix
            for name in [one.objective or wanted.objective]
        ]
    if wanted.quality is not None and not any(isinstance(part.objective, Quality) for part in found):
        total, share = sum(part.weight for part in found), wanted.quality_weight
        found = [Part(part.name, part.objective, part.weight / total * (1 - share)) for part in found]
        found.append(Part("quality", Quality(wanted.quality), share))
    for part in found if len(found) > 1 else ():
        if not isinstance(part.objective, Objective):
            raise RecipeError(f"the objective '{part.name}' brings its own loop and cannot stand beside others; name it alone.")
    return found


def alone(name: str, features: str, seed: int, options: Mapping[str, Any]) -> Objective | Procedure:
    """The objective of this name over the vectors `features`. Raises UnknownName or RecipeError."""
    return _made(name, {"features": features, "seed": seed}, options)


class Sight(Protocol):
    """What of a recipe says how layers see the texts."""

    @property
    def tokenizer(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def layers(self) -> Mapping[str, Mapping[str, Any]]: ...


def layer(recipe: Sight, name: str) -> Layer:
    """The layer of this name with the recipe's parameters. Raises UnknownName or RecipeError."""
    thing = registry.find("layers", name)
    shared = {"tokenizer": recipe.tokenizer, "seed": recipe.seed}
    options = {**{key: value for key, value in shared.items() if key in _parameters(thing)}, **recipe.layers.get(name, {})}
    return build(thing, options, f"the layer '{name}'")


def asked(recipe: Sight, need: Need) -> Layer:
    """The layer whose features are needed; one that can choose its similarity compares by cosine where the objective asks for that."""
    found = layer(recipe, need.name.rpartition("/")[0])
    if need.cosine and is_dataclass(found) and "similarity" in _parameters(type(found)):
        return replace(found, similarity="cosine")
    return found


def meaning(recipe: Sight, room: Room) -> Callable[[Texts, Texts], Similarity]:
    """What semantic duplicates are judged by: the vectors of the recipe's macro layer of both sides, joined."""

    def embed(instructions: Texts, responses: Texts) -> Similarity:
        macro = layer(recipe, "macro")
        return join_vectors(macro.vectors(instructions, room), macro.vectors(responses, room))

    return embed


def optimizer(name: str, options: Mapping[str, Any]) -> Optimizer:
    """The optimizer of this name. Raises UnknownName, and RecipeError for an option that it has not or of the wrong type."""
    function = registry.find("optimizers", name)
    if not isgeneratorfunction(function):
        raise RecipeError(
            f"'{name}' is no optimizer: one is a generator function of a problem and a random generator (selector.core.Optimizer)."
        )
    known, taken = list(function.__kwdefaults__ or {}), dict[str, Any]()
    for option, value in options.items():
        if option not in known:
            raise RecipeError(f"the optimizer '{name}' has no option '{option}'. {hint(option, known)}")
        asked = SimpleNamespace(__annotations__={option: function.__annotations__.get(option, Any)})
        kind = get_type_hints(asked, globalns=function.__globals__)[option]
        taken[option] = _checked(kind, value, f"the optimizer '{name}': {option}")
    return partial(function, **taken) if taken else function


def build(thing: Any, options: Mapping[str, Any], what: str) -> Any:
    """An instance of a frozen dataclass from plain values. Raises RecipeError naming the option that is unknown or of the wrong type."""
    known = _parameters(thing)
    for name in options:
        if name not in known:
            raise RecipeError(f"{what} has no option '{name}'. {hint(name, set(known) - set(ELSEWHERE))}")
    return _checked(thing, dict(options), f"{what}:")


def _checked(kind: Any, value: Any, what: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecipeError(" ".join([what, *([place] if place else []), f"{fault(first)}."])) from None


def _objective(name: str, layer: str, side: str, options: Mapping[str, Any], recipe: Recipe) -> Objective | Procedure:
    registry.find("layers", layer)
    given = {"features": f"{layer}/{side}", "seed": recipe.seed}
    if recipe.select.quality is not None:
        given["column"] = recipe.select.quality
    return _made(name, given, options)


def _made(name: str, given: Mapping[str, Any], options: Mapping[str, Any]) -> Objective | Procedure:
    thing, named = _found(name)
    known = _parameters(thing)
    for option, where in ELSEWHERE.items():
        if option in options and option in known:
            raise RecipeError(f"the objective '{name}': {option} is no option, it is said {where}; leave it out.")
    if "column" in known and "column" not in {*given, *options}:
        raise RecipeError(f"the objective '{name}' needs a numeric column; name it with quality, as in quality: score.")
    taken = {key: value for key, value in {**given, **named}.items() if key in known}
    made = build(thing, {**taken, **options}, f"the objective '{name}'")
    if not isinstance(made, (Objective, Procedure)):
        raise RecipeError(f"'{name}' is no objective: selector.core.Objective asks for submodular, monotone, needs, start, value.")
    return made


def _found(objective: str) -> tuple[Any, dict[str, Any]]:
    """The class of an objective, and what its name says beside it: `apricot:NAME` names a function of apricot."""
    kind, _, name = objective.partition(":")
    if kind == "apricot":
        return registry.find("objectives", "apricot"), {"function": name}
    if objective == "mixture":
        raise RecipeError("a mixture is written with mix, as in macro/instruction:1,micro/response:2.")
    return registry.find("objectives", objective), {}


def _parameters(thing: Any) -> list[str]:
    """The parameters of an objective or a layer. Raises RecipeError where a dotted path names something else."""
    if not is_dataclass(thing):
        raise RecipeError(f"{thing!r} is no dataclass; objectives and layers are frozen dataclasses of their parameters.")
    return [field.name for field in fields(thing)]
