"""``best_of_k`` against all subsets of k."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import runcube as rc

numbers = st.lists(st.integers(0, 9).map(float), min_size=1, max_size=7)


@settings(deadline=None)
@given(numbers, st.sampled_from(["max", "min"]))
def test_it_is_the_mean_over_all_subsets(values, mode):
    found = rc.best_of_k(xr.DataArray(values, dims="run"), over="run", mode=mode)
    of = max if mode == "max" else min
    expected = [
        np.mean([of(subset) for subset in itertools.combinations(values, k)])
        for k in range(1, len(values) + 1)
    ]
    np.testing.assert_allclose(found.value, expected, rtol=1e-12)
    assert found.n == len(values)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=1, max_size=7))
def test_the_honest_variant_reports_what_the_choice_gets(pairs):
    """Of several that are equally good, each is chosen as often."""
    val, test = (xr.DataArray(np.array(v, float), dims="run") for v in zip(*pairs, strict=True))
    found = rc.best_of_k(val, over="run", mode="max", report=test)
    for k in range(1, len(pairs) + 1):
        got = []
        for order in itertools.permutations(range(len(pairs)), k):
            best = max(pairs[i][0] for i in order)
            got.append(next(pairs[i][1] for i in order if pairs[i][0] == best))
        np.testing.assert_allclose(found.value.sel(k=k), np.mean(got), rtol=1e-9)


def test_many_runs_do_not_overflow():
    values = np.random.default_rng(0).normal(size=5000)
    found = rc.best_of_k(
        xr.DataArray(values, dims="run"), over="run", mode="max", k=[1, 2500, 5000]
    )
    np.testing.assert_allclose(found.value[0], values.mean(), atol=1e-9)
    np.testing.assert_allclose(found.value[2], values.max(), rtol=1e-9)
    assert found.value[1] <= values.max()


def test_several_dims_missing_runs_and_diverged_ones():
    rng = np.random.default_rng(1)
    values = xr.DataArray(rng.normal(size=(3, 4, 2)), dims=("lr", "wd", "split"))
    values[0, 0, 0] = np.nan
    found = rc.best_of_k(values, over=["lr", "wd"], mode="max")
    assert found.value.dims == ("split", "k")
    assert found.n.values.tolist() == [11, 12]
    assert np.isnan(found.value.isel(split=0).sel(k=12))
    worst = values.isel(split=1).copy()
    worst[0, 0] = -np.inf
    diverged = rc.best_of_k(worst, over=["lr", "wd"], mode="max").value
    assert np.isfinite(diverged).all()
    assert diverged[0] <= found.value.isel(split=1)[0]


def timed(seed=2):
    """Return values (lr, wd, seed, split) with train times; two runs are absent, one has none."""
    rng = np.random.default_rng(seed)
    values = xr.DataArray(rng.normal(size=(3, 2, 4, 2)), dims=("lr", "wd", "seed", "split"))
    values[0, 1, 2] = values[2, 0, 1] = np.nan
    time = rng.uniform(10, 20, size=(3, 2, 4))
    time[0, 1, 2] = time[1, 1, 0] = np.nan
    return values.assign_coords(
        lr=[1, 2, 3],
        seed=range(4),
        train_time=(("lr", "wd", "seed"), time, {"units": "s"}),
    )


def test_a_configuration_is_the_mean_of_its_runs_and_costs_all_of_them():
    values = timed()
    how = {"over": ["lr", "wd"], "mode": "max", "k": [1, 3, 6]}
    found = rc.best_of_k(values, **how, dim="seed", cost="train_time")
    xr.testing.assert_allclose(
        found.value.drop_vars("cost"), rc.best_of_k(values.mean("seed"), **how).value
    )
    ran = np.isfinite(values.values[..., 0])
    known = values.train_time.values[ran & np.isfinite(values.train_time.values)]
    assert (ran.sum(), len(known)) == (22, 21)
    # k configurations x runs of each x seconds of a run
    np.testing.assert_allclose(found.cost, np.array([1, 3, 6]) * 22 / 6 * known.mean())
    assert (found.cost.dims, found.cost.attrs["units"], int(found.n_cost_unknown)) == (
        ("k",),
        "s",
        1,
    )
    runs = rc.best_of_k(values, **how, dim="seed", cost="runs")
    np.testing.assert_allclose(runs.cost, np.array([1, 3, 6]) * 22 / 6)
    assert (runs.cost.attrs["units"], int(runs.n_cost_unknown)) == ("runs", 0)
    energy = (values.train_time * 2).assign_attrs(units="J").rename("energy")
    given = rc.best_of_k(values, **how, dim="seed", cost=energy.drop_vars("train_time"))
    np.testing.assert_allclose(given.cost, 2 * found.cost)
    assert (given.cost.attrs["units"], given.attrs["cost"]) == ("J", "energy")


def test_the_cost_of_a_search_with_complete_times_is_that_of_all_subsets():
    time = xr.DataArray(np.random.default_rng(3).uniform(1, 9, size=(5, 2)), dims=("lr", "seed"))
    values = xr.DataArray(np.arange(10.0).reshape(5, 2), dims=("lr", "seed"))
    found = rc.best_of_k(values, over="lr", dim="seed", mode="min", cost=time)
    for k in range(1, 6):
        subsets = itertools.combinations(time.sum("seed").values, k)
        np.testing.assert_allclose(found.cost.sel(k=k), np.mean([sum(s) for s in subsets]))
    by_seed = rc.best_of_k(values, over="lr", mode="min", cost=time)
    assert by_seed.cost.dims == ("seed", "k")
    np.testing.assert_allclose(by_seed.cost.sel(k=2), 2 * time.mean("lr"))


def test_a_seed_that_diverged_makes_its_configuration_the_worst():
    ds = xr.Dataset(
        {
            "curve": (("lr", "seed"), [[9.0, np.nan], [1.0, 2.0], [3.0, 4.0]]),
            "logged": (("lr", "seed"), np.ones((3, 2), bool)),
        }
    )
    found = rc.best_of_k(ds, over="lr", dim="seed", mode="max")
    np.testing.assert_allclose(
        found.value,
        rc.best_of_k(xr.DataArray([1.5, 1.5, 3.5], dims="lr"), over="lr", mode="max").value,
    )
    ds["logged"][0, 1] = False
    assert rc.best_of_k(ds, over="lr", dim="seed", mode="max").value[-1] == 9


def test_no_known_time_is_no_cost_and_lazy_data_agree():
    values = timed()
    how = {"over": ["lr", "wd"], "mode": "max", "dim": "seed", "cost": "train_time"}
    lazy = rc.best_of_k(values.chunk(lr=1), **how, report=values.chunk(seed=2))
    xr.testing.assert_allclose(lazy.compute(), rc.best_of_k(values, **how, report=values))
    values.train_time[:] = np.nan
    found = rc.best_of_k(values, **how)
    assert np.isnan(found.cost).all()
    assert found.n_cost_unknown == 22


def test_errors_say_what_to_write():
    values = timed()
    with pytest.raises(rc.PlanError, match="'runs', 'train_time'"):
        rc.best_of_k(values, over="lr", mode="max", cost="time")
    with pytest.raises(rc.PlanError, match="a mean over runs has none"):
        rc.best_of_k(values.mean("seed"), over="lr", mode="max", cost="train_time")
    with pytest.raises(rc.PlanError, match="not: seed"):
        rc.best_of_k(values.mean("seed"), over="lr", mode="max", cost=values.train_time)
    with pytest.raises(rc.UnknownNameError, match="sed"):
        rc.best_of_k(values, over="lr", mode="max", dim="sed")
    values = xr.DataArray([1.0], dims="run")
    with pytest.raises(rc.UnknownNameError, match="nearest: 'run'"):
        rc.best_of_k(values, over="runs", mode="max")
    with pytest.raises(rc.PlanError, match="'max' or 'min'"):
        rc.best_of_k(values, over="run", mode="best")
    with pytest.raises(rc.PlanError, match="from 1 on"):
        rc.best_of_k(values, over="run", mode="max", k=[0])
