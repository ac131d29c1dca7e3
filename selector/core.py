"""The nouns: interfaces and plain records only. Everything else in the package is one of these.

Shapes: n rows in the ground set, m candidates asked at once, d dimensions, T types, k picks.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]  # row numbers
Gains = NDArray[np.float64]  # one float64 for each row asked for

NO_ROWS: Rows = np.empty(0, np.int64)

Progress = Callable[[str, int, int], None]
"""progress(stage, done, total): called now and then by long work; total 0 means not known yet."""


def quiet(stage: str, done: int, total: int) -> None:
    """The progress callback that shows nothing."""


# ---------------------------------------------------------------------------------------------------------------- features


@dataclass(frozen=True)
class Block:
    """Similarities of some candidates to a run of rows, dense: `values[a, b]` = s(candidates[a], first_row + b)."""

    candidates: slice  # positions in the candidates asked for
    first_row: int
    values: NDArray[np.float32]  # (candidates, rows)


class Similarity(Protocol):
    """What is similar to what, never as a square matrix: rows whose products are the similarities."""

    @property
    def size(self) -> int: ...

    @property
    def scale(self) -> float:
        """The largest similarity of a row to itself; 1 for unit rows."""
        ...

    def blocks(self, candidates: Rows, memory: int) -> Iterator[Block]:
        """Tiles of candidates x all rows; one tile takes at most `memory` bytes where a single candidate allows it."""
        ...

    def products(self, left: Rows, right: Rows) -> NDArray[np.float64]:
        """(len(left), len(right)) inner products in float64, for small sets."""
        ...

    def take(self, rows: Rows) -> Similarity: ...


@dataclass(frozen=True)
class Types:
    """What each row carries: clusters, tags or tokens.

    `incidence` is a scipy CSR array (n, T) of 0/1 with sorted indices and no stored zeros; `names` has T names;
    `facts` says how the types were found (JSON values, for the manifest).
    """

    incidence: Any
    names: Sequence[str]
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return int(self.incidence.shape[0])

    def take(self, rows: Rows) -> Types:
        return Types(self.incidence[rows], self.names, self.facts)


@dataclass(frozen=True)
class Ground:
    """The ground set: features of n rows under names such as 'micro/response', and how much memory a tile may take."""

    size: int
    vectors: Mapping[str, Similarity] = field(default_factory=dict)
    types: Mapping[str, Types] = field(default_factory=dict)
    scores: Mapping[str, Gains] = field(default_factory=dict)  # each (n,) float64
    weights: Gains | None = None  # (n,) how much each row counts when it is represented; None = all 1
    memory: int = 1 << 30  # bytes that tiles and kept entries may take; never changes which rows are picked
    progress: Progress = quiet
    device: str = "cpu"  # where an objective that can multiplies large matrices; never changes which rows are picked

    def take(self, rows: Rows) -> Ground:
        """The ground set made of these rows only, in this order."""
        return Ground(
            len(rows),
            {name: one.take(rows) for name, one in self.vectors.items()},
            {name: one.take(rows) for name, one in self.types.items()},
            {name: one[rows] for name, one in self.scores.items()},
            None if self.weights is None else self.weights[rows],
            self.memory,
            self.progress,
            self.device,
        )


@dataclass(frozen=True)
class Need:
    """A feature that an objective reads: `view` is 'vectors', 'types' or 'scores'; `name` is its key in the Ground.

    `cosine`, of vectors: the objective is about distances, so its rows are to be of length 1 whatever similarity the layer is told to have.
    """

    view: str
    name: str
    cosine: bool = False


# -------------------------------------------------------------------------------------------------- objectives and limits


class State(Protocol):
    """One growing subset S of the ground set, and what it is worth."""

    @property
    def value(self) -> float:
        """f(S)."""
        ...

    @property
    def evaluations(self) -> int:
        """How many marginal gains were computed so far."""
        ...

    @property
    def batch(self) -> int:
        """How many candidates are worth asking at once, at least."""
        ...

    def gains(self, candidates: Rows) -> Gains:
        """Marginal gains f(S + c) - f(S), one for each candidate; S stays as it is."""
        ...

    def add(self, row: int) -> None:
        """S becomes S + row; `value` follows."""
        ...


@runtime_checkable
class Thinning(State, Protocol):
    """A state whose gains are dear, a pass over all rows each, until few similarities can still matter."""

    @property
    def thinned(self) -> bool:
        """Whether gains are cheap by now."""
        ...

    def left(self) -> float:
        """How many rows a candidate would still raise, on average, estimated; 0 where gains were never dear."""
        ...

    def add_all(self, rows: Rows) -> Gains:
        """Adds these rows one after another; the marginal gain of each."""
        ...

    def narrow(self, probes: int, seed: int) -> float:
        """Makes gains cheap now by looking at near pairs of rows only, in so many cells a row; the share of all pairs looked at.

        Gains and value are lower bounds from then on.
        """
        ...


@runtime_checkable
class Foreseeing(Thinning, Protocol):
    """A state that can look ahead for less than the gains of all candidates would cost, and has bounds from then on."""

    @property
    def far_sighted(self) -> bool:
        """Whether this one can."""
        ...

    @property
    def sees(self) -> bool:
        """Whether what it saw when it last looked ahead still bounds gains, and pays."""
        ...

    def foresee(self, candidates: Rows) -> None:
        """Finds what follows if these rows compete; changes no value and no gain."""
        ...

    def ceilings(self, candidates: Rows) -> Gains:
        """(m,) at least the gains of some of the rows that it looked ahead for, at far less cost; where it sees."""
        ...


@runtime_checkable
class Racing(State, Protocol):
    """A state that can run the lazy race itself, in compiled code."""

    def winner(self, queue: Any, stamp: int, worth: Gains) -> int | None:
        """The row that wins beside the `stamp` rows chosen so far, -1 where all are excluded; None where it cannot say by now.

        `queue` (kernels.queue.Queue) holds bounds on gain x worth, of which it makes fresh what it has to; `worth` (n,).
        """
        ...


@runtime_checkable
class Objective(Protocol):
    """What a subset is worth: a frozen dataclass of parameters. State is born from `start`."""

    submodular: ClassVar[bool]

    @property
    def monotone(self) -> bool:
        """Whether no row can lower the value; the certificate needs it."""
        ...

    @property
    def needs(self) -> tuple[Need, ...]: ...

    def start(self, ground: Ground, chosen: Rows = NO_ROWS) -> State:
        """The state of S = `chosen`."""
        ...

    def value(self, ground: Ground, rows: Rows) -> float:
        """f(rows) at once, without growing it row by row: for references and checks."""
        ...


@runtime_checkable
class Capped(Protocol):
    """An objective whose value may be a lower bound of what is meant: the greedy bound then proves nothing."""

    def cap(self, ground: Ground) -> float | None:
        """What is meant is worth no more than this for any set of rows; None where the value is what is meant."""
        ...


@runtime_checkable
class Procedure(Protocol):
    """An objective that brings its own loop (a sampler, or another library): no optimizer is asked."""

    @property
    def needs(self) -> tuple[Need, ...]: ...

    def picks(self, problem: Problem, rng: np.random.Generator) -> Generator[Pick, None, Finish]: ...


@runtime_checkable
class WholeSets(Procedure, Protocol):
    """A procedure that makes a set at one stroke: a limit can refuse it, but not guide it row by row."""

    @property
    def draws_whole_sets(self) -> bool: ...


class LimitState(Protocol):
    """What may still be added to a growing subset."""

    def allows(self, rows: Rows) -> NDArray[np.bool_]:
        """Which of these rows may be added next. A row that was refused once stays refused."""
        ...

    def add(self, row: int) -> Rows:
        """Count this row; returns rows that are refused from now on (they may have been refused before)."""
        ...

    @property
    def full(self) -> str | None:
        """Why nothing at all may be added any more, or None."""
        ...


class Limit(Protocol):
    """How much may be chosen: a frozen dataclass. State is born from `start`."""

    @property
    def most(self) -> int:
        """No feasible set has more rows than this."""
        ...

    @property
    def prices(self) -> Gains | None:
        """(n,) cost of each row where rows are bought by cost, so that gain / price decides; None: every row costs the same."""
        ...

    def start(self) -> LimitState: ...

    def relaxed(self, gains: Gains, rows: Rows) -> float:
        """At least the largest total of these gains (one for each row) over all feasible sets; the certificate needs it."""
        ...


# ---------------------------------------------------------------------------------------------------- problems and results


@dataclass(frozen=True)
class Problem:
    """What is asked: the best rows among `candidates` for `objective` under `limit`, given the `kept` rows."""

    ground: Ground
    objective: Objective | Procedure
    limit: Limit
    kept: Rows  # rows chosen before; they count in the objective and are never returned
    candidates: Rows  # rows that may be chosen, ascending


@dataclass(frozen=True)
class Pick:
    """One chosen row and its marginal gain when it was chosen."""

    row: int
    gain: float


@dataclass(frozen=True)
class Opening:
    """What was known before the first pick: the value of the kept rows, and the gain of each candidate given these alone."""

    value: float
    rows: Rows
    gains: Gains  # one for each of `rows`


@dataclass(frozen=True)
class Finish:
    """What an optimizer hands back when it stops: the state that holds its picks, and what it knows of the gains left.

    `bounds` (n,) are upper bounds on every row's present gain (+inf where nothing is known), or None; `notes` is what a person must know;
    `facts` is what the optimizer chose by itself (JSON values, for the manifest).
    """

    state: State
    bounds: Gains | None = None
    opening: Opening | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    upper_bound: float | None = None  # where the optimizer proves one itself: the state is then not asked for gains
    stopped: str | None = None  # why, where it was not the limits that ended it


Optimizer = Callable[[Problem, np.random.Generator], Generator[Pick, None, Finish]]


@dataclass(frozen=True)
class Outcome:
    """What select() found: rows in pick order, and the proof of how good they are. Row numbers count in the ground set."""

    rows: Rows  # (k,)
    gains: Gains  # (k,)
    value: float  # f(kept + rows)
    upper_bound: float | None  # no feasible set is worth more; None where no proof is known
    no_bound_because: str | None
    random_value: float | None  # f(kept + a random feasible set), the reference
    kept: Rows
    stopped: str
    evaluations: int
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the optimizer chose by itself

    @property
    def ratio(self) -> float | None:
        """value / upper_bound: at least this share of the optimum is proved. None without a bound."""
        if self.upper_bound is None:
            return None
        return 1.0 if self.upper_bound <= 0.0 else min(1.0, self.value / self.upper_bound)


# ------------------------------------------------------------------------------------------------------------------ layers


@dataclass(frozen=True)
class Texts:
    """One side of the pool's usable rows."""

    strings: Sequence[str]  # (n,)
    side: str  # 'instruction' or 'response'
    fingerprint: str  # of the strings, in order
    column: Callable[[str], Any]  # name -> the pool's column (pyarrow ChunkedArray, n values); raises UnknownName with a hint


@dataclass(frozen=True)
class Tokens:
    """Ragged token ids: those of text i are `ids[starts[i] : starts[i + 1]]`."""

    ids: NDArray[np.int32]  # all tokens, text after text
    starts: NDArray[np.int64]  # (n + 1,)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each text."""
        return np.diff(self.starts)


class Store(Protocol):
    """Where features are kept between runs."""

    def arrays(self, kind: str, key: Mapping[str, Any], make: Callable[[], dict[str, NDArray[Any]]]) -> dict[str, NDArray[Any]]:
        """The arrays made for `key` (JSON values) before, or those that `make` makes now, kept for the next time.

        Ask in shards for long work: what was kept before an interruption is found again.
        """
        ...

    def journal(self, kind: str, key: Mapping[str, Any]) -> Path | None:
        """A file to append JSON lines to as answers come in, or None where nothing is kept."""
        ...


@dataclass(frozen=True)
class Room:
    """How features are computed on this machine; never changes what they are."""

    store: Store
    progress: Progress = quiet
    device: str = "cpu"
    threads: int = 0  # 0: all cores
    memory: int = 1 << 30  # bytes


class Layer(Protocol):
    """One way to see a text: a frozen dataclass of parameters giving the same two views of every row."""

    def vectors(self, texts: Texts, room: Room) -> Similarity: ...

    def types(self, texts: Texts, room: Room) -> Types: ...


@runtime_checkable
class Worded(Protocol):
    """A layer whose types are a vocabulary that a person may edit and feed back."""

    def vocabulary_table(self, texts: Texts, room: Room) -> Any:
        """A pyarrow table with one line a type, written beside the result as CSV."""
        ...


# ---------------------------------------------------------------------------------------------------------------- measures


@dataclass(frozen=True)
class Scale:
    """What one number of a measure says, and which way it points."""

    name: str  # as a person reads it, as 'nearest-neighbour distance'
    direction: int  # 1: larger is more diverse; -1: smaller is; 0: neither
    judged: bool = False  # whether it takes part in the verdict on its layer


@dataclass(frozen=True)
class Reading:
    """One number of a measure for one set of rows."""

    value: float  # NaN where the set is too small for it
    error: float | None = None  # standard error where a sample stands for all; None where the number is exact


class Aspect(Protocol):
    """One side of all rows, the pool's and any other dataset's, as measures read it; each view is made once, when asked for."""

    @property
    def side(self) -> str:
        """'instruction' or 'response'."""
        ...

    @property
    def size(self) -> int:
        """n."""
        ...

    @property
    def pool(self) -> Rows:
        """The rows of the pool, which a set is to stand for; all rows where no pool is named."""
        ...

    @property
    def seed(self) -> int:
        """Of every sample that a measure draws."""
        ...

    @property
    def threads(self) -> int:
        """How many to use, at least 1."""
        ...

    @property
    def memory(self) -> int:
        """Bytes."""
        ...

    def texts(self) -> Sequence[str]: ...

    def tokens(self) -> Tokens: ...

    def vectors(self, layer: str) -> Similarity: ...

    def types(self, layer: str) -> Types: ...


class Measure(Protocol):
    """A family of measures that share their work: a frozen dataclass with the one parameter `layer`."""

    layers: ClassVar[tuple[str, ...]]  # where it is read: 'surface', 'macro', 'meso', 'micro'
    scales: ClassVar[tuple[Scale, ...]]

    def over(self, aspect: Aspect) -> Callable[[Rows], Sequence[Reading]]:
        """What is prepared once for all sets; the function gives a reading on each scale for one set of 2 or more distinct rows, ascending.

        Several threads may call the function at once, each with one BLAS thread: it keeps nothing, and uses no parallel compiled loop.
        """
        ...
