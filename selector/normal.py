"""When two texts count as the same: the one normal form that hygiene and the pool share."""

from __future__ import annotations

import unicodedata


def normalise(text: str) -> str:
    """The text in Unicode form NFKC, case folded, each run of white space one space, none at the ends.

    White space is what Unicode calls so (the ideographic space and the line separator included). Folding case can undo NFKC
    (as in 'ẞ' or Greek iota subscripts), so the form is taken again after it: normalise(normalise(text)) == normalise(text).
    """
    if text.isascii():  # which has that form, and whose case is folded letter by letter: the same at a third of the time
        return " ".join(text.lower().split())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(unicodedata.normalize("NFKC", folded.casefold()).split())
