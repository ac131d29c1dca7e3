"""Features kept between runs: one file for each entry, found by the hash of what it was made from.

A file is a line with the hash of the next line, a line of JSON (kind, key, when, and each array's name, dtype, shape, place and
checksum), then the arrays' bytes. Nothing is pickled. What cannot be read whole and right is made again, never trusted.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from selector.errors import OutputError, plural

log = logging.getLogger(__name__)

Arrays = dict[str, NDArray[Any]]

_MAGIC = b"selector-cache-1"
_ALIGN = 64  # bytes; what vector instructions like
_MAPPED = 1 << 20  # arrays from 1 MiB on stay on disk and are paged in when touched


class _Unreadable(Exception):
    """A stored entry is not what was written."""


def default_folder() -> Path:
    """$SELECTOR_CACHE, else $XDG_CACHE_HOME/selector, else ~/.cache/selector."""
    if own := os.environ.get("SELECTOR_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "selector"


@dataclass(frozen=True)
class Entry:
    """One thing in the cache: an array file or a journal."""

    kind: str
    key: Mapping[str, Any]
    bytes: int
    created: datetime
    path: Path


@dataclass(frozen=True)
class Cache:
    """A store on a folder; several processes may use it at once: a file appears whole, and the last writer of an entry wins.

    Arrays of 1 MiB or more come back memory-mapped, private to this process: writing into them changes nothing on disk.
    Raises OutputError where the folder cannot be written (full disk, quota, rights); nothing half-written stays.
    """

    folder: Path = field(default_factory=default_folder)

    def arrays(self, kind: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        """The arrays kept for (kind, key), or those that `make` makes now. Arrays of objects are refused with TypeError."""
        path = self.folder / f"{_digest(kind, key)}.arrays"
        try:
            return _read(path, kind, key)
        except FileNotFoundError:
            pass
        except (OSError, _Unreadable) as error:
            log.warning("cache: %s (%s) cannot be used and is made again: %s", path, kind, error)
        made = make()
        with _writing(path) as opened:
            _write(opened, kind, key, made)
        return made

    def journal(self, kind: str, key: Mapping[str, Any]) -> Path:
        """A file to append lines to; it is kept until the cache is cleared."""
        path = self.folder / f"{_digest(kind, key)}.jsonl"
        beside = path.with_suffix(".json")
        if not beside.exists():
            with _writing(beside) as opened:
                opened.write(json.dumps({"kind": kind, "key": key, "created": _now()}).encode())
        return path

    def entries(self) -> list[Entry]:
        """What is kept, newest first. Files that are not ours, or not readable, are not listed."""
        found = []
        for path in self.folder.glob("*.arrays"):
            try:
                with path.open("rb") as opened:
                    found.append(_entry(_header(opened), path))
            except (OSError, _Unreadable) as error:
                log.warning("cache: %s cannot be read: %s", path, error)
        for beside in self.folder.glob("*.json"):
            try:
                found.append(_entry(json.loads(beside.read_bytes()), beside.with_suffix(".jsonl")))
            except (OSError, ValueError, KeyError) as error:
                log.warning("cache: %s cannot be read: %s", beside, error)
        return sorted(found, key=lambda one: (one.created, one.path.name), reverse=True)

    def clear(self, kind: str | None = None) -> tuple[int, int]:
        """Removes the entries of a kind, or with None everything of ours, unreadable and left-over files too; (files, bytes)."""
        if kind is None:
            paths = [path for pattern in ("*.arrays", "*.json", "*.jsonl", "*.part") for path in self.folder.glob(pattern)]
        else:
            chosen = [one.path for one in self.entries() if one.kind == kind]
            paths = [*chosen, *(path.with_suffix(".json") for path in chosen if path.suffix == ".jsonl")]
        count, freed = 0, 0
        for path in sorted(paths):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:  # another process was quicker, or a journal that never got a line
                continue
            except OSError as error:
                raise OutputError(f"the cache entry {path} cannot be removed: {error}; check the rights of that folder.") from error
            count, freed = count + 1, freed + size
        log.info("cache: %s removed, %d bytes", plural(count, "file"), freed)
        return count, freed


@dataclass(frozen=True)
class NoCache:
    """A store that keeps nothing."""

    def arrays(self, kind: str, key: Mapping[str, Any], make: Callable[[], Arrays]) -> Arrays:
        return make()

    def journal(self, kind: str, key: Mapping[str, Any]) -> None:
        return None


# ------------------------------------------------------------------------------------------------------------ the file itself


def _digest(kind: str, key: Mapping[str, Any]) -> str:
    text = json.dumps([kind, key], sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _entry(header: Mapping[str, Any], path: Path) -> Entry:
    size = path.stat().st_size if path.exists() else 0
    return Entry(header["kind"], header["key"], size, datetime.fromisoformat(header["created"]), path)


@contextmanager
def _writing(path: Path) -> Iterator[IO[bytes]]:
    """A new file that takes its name only when it is complete."""
    part: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as opened:
            part = Path(opened.name)
            yield opened
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"the cache in {path.parent} cannot be written: {error}; free some space there, or choose another folder with "
            "--cache DIR or the environment variable SELECTOR_CACHE."
        ) from error
    finally:
        if part is not None:
            part.unlink(missing_ok=True)


def _bytes(array: NDArray[Any]) -> memoryview:
    return np.asarray(array, order="C").reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")


def _write(opened: IO[bytes], kind: str, key: Mapping[str, Any], arrays: Arrays) -> None:
    described, place = [], 0
    for name, array in arrays.items():
        if array.dtype.kind not in "biufcSU":
            raise TypeError(f"the array '{name}' of {kind} has dtype {array.dtype}: only plain numbers and text of fixed width are kept")
        array = np.asarray(array, order="C")
        check = zlib.crc32(_bytes(array))
        described.append({"name": name, "dtype": array.dtype.str, "shape": array.shape, "place": place, "crc32": check})
        place += -(-array.nbytes // _ALIGN) * _ALIGN
    header = json.dumps({"kind": kind, "key": key, "created": _now(), "arrays": described}).encode()
    front = b"%s %s\n%s\n" % (_MAGIC, hashlib.blake2b(header, digest_size=16).hexdigest().encode(), header)
    opened.write(front + b"\0" * (-len(front) % _ALIGN))
    for array in arrays.values():
        opened.write(_bytes(array))
        opened.write(b"\0" * (-array.nbytes % _ALIGN))


def _header(opened: IO[bytes]) -> dict[str, Any]:
    """The JSON line, checked; leaves the file at its end."""
    first, header = opened.readline(80).split(), opened.readline().rstrip(b"\n")
    if len(first) != 2 or first[0] != _MAGIC:
        raise _Unreadable("it does not begin like a cache file of this version")
    if first[1] != hashlib.blake2b(header, digest_size=16).hexdigest().encode():
        raise _Unreadable("its header is damaged")
    return dict(json.loads(header))


def _read(path: Path, kind: str, key: Mapping[str, Any]) -> Arrays:
    arrays: Arrays = {}
    with path.open("rb") as opened:
        header = _header(opened)
        if header["kind"] != kind or header["key"] != json.loads(json.dumps(key)):
            raise _Unreadable("it holds another entry")
        start = -(-opened.tell() // _ALIGN) * _ALIGN
        size = os.fstat(opened.fileno()).st_size
        for one in header["arrays"]:
            dtype, shape, place = np.dtype(one["dtype"]), tuple(one["shape"]), start + one["place"]
            count = int(np.prod(shape, dtype=np.int64))
            if place + count * dtype.itemsize > size:
                raise _Unreadable(f"the array '{one['name']}' is cut off")
            if count * dtype.itemsize >= _MAPPED:
                array = np.memmap(opened, dtype, "c", place, shape).view(np.ndarray)
            else:
                opened.seek(place)
                array = np.frombuffer(bytearray(opened.read(count * dtype.itemsize)), dtype).reshape(shape)
            if zlib.crc32(_bytes(array)) != one["crc32"]:
                raise _Unreadable(f"the array '{one['name']}' is damaged")
            arrays[one["name"]] = array
    return arrays
