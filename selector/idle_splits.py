"""Stages of a tokenizer that cannot touch a text, left out for that text: the same tokens, sooner."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

# One class of characters, once or more: such a pattern finds nothing in a text that has none of the characters.
_ONE_CLASS = re.compile(r"(\[[^\[\]\\^&]+\]|\\p\{\w+\})(\+|\{1,\d*\})?")


@dataclass(frozen=True, eq=False)
class Variants:
    """A tokenizer of the `tokenizers` library, and the same without split stages that find nothing in most texts.

    A stage is left out where its pattern is one class of characters and the text has none of these; which ASCII characters a class
    holds is asked of the library itself. Texts that are not ASCII go through every stage.
    """

    whole: Any  # tokenizers.Tokenizer
    ascii: Any  # without the stages that find no ASCII character
    bare: Any  # without all stages of one class
    found: re.Pattern[str] | None  # the ASCII characters that these stages find

    def encode(self, batch: Sequence[str]) -> list[list[int]]:
        """The token ids of every text; no special tokens added."""
        places: dict[int, tuple[Any, list[int]]] = {}
        for place, text in enumerate(batch):
            chosen = self._of(text)
            places.setdefault(id(chosen), (chosen, []))[1].append(place)
        ids: list[list[int]] = [[]] * len(batch)
        for chosen, those in places.values():
            for place, one in zip(those, chosen.encode_batch_fast([batch[i] for i in those], add_special_tokens=False), strict=True):
                ids[place] = one.ids
        return ids

    def _of(self, text: str) -> Any:
        if self.ascii is self.bare is self.whole or not text.isascii():
            return self.whole
        return self.ascii if self.found is not None and self.found.search(text) else self.bare


def variants(whole: Any) -> Variants:
    """The tokenizer with its shorter forms; they share its model. About 20 ms; no shorter forms where no stage can be left out."""
    stages = _stages(whole)
    classes = {}  # place among the stages -> ASCII characters found; only before a stage of another kind, which may change the text
    for place, stage in enumerate(stages):
        if stage["type"] != "Split":
            break
        pattern = stage["pattern"].get("Regex", "")
        if _ONE_CLASS.fullmatch(pattern) and not stage["invert"]:
            classes[place] = _ascii_found(pattern)
    found = "".join(sorted(set("".join(classes.values()))))
    never = {place for place, characters in classes.items() if not characters}
    return Variants(
        whole,
        _without(whole, stages, never),
        _without(whole, stages, set(classes)),
        re.compile(f"[{re.escape(found)}]") if found else None,
    )


def _stages(whole: Any) -> list[dict[str, Any]]:
    """The pre-tokenizer's stages; none where texts are changed before it."""
    if whole.pre_tokenizer is None:
        return []
    if whole.normalizer is not None and json.loads(whole.normalizer.__getstate__()) != {"type": "Sequence", "normalizers": []}:
        return []
    state = json.loads(whole.pre_tokenizer.__getstate__())
    return list(state["pretokenizers"]) if state["type"] == "Sequence" else []


def _ascii_found(pattern: str) -> str:
    """The ASCII characters that the library's own regular expressions find by this pattern."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    removing = Split(Regex(pattern), "removed")
    return "".join(one for one in map(chr, range(128)) if not removing.pre_tokenize_str(one))


def _without(whole: Any, stages: list[dict[str, Any]], places: set[int]) -> Any:
    if not places:
        return whole
    from tokenizers import Tokenizer
    from tokenizers.pre_tokenizers import Sequence as Stages

    shorter, left = Tokenizer(whole.model), Stages([])
    kept = [stage for place, stage in enumerate(stages) if place not in places]
    left.__setstate__(json.dumps({"type": "Sequence", "pretokenizers": kept}).encode())
    shorter.pre_tokenizer = left
    shorter.encode_special_tokens = whole.encode_special_tokens
    added = whole.get_added_tokens_decoder()
    for special, those in groupby((one for _, one in sorted(added.items())), lambda one: one.special):  # in order: it decides their numbers
        (shorter.add_special_tokens if special else shorter.add_tokens)(list(those))
    same = str(sorted(shorter.get_added_tokens_decoder().items())) == str(sorted(added.items()))
    return shorter if same else whole  # tokens beyond the model's vocabulary may get other numbers: then every stage stays
