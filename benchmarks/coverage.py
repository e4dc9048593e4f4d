"""How often the intervals hold the truth, and how often the tests cry wolf.

Simulated seeds of which the truth is known: ``summarize``, its bands, ``compare``, ``select`` and
``importance`` with 3 to 30 of them. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import time
import warnings
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from scipy import stats

import runcube as rc
from benchmarks.load import machine, versions
from runcube.stats.choosing import Scores, cross_fitted, may_be_best, optimism
from runcube.stats.effects import Design, effects
from runcube.stats.permutations import max_t
from runcube.stats.simultaneous import dunnett, games_howell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

SEEDS = (3, 5, 10, 30)
LEVEL = 0.95
# Resamples are shared by the data sets of one call: so several calls, each with its own.
CALLS = 10
RESAMPLES = 2000
COLLAPSED, LOWER_BY = 0.2, 20.0
MANY = 2_000_000
DATA = {
    "normal": "normal",
    "lognormal": "lognormal",
    "collapsed": f"one run in five lower by {LOWER_BY:g} sd",
}
# The first method of each statistic is the default.
INTERVALS: dict[str, tuple[str, ...]] = {
    "mean": ("t", "scaled", "percentile", "basic", "bca", "studentized"),
    "median": ("scaled", "percentile", "basic", "bca"),
    "iqm": ("scaled", "percentile", "basic", "bca"),
    "std": ("chi2", "scaled", "percentile", "basic", "bca"),
}
# Name, test, paired.
TESTS: tuple[tuple[str, Any, bool], ...] = (
    ("Welch's t", "t", False),
    ("permutation", "permutation", False),
    ("Brunner-Munzel", "brunner-munzel", False),
    ("Kolmogorov-Smirnov", "ks", False),
    ("paired t", "t", True),
    ("sign flips", "permutation", True),
)
SPREADS = (1.0, 3.0)
# Of the families: settings, and points of x that go together as an AR(1) with 0.95.
SETTINGS, POINTS = 4, 20
ALL_PAIRS = [*combinations(range(SETTINGS), 2)]
WITH_ONE = [(setting, 0) for setting in range(1, SETTINGS)]


def shaped(kind: str, z: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Turn normal values into values of a kind."""
    if kind == "lognormal":
        return np.exp(z)
    if kind == "collapsed":
        return z - LOWER_BY * (rng.random(z.shape) < COLLAPSED)
    return z


@cache
def truth(kind: str) -> dict[str, float]:
    """Mean, median, mean of the middle half and standard deviation of a kind."""
    values = np.sort(shaped(kind, *_many()))
    quarter = len(values) // 4
    median, iqm = float(np.median(values)), float(values[quarter:-quarter].mean())
    if kind == "lognormal":
        return {"mean": np.exp(0.5), "median": 1.0, "iqm": iqm, "std": np.sqrt(np.e * (np.e - 1))}
    if kind == "collapsed":
        std = np.sqrt(1 + LOWER_BY**2 * COLLAPSED * (1 - COLLAPSED))
        return {"mean": -LOWER_BY * COLLAPSED, "median": median, "iqm": iqm, "std": std}
    return {"mean": 0.0, "median": 0.0, "iqm": 0.0, "std": 1.0}


def _many() -> tuple[NDArray[np.float64], np.random.Generator]:
    rng = np.random.default_rng(1)
    return rng.standard_normal(MANY), rng


def calls(data_sets: int) -> Iterator[tuple[int, np.random.Generator, int]]:
    """A number, a generator and a number of data sets for each call."""
    for number in range(CALLS):
        yield number, np.random.default_rng([17, number]), data_sets // CALLS


def labelled(values: NDArray[np.float64]) -> xr.DataArray:
    """Values of seeds along the last axis."""
    dims = ("data_set", "x", "seed")[-values.ndim :] if values.ndim == 3 else ("data_set", "seed")
    return xr.DataArray(values, dims=dims, coords={"seed": np.arange(values.shape[-1])})


def share_held(ci: xr.DataArray, value: float) -> xr.DataArray:
    """Whether each interval holds a value; NaN where there is none."""
    lower, upper = ci.sel(ci_bound="lower"), ci.sel(ci_bound="upper")
    held = ((lower <= value) & (value <= upper)).astype(float)
    return held.where(lower.notnull())


def interval_coverage(kind: str, n: int, data_sets: int) -> dict[tuple[str, str], float]:
    """Coverage of every interval of `summarize`, by statistic and method."""
    true = truth(kind)
    held: dict[tuple[str, str], list[float]] = {}
    for number, rng, count in calls(data_sets):
        values = labelled(shaped(kind, rng.standard_normal((count, n)), rng))
        for statistic, methods in INTERVALS.items():
            for method in methods:
                found = rc.summarize(
                    values,
                    statistic=statistic,  # type: ignore[arg-type]
                    method=method,  # type: ignore[arg-type]
                    n_resamples=RESAMPLES,
                    quantiles=(),
                    rng=number,
                )
                share = float(share_held(found["ci"], true[statistic]).mean())
                held.setdefault((statistic, method), []).append(share)
    return {key: float(np.mean(shares)) for key, shares in held.items()}


def proportion_coverage(p: float, n: int, data_sets: int) -> float:
    """Coverage of Wilson's interval of a share of successes."""
    values = (np.random.default_rng(3).random((data_sets, n)) < p).astype(float)
    found = rc.summarize(labelled(values), method="wilson", quantiles=())
    return float(share_held(found["ci"], p).mean())


def band_coverage(n: int, data_sets: int, simultaneous: bool) -> float:
    """How often a band along 50 epochs, AR(1) with 0.95, holds the truth everywhere."""
    rng = np.random.default_rng([5, n])
    curves = np.empty((data_sets, 50, n))
    curves[:, 0] = rng.standard_normal((data_sets, n))
    for at in range(1, 50):
        fresh = np.sqrt(1 - 0.95**2) * rng.standard_normal((data_sets, n))
        curves[:, at] = 0.95 * curves[:, at - 1] + fresh
    found = rc.summarize(labelled(curves), simultaneous=simultaneous, quantiles=(), rng=0)
    return float((share_held(found["ci"], 0.0).min("x")).mean())


@cache
def no_difference(kind: str, spread: float, name: str) -> float:
    """What to add to the second group so that a test's hypothesis is true."""
    if name != "Brunner-Munzel" or kind == "normal":
        return truth(kind)["mean"] * (1 - spread)
    z, rng = _many()
    other = shaped(kind, rng.standard_normal(z.shape), rng)
    return float(np.median(shaped(kind, z, rng) - spread * other))


def type_one(kind: str, spread: float, n: int, data_sets: int) -> dict[str, float]:
    """How often each test of `compare` rejects at 0.05 what is true."""
    shifts = {name: no_difference(kind, spread, name) for name, *_ in TESTS}
    rejected: dict[str, list[float]] = {}
    for number, rng, count in calls(data_sets):
        # Half of the variance is the seed's, in the pairs.
        common, *own = (np.sqrt(0.5) * rng.standard_normal((count, n)) for _ in range(3))
        apart = [shaped(kind, rng.standard_normal((count, n)), rng) for _ in range(2)]
        pairs = [shaped(kind, common + z, rng) for z in own]
        for name, test, paired in TESTS:
            a, b = pairs if paired else apart
            if test == "ks" and spread != 1:
                continue  # other spreads are another distribution: its hypothesis is false
            found = rc.compare(
                labelled(a),
                labelled(spread * b + shifts[name]),
                test="t" if test == "ks" else test,
                paired=paired,
                n_resamples=RESAMPLES,
                rng=number,
            )
            p = found["ks_p" if test == "ks" else "p"]
            rejected.setdefault(name, []).append(float((p <= 1 - LEVEL + 1e-12).mean()))
    return {name: float(np.mean(shares)) for name, shares in rejected.items()}


def unequal(kind: str, sizes: tuple[int, int], data_sets: int) -> dict[str, float]:
    """How often tests of means reject with more seeds of the side that is spread less."""
    rng = np.random.default_rng([31, *sizes])
    a, b = (shaped(kind, rng.standard_normal((data_sets, n)), rng) for n in sizes)
    a, b = (labelled(values - truth(kind)["mean"]) for values in (a, b))
    found = {}
    for name, test, paired in TESTS[:2]:
        p = rc.compare(a, 3 * b, test=test, paired=paired, n_resamples=RESAMPLES, rng=0)["p"]
        found[name] = float((p <= 1 - LEVEL + 1e-12).mean())
    return found


def familywise(kind: str, spread: float, n: int, data_sets: int) -> dict[str, float]:
    """How often each correction finds any difference between settings that have none.

    The last setting has another spread than the others. By max-t the family is a curve as well,
    and half of the variance of pairs is shared.
    """
    rng = np.random.default_rng([23, n])
    scale = np.array([1.0] * (SETTINGS - 1) + [spread])[:, None, None]
    mean = truth(kind)["mean"]

    def drawn(points: int, shared: float = 0.0) -> NDArray[np.float64]:
        own, common = (along(rng.standard_normal((points, size, n))) for size in (SETTINGS, 1))
        z = np.sqrt(1 - shared) * own + np.sqrt(shared) * common
        return scale * (np.moveaxis(shaped(kind, z, rng), 0, 2) - mean)

    def rejected(p: NDArray[np.float64]) -> float:
        return float((np.nanmin(p, axis=0) <= 1 - LEVEL + 1e-12).mean())

    single = rng.standard_normal((SETTINGS, n, 1, data_sets))
    single = scale[..., None] * (shaped(kind, single, rng) - mean)
    points = np.moveaxis(single, 2, 3)  # each data set is a family, as a point of x
    found = {
        "Games-Howell": rejected(games_howell(points, ALL_PAIRS, LEVEL)[..., 0]),
        "Dunnett": rejected(dunnett(points, WITH_ONE, LEVEL)[..., 0]),
    }
    ways = {
        "max-t": (ALL_PAIRS, False),
        "max-t, baseline": (WITH_ONE, False),
        "max-t, sign flips": (ALL_PAIRS, True),
    }
    for name, (pairs, paired) in ways.items():
        smallest = [
            max_t(drawn(POINTS, 0.5 * paired), pairs, paired=paired, n_resamples=500, seed=seed)
            for seed in range(data_sets // 10)
        ]
        found[name] = rejected(np.array([p[..., 0].min() for p in smallest])[None])
    return found


def along(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn independent normal values into curves along the first axis, AR(1) with 0.95."""
    found = z.copy()
    for at in range(1, len(z)):
        found[at] = 0.95 * found[at - 1] + np.sqrt(1 - 0.95**2) * z[at]
    return found


def superiority_coverage(spread: float, shift: float, n: int, data_sets: int) -> float:
    """How often the interval of P(A > B) holds it."""
    rng = np.random.default_rng([29, n])
    a, b = rng.standard_normal((2, data_sets, n))
    found = rc.compare(labelled(a + shift), labelled(spread * b), paired=False)
    true = float(stats.norm.cdf(shift / np.sqrt(1 + spread**2)))
    return float(share_held(found["superiority_ci"], true).mean())


def selected(sweeps: int, rho: float, between: float) -> dict[str, tuple[float, float]]:
    """Bias of what `select` reports, with its standard error, in sd of a run.

    36 configurations of 5 seeds; the truth is that of the winner.
    """
    rng = np.random.default_rng([36, int(10 * rho), int(between)])
    rows = []
    for number in range(sweeps):
        true = between * rng.standard_normal(36)
        common, own, other = rng.standard_normal((3, 36, 5))
        luck = [np.sqrt(rho) * common + np.sqrt(1 - rho) * z for z in (own, other)]
        val, test = (true[:, None] + noise for noise in luck)
        scores = Scores(val[:, :, None], test[:, :, None], "last")
        winner, _ = scores.choose(np.ones(5))
        flattered = val[winner].mean() - true[winner]
        gain = optimism(scores, 0, 0) if number < sweeps // 20 else np.nan
        value = np.mean(cross_fitted(scores)[0])
        rows.append([flattered, test[winner].mean() - true[winner], value - true[winner], gain])
        if number == 0:
            _check_face(val, test, float(value))
    columns = np.array(rows)
    names = ("chosen_by", "plain", "value", "optimism")
    counts = np.isfinite(columns).sum(axis=0)
    errors = np.nanstd(columns, axis=0, ddof=1) / np.sqrt(counts)
    return dict(zip(names, zip(np.nanmean(columns, axis=0), errors, strict=True), strict=True))


def best_held(spreads: NDArray[np.float64], n: int, variances: str, sweeps: int) -> float:
    """How often the set that may hold the best holds the first one, where all means are equal."""
    rng = np.random.default_rng([n, len(spreads), round(100 * spreads.sum())])
    runs = rng.standard_normal((sweeps, len(spreads), n)) * spreads[:, None]
    return float(np.mean([may_be_best(values, LEVEL, variances)[0] for values in runs]))


def _check_face(val: NDArray[np.float64], test: NDArray[np.float64], value: float) -> None:
    """Stop unless `select` itself gives the value that its kernels give."""
    curve = np.stack([val, test], axis=-1)[:, :, :, None, None]
    dims = ("lr", "seed", "split", "metric", "epoch")
    ds = xr.Dataset({"curve": (dims, curve), "logged": (dims, np.isfinite(curve))})
    coords = {"seed": [*range(5)], "split": ["val", "test"], "metric": ["acc"], "epoch": [1]}
    ds = ds.assign_coords(coords | {"lr": ("lr", np.arange(36.0), {"hparam": "lr"})})
    cells = ("lr", "seed")
    ds = ds.assign_coords(status=(cells, np.full((36, 5), "complete")))
    ds = ds.assign_coords(run_id=(cells, np.full((36, 5), "")), path=(cells, np.full((36, 5), "")))
    face = rc.select(ds, metric="acc", mode="max", epoch="last", rng=0)
    assert np.isclose(float(face["value"]), value, rtol=0, atol=1e-12)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def shown(values: Sequence[float]) -> list[str]:
    """Shares with three decimals; a dash where there is none."""
    return ["–" if np.isnan(value) else f"{value:.3f}" for value in values]


def print_intervals(data_sets: int) -> None:
    """Coverage of intervals."""
    print(f"\nCoverage of intervals of {LEVEL:.0%}\n")
    found = {(kind, n): interval_coverage(kind, n, data_sets) for kind in DATA for n in SEEDS}
    rows = [
        [
            statistic,
            method + " (default)" * (number == 0),
            words,
            *shown([found[kind, n][statistic, method] for n in SEEDS]),
        ]
        for kind, words in DATA.items()
        for statistic, methods in INTERVALS.items()
        for number, method in enumerate(methods)
    ]
    heads = [f"n = {n}" for n in SEEDS]
    print(table(["statistic", "method", "data", *heads], rows))
    rows = [
        [
            "share of successes",
            "wilson",
            f"true share {p:g}",
            *shown([proportion_coverage(p, n, data_sets) for n in SEEDS]),
        ]
        for p in (0.5, 0.8, 0.95)
    ]
    print("\n" + table(["statistic", "method", "data", *heads], rows))


def print_bands(curves: int) -> None:
    """Coverage of bands."""
    print("\nHow often a band of 95 % along 50 epochs holds the whole mean curve\n")
    rows = []
    for simultaneous in (False, True):
        # Bands by sup-t take the time of all else together.
        counts = [10 * curves if n < 8 or not simultaneous else curves for n in SEEDS]
        shares = [band_coverage(n, k, simultaneous) for n, k in zip(SEEDS, counts, strict=True)]
        rows.append(["simultaneous" if simultaneous else "pointwise", *shown(shares)])
    print(table(["band", *(f"n = {n}" for n in SEEDS)], rows))


def print_tests(data_sets: int) -> None:
    """Errors of type I."""
    print("\nHow often a test rejects at 0.05 although there is no difference\n")
    rows = []
    for kind, words in DATA.items():
        for spread in SPREADS:
            found = [type_one(kind, spread, n, data_sets) for n in SEEDS]
            rows += [
                [name, words, f"1 : {spread:g}", *shown([by_n[name] for by_n in found])]
                for name, *_ in TESTS
                if name in found[0]
            ]
    print(table(["test", "data", "spread", *(f"n = {n}" for n in SEEDS)], rows))
    sizes = ((6, 4), (10, 5), (30, 10))
    rows = []
    for kind, words in DATA.items():
        of_size = [unequal(kind, size, data_sets) for size in sizes]
        rows += [[name, words, *shown([by[name] for by in of_size])] for name in of_size[0]]
    print("\n" + table(["test, spread 1 : 3", "data", *(f"{a}, {b}" for a, b in sizes)], rows))


def print_families(data_sets: int) -> None:
    """Errors of type I of whole families."""
    print(
        f"\nHow often any comparison of {SETTINGS} settings without a difference is significant\n"
    )
    rows = []
    for kind, words in DATA.items():
        for spread in SPREADS:
            found = [familywise(kind, spread, n, data_sets) for n in SEEDS[:3]]
            rows += [
                [name, words, f"1 : {spread:g}", *shown([by_n[name] for by_n in found])]
                for name in found[0]
            ]
    print(table(["correction", "data", "spread", *(f"n = {n}" for n in SEEDS[:3])], rows))


def print_superiority(data_sets: int) -> None:
    """Coverage of intervals of P(A > B)."""
    print(f"\nCoverage of the interval of P(A > B) of {LEVEL:.0%}, normal data\n")
    rows = []
    for spread in SPREADS:
        for above in (0.5, 0.75, 0.95):
            shift = float(stats.norm.ppf(above) * np.sqrt(1 + spread**2))
            shares = [superiority_coverage(spread, shift, n, data_sets) for n in SEEDS]
            rows.append([f"{above:g}", f"1 : {spread:g}", *shown(shares)])
    print(table(["P(A > B)", "spread", *(f"n = {n}" for n in SEEDS)], rows))


def importance_coverage(kind: str, n: int, sweeps: int) -> list[float]:
    """How often the intervals by analysis of variance hold the shares of a 4 x 3 grid.

    Of a key with a large effect, of one with a smaller effect, of their interaction, and of a key
    that does nothing beside one that does.
    """
    a, b = np.linspace(-1, 1, 4)[:, None, None], np.linspace(-1, 1, 3)[:, None]
    held = []
    for strength in (1.0, 0.0):
        effect = 1.5 * strength * a + b + strength * a * b
        parts = np.array([(1.5 * strength * a).var(), b.var(), (strength * a * b).var()])
        true = parts / (parts.sum() + 1)
        codes = np.indices((4, 3, n)).reshape(3, -1)[:2].T
        rng = np.random.default_rng(n)
        mean, std = (truth(kind)[name] for name in ("mean", "std"))
        for _ in range(sweeps):
            noise = shaped(kind, rng.normal(size=(4, 3, n)), rng)
            y = effect + (noise - mean) / std
            bounds = effects(Design(y.ravel(), codes, None)).intervals(LEVEL)
            held.append((bounds[:, 0] <= true) & (true <= bounds[:, 1]))
    with_effects, without = np.split(np.array(held), 2)
    return [*with_effects.mean(axis=0).tolist(), float(without[:, 0].mean())]


def print_importance(sweeps: int) -> None:
    """Coverage of the intervals of importance."""
    print(f"\nHow often an interval of {LEVEL:.0%} of importance holds the true share\n")
    names = ("large effect", "small effect", "interaction", "no effect")
    counts = [n for n in SEEDS if n <= 10]
    rows = []
    for kind, words in DATA.items():
        found = [importance_coverage(kind, n, sweeps) for n in counts]
        rows += [
            [name, words, *shown([own[place] for own in found])] for place, name in enumerate(names)
        ]
    print(table(["share of", "data", *(f"n = {n}" for n in counts)], rows))


def print_selection(sweeps: int) -> None:
    """Bias of a selection."""
    print("\nBias of what `select` reports of its winner, in sd of a run (36 configurations x 5)\n")
    rows = []
    names = ("chosen_by", "plain", "value", "optimism")
    for rho, between in ((0.0, 0.0), (0.8, 0.0), (0.8, 1.0)):
        found = selected(sweeps, rho, between)
        texts = [f"{found[name][0]:+.3f} ± {found[name][1]:.3f}" for name in names]
        rows.append([f"{rho:g}", f"{between:g}", *texts])
    print(table(["correlation of val and test", "sd between configurations", *names], rows))


def print_sets(sweeps: int) -> None:
    """Coverage of the set that may hold the best."""
    print("\nHow often `may_be_best` of 36 configurations holds the best one\n")
    even = np.ones(35)
    rows = [
        [words, variances, *shown([best_held(spreads, n, variances, sweeps) for n in SEEDS])]
        for words, spreads in (
            ("all alike", np.r_[1, even]),
            ("the best 3 times as variable", np.r_[3, even]),
            ("the best 10 times as variable", np.r_[10, even]),
            ("another one 10 times as variable", np.r_[even, 10]),
            ("half of them 3 times, the best not", np.r_[1, even[:17], 3 * even[17:]]),
            ("the best a tenth as variable", np.r_[0.1, even]),
        )
        for variances in ("unequal", "equal")
    ]
    print(table(["spread", "variances", *(f"n = {n}" for n in SEEDS)], rows))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument(
        "--data-sets", type=int, default=10_000, help="for each share; a tenth by max-t"
    )
    parser.add_argument("--curves", type=int, default=1000, help="for each band by sup-t")
    parser.add_argument("--sweeps", type=int, default=10_000, help="for each bias")
    parser.add_argument("--sets", type=int, default=10_000, help="for each set of the best")
    options = parser.parse_args()
    start = time.perf_counter()
    print(f"{machine()}\n{versions()}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        print_intervals(options.data_sets)
        print_bands(options.curves)
        print_tests(options.data_sets)
        print_superiority(options.data_sets)
        print_families(options.data_sets)
        print_selection(options.sweeps)
        print_importance(options.sweeps // 5)
        print_sets(options.sets)
    print(f"\n{time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
