"""Meso: a text is its tags (atomic intents and skills)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from selector.core import Room, Texts, Types
from selector.errors import RecipeError, hint
from selector.features import SparseVectors, check_similarity, overlap, sparse
from selector.layers.taggers import Tagger, Tags, from_arrays, vocabulary
from selector.layers.taggers.column import Column
from selector.layers.taggers.keyphrase import Keyphrase
from selector.layers.taggers.language import detect, load
from selector.layers.taggers.llm import PROMPT, Llm

_VERSION = 1


@dataclass(frozen=True)
class Meso:
    """Tags: several short phrases a text, found by keyphrases, given in a column, or asked of an LLM.

    With idf_t = log((1 + n) / n_t), the 1 so that a tag of every text still tells a tagged text from one without, vectors are sqrt(idf_t)
    on the tags of a text, not scaled: two texts are as similar as the summed idf of the tags that they share. `similarity` 'cosine':
    idf_t scaled to length 1. Types are the tags. A text without tags has the zero vector and no types; facts count these.
    """

    tagger: str = "keyphrase"
    """'keyphrase', 'column:NAME' or 'llm'."""
    tags_per_text: int = 4
    min_count: int | str = "auto"
    """Tags in fewer texts are dropped; 'auto' is sqrt(n) / 85, at least 2, and 1 under 100 texts."""
    merge: float = 0.7
    """Tags whose cosine is at least this are one tag; 0 merges nothing."""
    language: str = "auto"
    """Two-letter codes such as 'en' or 'zh+en'; 'auto' finds them by stop words."""
    vocabulary: str | None = None
    """An edited vocabulary file (CSV: tag, count, merged); it takes the place of `min_count` and `merge`."""
    similarity: str = "overlap"
    """'overlap' or 'cosine'."""
    characters: int = 2_000
    """How much of each text the keyphrase tagger reads."""
    base_url: str = "https://api.openai.com/v1"
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = 16
    timeout: float = 60.0
    """Seconds for one answer of the LLM."""
    attempts: int = 5
    prompt: str = PROMPT
    prompt_price: float | None = None
    """Money for a million tokens sent; with `completion_price` it gives the forecast."""
    completion_price: float | None = None
    max_cost: float | None = None
    """The LLM is not asked where the forecast is above this."""
    most_failed: float = 0.05
    """The share of texts whose answers may stay unusable; those texts have no tags."""

    def __post_init__(self) -> None:
        _check(self)

    def vectors(self, texts: Texts, room: Room) -> SparseVectors:
        tags = self.tags(texts, room)
        matrix = vocabulary.incidence(tags)
        worth = np.log((1 + tags.size) / np.maximum(np.bincount(matrix.indices, minlength=matrix.shape[1]), 1))  # (T,) idf
        facts = {**_shown(tags), "similarity": self.similarity}
        if self.similarity == "overlap":
            return overlap(matrix, worth, source="the tag vectors", facts=facts)
        matrix.data = worth[matrix.indices].astype(np.float32)
        return sparse(matrix, source="the tag vectors", facts=facts)

    def types(self, texts: Texts, room: Room) -> Types:
        tags = self.tags(texts, room)
        return Types(vocabulary.incidence(tags), tags.names, _shown(tags))

    def vocabulary_table(self, texts: Texts, room: Room) -> Any:
        """The tags with their counts and merged forms as a pyarrow table (tag, count, merged); `taggers.vocabulary.write` saves it."""
        return vocabulary.table(self.tags(texts, room))

    def forecast(self, texts: Texts, room: Room) -> dict[str, Any]:
        """What asking an LLM for these texts' tags will take: requests, tokens, and money where prices are given."""
        return self._llm().forecast(texts, room)

    def tags(self, texts: Texts, room: Room) -> Tags:
        """The settled tags of every text, after all steps; kept in the room's store."""
        code = detect(texts.strings) if self.language == "auto" else self.language
        language = load(code)
        least = vocabulary.fewest(len(texts.strings)) if self.min_count == "auto" else int(self.min_count)
        edited = None if self.vocabulary is None else vocabulary.read(self.vocabulary, language)
        raw = self._tagger(code, least).tags(texts, room)
        key = {
            "tags": raw.fingerprint, "version": _VERSION, "language": code,
            **({"min_count": least, "merge": self.merge} if edited is None else {"vocabulary": edited.fingerprint}),
        }  # fmt: skip

        def make() -> dict[str, Any]:
            made = vocabulary.apply(raw, edited, language) if edited else vocabulary.settle(raw, language, least, self.merge, room)
            return made.to_arrays()

        settled = from_arrays(room.store.arrays("tag-vocabulary", key, make))
        lengths = np.diff(settled.starts)
        facts: dict[str, Any] = {
            "tagger": self.tagger,
            "language": code,
            **({"min_count": least, "merge": self.merge} if edited is None else {"vocabulary": edited.path}),
            **({"encoder": "static"} if self.merge > 0 or self.tagger == "keyphrase" else {}),
            **raw.facts,
            **settled.facts,
            "tags_per_text": round(float(lengths.mean()), 3) if len(lengths) else 0.0,
            "texts_without_tags": int((lengths == 0).sum()),
        }
        return Tags(settled.starts, settled.indices, settled.names, facts)

    def _tagger(self, code: str, least: int) -> Tagger:
        if self.tagger == "keyphrase":
            return Keyphrase(self.tags_per_text, least, code, self.characters)
        return self._llm() if self.tagger == "llm" else Column(self.tagger.partition(":")[2])

    def _llm(self) -> Llm:
        fields = asdict(self)
        return Llm(**{name: fields[name] for name in Llm.__dataclass_fields__})


def _shown(tags: Tags) -> dict[str, Any]:
    """Facts for the manifest: the merged forms are in the vocabulary table."""
    return {name: value for name, value in tags.facts.items() if name != "merged"}


def _check(meso: Meso) -> None:
    check_similarity("meso", meso.similarity)
    if meso.tagger not in ("keyphrase", "llm") and not (meso.tagger.startswith("column:") and len(meso.tagger) > 7):
        raise RecipeError(f"no tagger is called '{meso.tagger}'. {hint(meso.tagger, ['keyphrase', 'column:NAME', 'llm'])}")
    if meso.min_count != "auto" and (isinstance(meso.min_count, str) or meso.min_count < 1):
        raise RecipeError(f"min_count must be 'auto' or a whole number from 1 on; got {meso.min_count!r}.")
    if not (meso.merge == 0 or 0.3 <= meso.merge <= 1):
        raise RecipeError(f"merge must be 0 (off) or a cosine from 0.3 to 1; got {meso.merge!r}.")
    for name in ("tags_per_text", "characters", "concurrency", "attempts"):
        if int(getattr(meso, name)) < 1:
            raise RecipeError(f"{name} must be at least 1; got {getattr(meso, name)!r}.")
    if meso.tagger == "llm" and not meso.model:
        raise RecipeError("the tagger 'llm' needs the name of a model; give it under `model`, such as gpt-4o-mini.")
    if meso.max_cost is not None and (meso.prompt_price is None or meso.completion_price is None):
        raise RecipeError("max_cost needs prompt_price and completion_price (money for a million tokens) to be held to; give both.")
