"""Write one file, whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from selector.errors import OutputError


def check(path: Path, overwrite: bool) -> None:
    """Raises OutputError where the file may not be written: before any work, so that none is lost."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; name a file in it, as {path / 'report.html'}.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} is there already; name another file, or replace it with --overwrite.")
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path} cannot be written: {path.parent} is not a folder that may be written to; make it first.")


def write(path: Path, text: str, overwrite: bool) -> None:
    """The text as UTF-8 in place of what was there. Raises OutputError as `check` does, and when the disk is full or refuses."""
    check(path, overwrite)
    place, partial = path.resolve(), ""  # through a link, so that the link stays
    try:
        number, partial = tempfile.mkstemp(prefix=f".{place.name}.partial-", dir=place.parent)
        with os.fdopen(number, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(partial, 0o666 & ~mask)
        os.replace(partial, place)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(partial)
        if isinstance(error, OSError):
            why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else str(error)
            raise OutputError(
                f"{path} could not be written: {why}. What was there is as it was; free some space or name another file."
            ) from error
        raise
