"""``rank``: the bootstrap of ranks by brute force, ties, and seeds that are no labels."""

import itertools

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from value_cubes import configs_cube, grid_cube

import runcube as rc


def ranked(ds, mode="max", **how):
    return rc.rank(ds, metric="acc", mode=mode, rng=0, **how)


def quantiles(ranks, level):
    """Return the ranks that cut off half of the rest on each side of equally probable ones."""
    tail = round(len(ranks) * (1 - level) / 2, 9)
    ordered = np.sort(ranks)
    return ordered[int(np.floor(tail))], ordered[len(ranks) - 1 - int(np.floor(tail))]


@pytest.mark.parametrize("mode", ["max", "min"])
@pytest.mark.parametrize("level", [0.95, 0.5])
def test_all_resamples_of_shared_seeds(mode, level):
    y = np.random.default_rng(0).normal(size=(5, 4)).round(1)
    found = ranked(grid_cube(y, lr=np.arange(5)), mode, ci=level)
    means = y.mean(axis=1)
    sign = -1 if mode == "max" else 1
    every = []
    for draw in itertools.product(range(4), repeat=4):
        moved = means + np.sqrt(4 / 3) * (y[:, draw].mean(axis=1) - means)
        every.append(scipy.stats.rankdata((sign * moved).round(9)))
    every = np.array(every)
    np.testing.assert_array_equal(found["rank"], scipy.stats.rankdata((sign * means).round(9)))
    for i in range(5):
        assert tuple(found.ci.values[i]) == quantiles(every[:, i], level)
    best = every == every.min(axis=1, keepdims=True)
    np.testing.assert_allclose(found.p_first, (best / best.sum(axis=1)[:, None]).mean(axis=0))
    np.testing.assert_allclose(found["mean"], means)


def test_replicates_are_drawn_for_each_configuration():
    """What seeds share is no certainty where they are not shared."""
    luck = np.random.default_rng(1).normal(size=12)
    y = np.stack([luck, luck + 0.01])
    assert ranked(grid_cube(y, lr=[0, 1])).ci.values.tolist() == [[2, 2], [1, 1]]
    own = ranked(grid_cube(y, seeds=False, lr=[0, 1]))
    assert own.ci.values.tolist() == [[1, 2], [1, 2]]
    np.testing.assert_allclose(own.p_first.sum(), 1)
    np.testing.assert_allclose(own.p_first, 0.5, atol=0.03)


def test_missing_seeds_and_configurations():
    y = np.array([[1.0, 2.0, np.nan], [3.0, 4.0, 5.0], [np.nan] * 3, [9.0, np.nan, np.nan]])
    found = ranked(grid_cube(y, lr=np.arange(4)))
    np.testing.assert_array_equal(found["rank"], [3, 2, np.nan, 1])
    assert found.n.values.tolist() == [2, 3, 0, 1]
    assert np.isnan(found.ci).any("ci_bound").values.tolist() == [False, False, True, True]


def test_equal_means_share_their_rank():
    y = np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1], [0.0, 0.0, 0.0]])
    assert ranked(grid_cube(y, lr=np.arange(3)))["rank"].values.tolist() == [1.5, 1.5, 3]


def test_diverged_runs_are_the_worst_or_left_out():
    y = np.array([[5.0, 5.0, 5.0], [1.0, 2.0, 3.0]])
    ds = grid_cube(y, lr=[0, 1])
    ds["curve"][0, 0] = np.inf
    assert ranked(ds)["mean"].values.tolist() == [11 / 3, 2.0]
    assert ranked(ds, diverged="exclude")["mean"].values.tolist() == [5.0, 2.0]


def test_both_layouts_lazy_ones_and_permuted_seeds_agree():
    y = np.random.default_rng(2).normal(size=(2, 3, 5))
    ds = grid_cube(y, lr=[1, 2], wd=[1, 2, 3])
    found = ranked(ds)
    rows = configs_cube(y.reshape(6, 5), lr=np.repeat([1, 2], 3), wd=np.tile([1, 2, 3], 2))
    assert found["rank"].dims == ("lr", "wd")
    for name in ("rank", "ci", "p_first"):
        flat = found[name].values.reshape(6, -1)
        np.testing.assert_allclose(ranked(rows)[name].values.reshape(6, -1), flat)
    xr.testing.assert_allclose(ranked(ds.chunk(seed=1)), found)
    xr.testing.assert_allclose(ranked(ds.isel(seed=[4, 2, 0, 1, 3])), found)


def test_errors_say_what_to_write():
    ds = grid_cube(np.ones((2, 2)), a=[0, 1])
    with pytest.raises(rc.PlanError, match="'max' or 'min'"):
        ranked(ds, mode="best")
    with pytest.raises(rc.UnknownNameError, match="val"):
        ranked(ds, split="vall")
    with pytest.raises(rc.PlanError, match="level"):
        ranked(ds, ci=95)
