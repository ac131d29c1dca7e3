"""The transpose of a tile of 32-bit numbers, squares of 8 by 8 at a time: each is loaded, shuffled and stored in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

SIDE = 8


@njit(nogil=True, cache=True)
def turn(tile, out):  # type: ignore[no-untyped-def]
    """`tile` (r, c) of int32 or float32 into `out` (c, r), both of whole lines."""
    height, width = tile.shape[0] // SIDE * SIDE, tile.shape[1] // SIDE * SIDE
    for column in range(0, width, SIDE):
        for row in range(0, height, SIDE):
            _square(tile[row, column:].ctypes.data, tile.strides[0], out[column, row:].ctypes.data, out.strides[0])
    for row in range(tile.shape[0]):
        for column in range(width if row < height else 0, tile.shape[1]):
            out[column, row] = tile[row, column]


@intrinsic
def _square(typing: Any, source: Any, stride: Any, target: Any, step: Any) -> Any:
    """A square from address `source` on to address `target`; strides in bytes."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, across, place, along = arguments
        line, word = ir.VectorType(ir.IntType(32), SIDE), ir.IntType(64)

        def at(address: Any, row: int, bytes_a_row: Any) -> Any:
            return builder.inttoptr(builder.add(address, builder.mul(bytes_a_row, word(row))), line.as_pointer())

        lines = [builder.load(at(base, row, across), align=4) for row in range(SIDE)]
        for size in (4, 2, 1):  # squares of half the side, beside the diagonal, change places
            low = [lane - size + SIDE if lane & size else lane for lane in range(SIDE)]
            high = [one + size for one in low]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), SIDE), mask) for mask in (low, high)]
            lines = [builder.shuffle_vector(lines[row & ~size], lines[row | size], masks[1 if row & size else 0]) for row in range(SIDE)]
        for row in range(SIDE):
            builder.store(lines[row], at(place, row, along), align=4)
        return context.get_dummy_value()

    address, number = types.uintp, types.int64
    return types.void(address, number, address, number), generate
