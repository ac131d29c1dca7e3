"""Rows of Arrow tables in any order, also where a column holds more than 2 GB."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from selector.core import Rows

PLAIN = 1 << 30  # bytes up to which Arrow's own take is used: it joins a column's chunks, and a joined string array ends at 2 GB
PIECE = 1 << 27  # bytes of rows gathered at one time beyond that, as the average row goes


def take(table: pa.Table, rows: Rows) -> pa.Table:
    """The rows at these positions, in this order; the schema stays."""
    if table.nbytes <= PLAIN or not len(rows):
        return table.take(pa.array(rows, pa.int64()))
    step = max(1, PIECE * table.num_rows // table.nbytes)
    batches = table.to_batches()
    starts = np.cumsum([0, *(batch.num_rows for batch in batches)])
    return pa.concat_tables([_gather(batches, starts, rows[at : at + step], table.schema) for at in range(0, len(rows), step)])


def take_column(column: pa.ChunkedArray, rows: Rows) -> pa.ChunkedArray:
    """The same of one column."""
    return take(pa.table({"": column}), rows).column(0)


def _gather(batches: list[pa.RecordBatch], starts: Rows, rows: Rows, schema: Any) -> pa.Table:
    """Each batch gives its own rows, which joins nothing large; only the small result is put in order."""
    owners = np.searchsorted(starts, rows, side="right") - 1
    order = np.argsort(owners, kind="stable")
    found = [batches[owner].take(pa.array(rows[owners == owner] - starts[owner])) for owner in np.unique(owners)]
    return pa.Table.from_batches(found, schema).take(pa.array(np.argsort(order)))
