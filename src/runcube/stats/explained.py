"""What keys and pairs of keys explain, by each method of `importance`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from runcube.stats.effects import Design, effects, shuffled_shares
from runcube.stats.forest import TREES_OF_NULL, Forest, Space
from runcube.stats.top_share import best, likeness, points_of, variance_of_share

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from runcube.stats.varied import Key

Term: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class How:
    """Level of intervals, number of resamples, and their seed."""

    ci: float
    n_resamples: int
    seed: int


@dataclass(frozen=True, eq=False)
class Found:
    """What some keys and pairs explain: shares, their intervals, those of shuffled labels."""

    share: NDArray[np.float64]
    ci: NDArray[np.float64]
    shuffled: list[NDArray[np.float64]]
    whole: dict[str, float]


# Of the keys of some configurations, what keys and pairs explain of which the places are given.
Explain: TypeAlias = "Callable[[list[Key], NDArray[np.bool_], list[Term]], Found]"


def all_terms(n_keys: int) -> list[Term]:
    """Return the places of each key, and of each pair."""
    return [*((i,) for i in range(n_keys)), *combinations(range(n_keys), 2)]


def by_anova(values: NDArray[np.float64], labels: bool, how: How) -> Explain:
    """Return omega squared; ``labels``: whether the seeds are labels that runs share."""
    there = np.isfinite(values)

    def explain(keys: list[Key], rows: NDArray[np.bool_], wanted: list[Term]) -> Found:
        design = _design(keys, values, there & rows[:, None], labels)
        found = effects(design)
        terms = all_terms(len(keys))
        at = [terms.index(term) for term in wanted]
        bounds = np.full((len(terms), 2), np.nan)
        known = found.intervals(how.ci)
        bounds[: len(known)] = known
        shuffled = [
            shuffled_shares(design, term[0], found, how.n_resamples, how.seed)
            if len(term) == 1
            else np.empty(0)
            for term in wanted
        ]
        share = np.concatenate([found.keys, found.pairs])
        return Found(share[at], bounds[at], shuffled, {"seed": found.block, "noise": found.noise})

    return explain


def _design(
    keys: list[Key], values: NDArray[np.float64], there: NDArray[np.bool_], labels: bool
) -> Design:
    row, seed = np.nonzero(there)
    codes = np.stack([np.unique(k.labels[row], return_inverse=True)[1] for k in keys], axis=1)
    codes = codes.reshape(len(row), len(keys))
    # A block has each seed once in a configuration.
    places = np.unique(np.column_stack([codes, seed]), axis=0)
    is_block = labels and len(places) == len(row) and len(np.unique(seed)) > 1
    own = np.unique(seed, return_inverse=True)[1].reshape(-1) if is_block else None
    return Design(values[there], codes, own)


def by_ped_anova(scores: NDArray[np.float64], top: float, how: How) -> Explain:
    """Return how far keys decide whether a configuration is among the share ``top``, the best."""

    def explain(keys: list[Key], rows: NDArray[np.bool_], wanted: list[Term]) -> Found:
        from scipy import stats

        at = np.flatnonzero(rows)
        rng = np.random.default_rng([how.seed, *at[:1], len(at)])
        is_best = best(scores[at], top).astype(np.float64)[:, None]
        once, points = np.ones_like(is_best), points_of(len(at), rng)
        mixed = rng.permuted(np.tile(is_best, how.n_resamples), axis=0)
        even = np.full(len(at), 1 / len(at))
        counts = rng.multinomial(len(at), even, size=how.n_resamples).T.astype(np.float64)
        again = _best_again(scores[at], counts, top)

        @cache
        def near(i: int, n_keys: int) -> NDArray[np.float64]:
            n_best = int(is_best.sum())
            return likeness(keys[i].labels[at], keys[i].numbers[at], n_best, points, n_keys)

        @cache
        def along(term: Term, n_keys: int) -> NDArray[np.float64]:
            """Return the share, those of shuffled labels, and those of resamples, in a row."""
            weights = np.prod([near(i, n_keys) for i in term], axis=0)
            drawn = ((is_best, once), (mixed, once), (again, counts))
            return np.concatenate(
                [variance_of_share(weights, points, own, times) for own, times in drawn]
            )

        found = [
            along(term, 1) if len(term) == 1 else along(term, 2) - sum(along((i,), 2) for i in term)
            for term in wanted
        ]
        table = np.array(found).reshape(len(wanted), 2 * how.n_resamples + 1)
        share, shuffled, drawn = np.split(table, [1, how.n_resamples + 1], axis=1)
        # About the estimate: a resample repeats values, which looks like importance.
        some = np.isfinite(drawn).any(axis=1)
        half = np.full((len(wanted), 1), np.nan)
        half[some, 0] = stats.norm.ppf(0.5 + how.ci / 2) * np.nanstd(drawn[some], axis=1)
        # A key explains at least nothing.
        low = np.array([0.0 if len(term) == 1 else -1.0 for term in wanted])[:, None]
        return Found(share[:, 0], np.clip(share + half * [-1, 1], low, 1), [*shuffled], {})

    return explain


def _best_again(
    scores: NDArray[np.float64], counts: NDArray[np.float64], top: float
) -> NDArray[np.float64]:
    """Return which configurations are the best of each resample, (configurations, resamples)."""
    order = np.argsort(-scores, kind="stable")
    wanted = min(len(scores), max(5, round(top * len(scores))))
    before = counts[order].cumsum(axis=0) - counts[order]
    found = np.empty_like(counts)
    found[order] = before < wanted
    return found


def by_forest(scores: NDArray[np.float64], n_trees: int, how: How) -> Explain:
    """Return the share of the variance of a random forest of so many trees."""

    def explain(keys: list[Key], rows: NDArray[np.bool_], wanted: list[Term]) -> Found:
        from scipy import special, stats

        at = np.flatnonzero(rows)
        space = Space.of([(key.labels[at], key.numbers[at]) for key in keys])
        forest = Forest.grown(space, scores[at], n_trees, [how.seed, 0])
        share, error = forest.mean_and_error(wanted)
        # By their odds: errors of small shares are skew, and no share is below 0 or above 1.
        inside = np.clip(share, 1e-9, 1 - 1e-9)
        half = stats.norm.ppf(0.5 + how.ci / 2) * error / (inside * (1 - inside))
        odds = special.logit(inside)
        bounds = special.expit(np.stack([odds - half, odds + half], axis=1))
        alone, _ = forest.mean_and_error(all_terms(len(keys))[: len(keys)])
        # Without the stronger key of a pair all would be noise, and shares of noise are large.
        of_term = [min(term, key=lambda i: alone[i]) for term in wanted]
        nothing: list[list[float]] = [[] for _ in wanted]
        for key in {*of_term}:
            rng = np.random.default_rng([how.seed, 1, key])
            own = [i for i, other in enumerate(of_term) if other == key]
            for number in range(how.n_resamples):
                mixed = space.shuffled(key, rng)
                small = Forest.grown(mixed, scores[at], TREES_OF_NULL, [how.seed, 2, key, number])
                mean, _ = small.mean_and_error([wanted[i] for i in own])
                for i, value in zip(own, mean, strict=True):
                    nothing[i].append(value)
        shuffled = [np.array(values) for values in nothing]
        return Found(share, bounds, shuffled, {"r2": forest.r2(scores[at])})

    return explain
