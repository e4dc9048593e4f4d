"""What `importance` computes on a grid: shares of the variance by analysis of variance.

Kernels in NumPy on one number for each run, with the codes of its hyperparameters.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_RANK_SLACK = 1e-10
_LARGEST_F = 1e6


@dataclass(frozen=True, eq=False)
class Design:
    """The runs of an analysis of variance.

    Parameters
    ----------
    y : (runs,) float64
    codes : (runs, keys) intp
        The label of each key, from 0 on without gaps.
    seed : (runs,) intp, optional
        The label of the seed, where all configurations share them; None where they are replicates.
    """

    y: NDArray[np.float64]
    codes: NDArray[np.intp]
    seed: NDArray[np.intp] | None

    @property
    def cell(self) -> NDArray[np.intp]:
        """Number of the configuration of each run."""
        return np.unique(self.codes, axis=0, return_inverse=True)[1].reshape(-1)

    @property
    def levels(self) -> tuple[int, ...]:
        """Number of labels of each key."""
        return tuple((self.codes.max(axis=0, initial=-1) + 1).tolist())

    @property
    def is_balanced(self) -> bool:
        """Whether each combination of labels is there, with equally many or the same seeds."""
        counts = np.unique(self.cell, return_counts=True)[1]
        is_full = len(counts) == np.prod(self.levels) and np.ptp(counts) == 0
        if self.seed is None or not is_full:
            return bool(is_full)
        return bool(np.ptp(np.unique(self.seed, return_counts=True)[1]) == 0)


@dataclass(frozen=True, eq=False)
class Effects:
    """Shares of the variance (omega squared).

    Parameters
    ----------
    keys : (keys,) float64
    pairs : (pairs,) float64
        Interactions, in the order of ``combinations``.
    block : float
        Of seeds that are labels; NaN where they are none.
    noise : float
        What differs between runs of one configuration beyond that; NaN without replicates.
    error : float
        Mean square of the error.
    total : float
        Sum of squares of all.
    squares, df : (keys + pairs,) float64
        Sums of squares and degrees of freedom of keys and pairs, where they can be told.
    n : int
        Number of runs.
    df_error : int
        Degrees of freedom of the error.
    """

    keys: NDArray[np.float64]
    pairs: NDArray[np.float64]
    block: float
    noise: float
    error: float
    total: float
    squares: NDArray[np.float64]
    df: NDArray[np.float64]
    n: int
    df_error: int

    def share(self, squares: NDArray[np.float64], df: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return omega squared of sums of squares; NaN where no degree of freedom is left."""
        with np.errstate(invalid="ignore", divide="ignore"):
            found = (squares - df * self.error) / (self.total + self.error)
        return np.where(df > 0, found, np.nan)

    def intervals(self, level: float) -> NDArray[np.float64]:
        """Return the intervals of the shares of keys and pairs, (keys + pairs, 2).

        Those of the noncentrality of F (Steiger 2004), with what the other effects have beside the
        noise as it is estimated. They are exact for normal noise where there is no other effect.
        """
        df_other = np.where(self.df > 0, self.df, np.nan)
        with np.errstate(invalid="ignore", divide="ignore"):
            f = self.squares / df_other / self.error
            rest = (1 - self.share(self.squares, self.df)) * (self.total / self.error + 1) / self.n
        found = np.full((len(f), 2), np.nan)
        for i in np.flatnonzero(np.isfinite(f)).tolist() if self.df_error > 0 else []:
            for side, tail in enumerate((0.5 + level / 2, 0.5 - level / 2)):
                own = _noncentrality(float(f[i]), float(self.df[i]), self.df_error, tail) / self.n
                found[i, side] = own / (own + max(float(rest[i]), 0.0)) if own > 0 else 0.0
        return found


def _noncentrality(f: float, df: float, df_error: float, tail: float) -> float:
    """Return the noncentrality with which a share ``tail`` of all F lies below a value."""
    from scipy import optimize, stats

    # Of a larger F it is in proportion, and its distribution cannot be computed.
    scale = max(f / _LARGEST_F, 1.0)
    f /= scale

    def excess(noncentrality: float) -> float:
        return float(stats.ncf.cdf(f, df, df_error, noncentrality)) - tail

    if stats.f.cdf(f, df, df_error) <= tail:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    low = high / 2 if high > 1 else 0.0
    return scale * float(optimize.brentq(excess, low, high, rtol=1e-10))


def effects(design: Design) -> Effects:
    """Return the shares of keys, of pairs, of the seed and of the noise, by type II squares.

    On a full balanced grid these are the sums of squares that textbooks have. The error is that of
    runs of one configuration; where there is one run of each, that of the interactions of three.
    """
    n = len(design.y)
    y = design.y - design.y.mean()
    dummies = [_dummies(column) for column in design.codes.T]
    pairs = [*combinations(range(len(dummies)), 2)]
    crossed = [_crossed(dummies[a], dummies[b]) for a, b in pairs]
    seeds = [] if design.seed is None else [_dummies(design.seed)]
    error, df_error, block = _pure_error(design, y)
    df_left = df_error
    if df_error <= 0:
        used = [*dummies, *crossed]
        basis = _basis([np.ones((n, 1)), *used])
        if basis.shape[1] >= n:  # nothing is left: the interactions of pairs are the error
            crossed, pairs = [], []
            basis = _basis([np.ones((n, 1)), *dummies])
        df = n - basis.shape[1]
        error = float(((y - basis @ (basis.T @ y)) ** 2).sum() / df) if df else np.nan
        seeds, block, df_left = [], (np.nan, 0), df
    total = float((y**2).sum())
    terms = [*(((i,), own) for i, own in enumerate(dummies)), *zip(pairs, crossed, strict=True)]
    found = [added(base_of(term, dummies, crossed, pairs, seeds), y, own) for term, own in terms]
    squares, df_terms = np.array(found, dtype=np.float64).reshape(-1, 2).T
    nothing = np.empty(0)
    rough = Effects(nothing, nothing, np.nan, np.nan, error, total, squares, df_terms, n, df_left)
    shares = rough.share(squares, df_terms)
    count = len(dummies)
    of_pairs = shares[count:] if pairs else np.full(count * (count - 1) // 2, np.nan)
    return replace(
        rough,
        keys=shares[:count],
        pairs=of_pairs,
        block=float(rough.share(np.array(block[0]), np.array(float(block[1])))),
        noise=n * error / (total + error) if df_error > 0 else np.nan,
    )


def base_of(
    term: Sequence[int],
    dummies: Sequence[NDArray[np.float64]],
    crossed: Sequence[NDArray[np.float64]],
    pairs: Sequence[tuple[int, int]],
    seeds: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return an orthonormal basis of all terms that do not contain a term (type II)."""
    own = set(term)
    mains = [dummy for i, dummy in enumerate(dummies) if not own <= {i}]
    others = [part for pair, part in zip(pairs, crossed, strict=True) if not own <= {*pair}]
    return _basis([np.ones((len(dummies[0]), 1)), *seeds, *mains, *others])


def added(
    basis: NDArray[np.float64], y: NDArray[np.float64], own: NDArray[np.float64]
) -> tuple[float, int]:
    """Return the squares that a term explains beyond a basis, and its degrees of freedom."""
    left = own - basis @ (basis.T @ own)
    values, vectors = np.linalg.eigh(left.T @ left)
    kept = values > _RANK_SLACK * max(float((own**2).sum()), 1.0)
    on = (left @ vectors[:, kept]) / np.sqrt(values[kept])
    return float(((on.T @ y) ** 2).sum()), int(kept.sum())


def shuffled_shares(
    design: Design, key: int, found: Effects, n_shuffles: int, seed: int
) -> NDArray[np.float64]:
    """Return the share that a key has after its labels were shuffled, (shuffles,).

    On a full balanced grid labels are shuffled within each combination of the others, so that it
    stays one; else over the configurations. Runs of a configuration stay together.
    """
    rng = np.random.default_rng([seed, key])
    y = design.y - design.y.mean()
    if design.is_balanced:
        return _shuffled_on_grid(design, key, found, n_shuffles, rng)
    dummies = [_dummies(column) for column in design.codes.T]
    pairs = [*combinations(range(len(dummies)), 2)]
    crossed = [_crossed(dummies[a], dummies[b]) for a, b in pairs]
    seeds = [] if design.seed is None else [_dummies(design.seed)]
    basis = base_of((key,), dummies, crossed, pairs, seeds)
    cell = design.cell
    label = np.zeros(cell.max() + 1, dtype=np.intp)
    label[cell] = design.codes[:, key]
    squares = [added(basis, y, _dummies(rng.permutation(label)[cell])) for _ in range(n_shuffles)]
    ss, df = np.array(squares, dtype=np.float64).reshape(-1, 2).T
    return found.share(ss, df)


def _shuffled_on_grid(
    design: Design, key: int, found: Effects, n_shuffles: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    means = np.bincount(design.cell, design.y) / np.bincount(design.cell)
    levels = design.levels
    rows = np.moveaxis(means.reshape(levels), key, -1).reshape(-1, levels[key])
    squares = np.empty(n_shuffles)
    for i in range(n_shuffles):
        of_label = rng.permuted(rows, axis=1).mean(axis=0)
        squares[i] = len(design.y) * of_label.var()
    return found.share(squares, np.full(n_shuffles, levels[key] - 1.0))


def _pure_error(design: Design, y: NDArray[np.float64]) -> tuple[float, int, tuple[float, int]]:
    """Return mean square and degrees of freedom within configurations, and the block's squares."""
    cell = design.cell
    within = _within(y, cell)
    df = len(y) - (cell.max() + 1)
    squares = float((within**2).sum())
    block = (np.nan, 0)
    if design.seed is not None and df > 0:
        nothing = np.zeros((len(y), 1))
        block = added(nothing, within, _within(_dummies(design.seed), cell))
        squares, df = squares - block[0], df - block[1]
    return (squares / df if df > 0 else np.nan), df, block


def _within(values: NDArray[np.float64], cell: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return values without the mean of their configuration."""
    table = values.reshape(len(values), -1)
    sums = np.zeros((cell.max() + 1, table.shape[1]))
    np.add.at(sums, cell, table)
    means = sums / np.bincount(cell)[:, None]
    return np.asarray(table - means[cell]).reshape(values.shape)


def _dummies(codes: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.asarray((codes[:, None] == np.arange(codes.max() + 1)).astype(np.float64))


def _crossed(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    both: NDArray[np.float64] = a[:, :, None] * b[:, None, :]
    return both.reshape(len(a), -1)


def _basis(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return an orthonormal basis of the columns."""
    columns = np.concatenate(parts, axis=1)
    columns = columns[:, columns.any(axis=0)]
    values, vectors = np.linalg.eigh(columns.T @ columns)
    kept = values > _RANK_SLACK * values[-1]
    return np.asarray((columns @ vectors[:, kept]) / np.sqrt(values[kept]))
