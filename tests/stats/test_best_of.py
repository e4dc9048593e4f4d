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


def test_errors_say_what_to_write():
    values = xr.DataArray([1.0], dims="run")
    with pytest.raises(rc.PlanError, match="run"):
        rc.best_of_k(values, over="runs", mode="max")
    with pytest.raises(rc.PlanError, match="'max' or 'min'"):
        rc.best_of_k(values, over="run", mode="best")
    with pytest.raises(rc.PlanError, match="from 1 on"):
        rc.best_of_k(values, over="run", mode="max", k=[0])
