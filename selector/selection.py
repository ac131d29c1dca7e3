"""Selection: the chosen rows, the proof, and the ways out of here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selector import rendering, writing
from selector.card import card
from selector.core import Gains, Outcome, Rows
from selector.pool import Pool


@dataclass(frozen=True)
class Selection:
    """Rows of a pool in pick order, with value, upper bound and the manifest that says how they came about."""

    pool: Pool  # the chosen rows only, in pick order
    outcome: Outcome
    manifest: Mapping[str, Any]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)  # written beside the rows, by file name

    @property
    def rows(self) -> Rows:
        """(k,) row of the source, from 0, in pick order."""
        return self.pool.rows

    @property
    def gains(self) -> Gains:
        """(k,) marginal gain of each row when it was picked."""
        return self.outcome.gains

    @property
    def value(self) -> float:
        return self.outcome.value

    @property
    def upper_bound(self) -> float | None:
        """No set within the limits is worth more; None where no proof is known."""
        return self.outcome.upper_bound

    @property
    def ratio(self) -> float | None:
        """The proved share of the optimum."""
        return self.outcome.ratio

    @property
    def stopped(self) -> str:
        return self.outcome.stopped

    @property
    def diversity(self) -> Sequence[Mapping[str, Any]]:
        """How diverse the picks are at each layer and side that was looked at, beside random rows: see selector.diversity."""
        return self.manifest["diversity"]

    def picks(self) -> pa.Table:
        """Row of the source, id, order and gain of each pick. A gain of -inf (an exact copy under the RBF kernel) is null."""
        gains = np.where(np.isfinite(self.gains), self.gains, np.nan)
        return pa.table(
            {
                "row": self.rows,
                "id": self.pool.ids.combine_chunks(),
                "order": np.arange(len(self.rows)),
                "gain": pa.array(gains, from_pandas=True),
            }
        )

    def to_dataset(self) -> Any:
        """A datasets.Dataset of the chosen rows in pick order, original columns."""
        from datasets import Dataset

        return Dataset(self.pool.table)

    def save(self, path: str | Path, *, write_as: str = "original", save: str = "parquet", overwrite: bool = False) -> Path:
        """Write the dataset folder. Raises OutputError where it cannot, RecipeError or UnknownName for a format that is not there."""
        folder = Path(path)
        name = folder.resolve().name
        table = self.pool.table if write_as == "original" else rendering.render(self.pool, write_as)

        def fill(place: Path) -> None:
            files = writing.dataset(place, table, save)
            writing.tables(place, {"picks.parquet": self.picks(), **self.tables})
            if write_as != "original" and save == "parquet":
                # LLaMA-Factory takes a file, or a folder of files of one kind
                named = files[0] if len(files) == 1 else "data"
                writing.json_file(place / "dataset_info.json", writing.dataset_info(name, table, write_as, named))
            writing.json_file(place / "manifest.json", self.manifest)
            (place / "README.md").write_text(card(name, self.manifest, files), encoding="utf-8")

        writing.whole(folder, overwrite, fill)
        return folder
