"""Inner products in float64 of two vectors with four others: six reads for eight steps, and each sum in one order on any processor.

Sixteen sums at once would not fit the registers of AVX2. Addresses instead of slices: those would count references for each call, and
two threads would wait for one another's counts.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

ROWS, OTHERS, LANES = 2, 4, 4
FLAGS = ("contract",)


@intrinsic
def add_eight(typing: Any, a: Any, b: Any, w: Any, x: Any, y: Any, z: Any, count: Any, sums: Any) -> Any:
    """Adds the products of the vectors of `count` numbers at addresses a and b with those at w, x, y, z to eight numbers at `sums`."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        *starts, count, sums = arguments
        number, word = ir.DoubleType(), ir.IntType(64)
        vector = ir.VectorType(number, LANES)
        pairs = [(row, other) for row in range(ROWS) for other in range(ROWS, ROWS + OTHERS)]

        def at(address: Any, place: Any, kind: Any) -> Any:
            return builder.inttoptr(builder.add(address, builder.mul(place, word(8))), kind.as_pointer())

        def loop(first: Any, last: Any, step: int, kind: Any, begin: list[Any], name: str) -> list[Any]:
            """Sums of `kind` from `begin` on over places from `first` to `last`."""
            before, test, body, done = builder.block, *(builder.append_basic_block(name + part) for part in ("test", "body", "done"))
            builder.branch(test)
            builder.position_at_end(test)
            place, totals = builder.phi(word), [builder.phi(kind) for _ in pairs]
            builder.cbranch(builder.icmp_signed("<", place, last), body, done)
            builder.position_at_end(body)
            values = [builder.load(at(start, place, kind), align=8) for start in starts]
            raised = [
                builder.fadd(total, builder.fmul(values[row], values[other], flags=FLAGS), flags=FLAGS)
                for total, (row, other) in zip(totals, pairs, strict=True)
            ]
            following = builder.add(place, word(step))
            builder.branch(test)
            place.add_incoming(first, before)
            place.add_incoming(following, body)
            for total, start, end in zip(totals, begin, raised, strict=True):
                total.add_incoming(start, before)
                total.add_incoming(end, body)
            builder.position_at_end(done)
            return totals

        whole = builder.and_(count, word(-LANES))
        wide = loop(word(0), whole, LANES, vector, [ir.Constant(vector, [0.0] * LANES)] * len(pairs), "wide")
        halves = [[builder.extract_element(one, ir.IntType(32)(lane)) for lane in range(LANES)] for one in wide]
        folded = [builder.fadd(builder.fadd(one[0], one[2]), builder.fadd(one[1], one[3])) for one in halves]
        for place, total in enumerate(loop(whole, count, 1, number, folded, "rest")):
            target = at(sums, word(place), number)
            builder.store(builder.fadd(builder.load(target, align=8), total), target, align=8)
        return context.get_dummy_value()

    address = types.uintp
    return types.void(address, address, address, address, address, address, types.int64, address), generate
