"""Products of rows of small integers, exact in 32 bits: the processor multiplies pairs and adds neighbours in one instruction.

Of 16 bits it takes 16 pairs at a time, of 8 bits 32: half as fast again as float32, and up to three times, where there is AVX2 and
nothing newer. A panel of 16 columns is packed word by word (2 or 4 numbers), so that an instruction serves eight columns and no sum is
ever taken across a register; a few rows are held against it at a time, which fills the registers.

Bytes are multiplied without a sign on the left, so codes are stored with SHIFT added: u = c + SHIFT, and u . c' = c . c' + SHIFT sum(c').
Sums of four products fit 16 bits for codes of at most LARGEST, before they are added up in 32: 8 LARGEST (LARGEST + SHIFT) = 32,400.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

LANES, REGISTERS = 8, 2  # columns of a register, registers of a panel
PANEL = LANES * REGISTERS  # columns
HEIGHT = {2: 6, 1: 2}  # rows at a time, by bytes of a number
UNROLLED = {2: 2, 1: 4}  # words
COLUMNS = {size: UNROLLED[size] * 4 // size for size in UNROLLED}  # rows have a multiple of so many
LINE = 64  # bytes; a load across two lines takes twice as long
LARGEST, SHIFT = 45, 45


class Multiplier:
    """A tile of products that is used again and again, for one thread.

    Rows are int16, or uint8 with SHIFT added to codes of at most LARGEST, and have a multiple of COLUMNS columns.
    """

    def __init__(self, height: int, width: int, columns: int, bytes_each: int) -> None:
        self._tile, self._bytes = np.empty(height * -(-width // PANEL) * PANEL, np.int32), bytes_each
        words = columns * bytes_each // 4
        room = np.empty(words * PANEL + LINE // 4, np.int32)
        self._panel = room[-room.ctypes.data % LINE // 4 :][: words * PANEL]
        self._nothing = np.full((1, words), SHIFT * 0x01010101, np.int32)  # a row of codes 0

    def of(self, left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.int32]:
        """(len(left), len(right)) products; overwritten by the next call. Sums that need more than 32 bits wrap."""
        height, width, least = len(left), len(right), HEIGHT[self._bytes]
        rows = left if height >= least else np.concatenate([left, np.zeros((least - height, left.shape[1]), left.dtype)])
        stride = -(-width // PANEL) * PANEL
        size = len(rows) * stride
        tile = (self._tile[:size] if size <= self._tile.size else np.empty(size, np.int32)).reshape(len(rows), stride)
        if self._bytes == 2:
            _multiply_pairs(rows.view(np.int32), right.view(np.int32), self._panel, tile)
        else:
            _multiply_fours(rows.view(np.int32), right.view(np.int32), self._panel, self._nothing, tile)
        return tile[:height, :width]


@njit(nogil=True, cache=True)
def _multiply_pairs(left, right, panel, tile):  # type: ignore[no-untyped-def]
    height, words, start = left.shape[0], left.shape[1], np.zeros(PANEL, np.int32)
    for first in range(0, right.shape[0], PANEL):
        _pack(right[first : first + PANEL], np.uint32(0), panel)
        for place in range(0, height, HEIGHT_OF_PAIRS):
            row = min(place, height - HEIGHT_OF_PAIRS)  # the last rows overlap those before them
            given = left[row:].ctypes.data, 4 * words, panel.ctypes.data, words, start.ctypes.data
            _pairs(*given, tile[row, first:].ctypes.data, 4 * tile.shape[1])


@njit(nogil=True, cache=True)
def _multiply_fours(left, right, panel, nothing, tile):  # type: ignore[no-untyped-def]
    height, words, start, zero = left.shape[0], left.shape[1], np.empty((HEIGHT_OF_FOURS, PANEL), np.int32), np.zeros(PANEL, np.int32)
    for first in range(0, right.shape[0], PANEL):
        _pack(right[first : first + PANEL], np.uint32(SHIFT * 0x01010101), panel)
        _fours(nothing.ctypes.data, 0, panel.ctypes.data, words, zero.ctypes.data, start.ctypes.data, 4 * PANEL)
        for column in range(PANEL):
            start[0, column] = -start[0, column]
        for place in range(0, height, HEIGHT_OF_FOURS):
            row = min(place, height - HEIGHT_OF_FOURS)
            given = left[row:].ctypes.data, 4 * words, panel.ctypes.data, words, start.ctypes.data
            _fours(*given, tile[row, first:].ctypes.data, 4 * tile.shape[1])


@njit(nogil=True, cache=True)
def _pack(rows, shift, panel):  # type: ignore[no-untyped-def]
    """Words of up to PANEL rows side by side, less `shift` in each byte; zeros after the last row."""
    high = np.uint32(0x80808080) if shift else np.uint32(0)  # keeps bytes from borrowing of each other
    for column in range(rows.shape[0]):
        for word in range(rows.shape[1]):
            panel[word * PANEL + column] = np.int32(((np.uint32(rows[column, word]) | high) - shift) ^ high)
    for column in range(rows.shape[0], PANEL):
        for word in range(rows.shape[1]):
            panel[word * PANEL + column] = 0


def _block(size: int) -> Any:
    """Products of HEIGHT rows, from an address on, with a packed panel, added to `start` (PANEL,); strides in bytes."""
    height, unrolled = HEIGHT[size], UNROLLED[size]
    sums, pairs, fours = (ir.VectorType(ir.IntType(32 // many), many * LANES) for many in (1, 2, 4))  # 32 bytes, read in three ways
    word, number = ir.IntType(64), ir.IntType(32)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        base, stride, packed, count, begin, target, step = arguments
        add_pairs = builder.module.declare_intrinsic("llvm.x86.avx2.pmadd.wd", (), ir.FunctionType(sums, (pairs, pairs)))
        add_bytes = builder.module.declare_intrinsic("llvm.x86.avx2.pmadd.ub.sw", (), ir.FunctionType(pairs, (fours, fours)))

        def at(address: Any, offset: Any, kind: Any) -> Any:
            return builder.inttoptr(builder.add(address, offset), kind.as_pointer())

        rows = [builder.add(base, builder.mul(stride, word(row))) for row in range(height)]
        first = [builder.load(at(begin, word(4 * LANES * one), sums), align=4) for one in range(REGISTERS)]
        before, loop, after = builder.block, builder.append_basic_block("words"), builder.append_basic_block("done")
        builder.branch(loop)
        builder.position_at_end(loop)
        place = builder.phi(word)
        totals = {(row, one): builder.phi(sums) for row in range(height) for one in range(REGISTERS)}
        raised, part = dict(totals), dict[tuple[int, int], Any]()
        for more in range(unrolled):
            offset = builder.mul(builder.add(place, word(more)), word(4))
            panel = builder.add(packed, builder.mul(offset, word(PANEL)))
            columns = [builder.load(at(panel, word(4 * LANES * one), sums), align=4 * LANES) for one in range(REGISTERS)]
            for row in range(height):
                lane = builder.insert_element(
                    ir.Constant(sums, ir.Undefined), builder.load(at(rows[row], offset, number), align=1), number(0)
                )
                spread = builder.shuffle_vector(lane, lane, ir.Constant(sums, [0] * LANES))
                for one in range(REGISTERS):
                    if size == 2:
                        product = builder.call(add_pairs, (builder.bitcast(spread, pairs), builder.bitcast(columns[one], pairs)))
                        raised[row, one] = builder.add(raised[row, one], product)
                    else:
                        product = builder.call(add_bytes, (builder.bitcast(spread, fours), builder.bitcast(columns[one], fours)))
                        part[row, one] = builder.add(part[row, one], product) if more else product
        if size == 1:
            ones = ir.Constant(pairs, [1] * 2 * LANES)
            raised = {key: builder.add(total, builder.call(add_pairs, (part[key], ones))) for key, total in totals.items()}
        following = builder.add(place, word(unrolled))
        place.add_incoming(word(0), before)
        place.add_incoming(following, builder.block)
        for (row, one), total in totals.items():
            total.add_incoming(first[one], before)
            total.add_incoming(raised[row, one], builder.block)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        for (row, one), total in raised.items():
            builder.store(total, at(target, builder.add(builder.mul(step, word(row)), word(4 * LANES * one)), sums), align=4)
        return context.get_dummy_value()

    return generate


@intrinsic
def _pairs(typing: Any, left: Any, stride: Any, panel: Any, words: Any, start: Any, out: Any, step: Any) -> Any:
    return _SIGNATURE, _block(2)


@intrinsic
def _fours(typing: Any, left: Any, stride: Any, panel: Any, words: Any, start: Any, out: Any, step: Any) -> Any:
    return _SIGNATURE, _block(1)


_SIGNATURE = types.void(types.uintp, types.int64, types.uintp, types.int64, types.uintp, types.uintp, types.int64)
HEIGHT_OF_PAIRS, HEIGHT_OF_FOURS = HEIGHT[2], HEIGHT[1]
