"""``compare_all``: the comparisons of ``compare``, adjusted for their number."""

import warnings

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import runcube as rc
from runcube.stats.multiple import benjamini_hochberg, holm


def array(values, seeds="seed"):
    return xr.DataArray(
        values,
        dims=("lr", "seed"),
        coords={"lr": np.arange(len(values)), "seed": np.arange(values.shape[1])},
    )


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


p_values = st.lists(st.one_of(st.just(np.nan), st.floats(0, 1)), min_size=1, max_size=9)


@settings(deadline=None)
@given(p_values)
def test_holm_and_benjamini_hochberg(p):
    p = np.array(p)
    tests = np.flatnonzero(~np.isnan(p))
    m = len(tests)
    by_rank = sorted(tests, key=lambda i: p[i])
    adjusted = holm(p)
    for place, i in enumerate(by_rank):
        steps = [min(1, (m - j) * p[by_rank[j]]) for j in range(place + 1)]
        assert adjusted[i] == pytest.approx(max(steps), rel=1e-12)
    assert np.isnan(adjusted[np.isnan(p)]).all()
    expected = scipy.stats.false_discovery_control(p[tests]) if m else []
    np.testing.assert_allclose(benjamini_hochberg(p)[tests], expected, rtol=1e-12)


def test_each_pair_is_a_comparison():
    values = np.random.default_rng(0).normal(size=(4, 5)) + np.arange(4)[:, None]
    found = rc.compare_all(array(values), over="lr")
    assert [*zip(found.a.values.tolist(), found.b.values.tolist(), strict=True)] == [
        (0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)
    ]  # fmt: skip
    for number, (i, j) in enumerate([(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]):
        assert found.p[number] == rc.compare(array(values)[i], array(values)[j]).p
    np.testing.assert_allclose(found.p_holm, holm(found.p.values), rtol=1e-12)
    assert found.attrs["p_adjusted_for"] == 6


def test_against_a_baseline():
    values = np.random.default_rng(0).normal(size=(4, 5)) + np.arange(4)[:, None] * 9
    found = rc.compare_all(array(values), over="lr", baseline=2)
    assert (found.a.values.tolist(), set(found.b.values.tolist())) == ([0, 1, 3], {2})
    assert found.verdict.values.tolist() == ["b is higher", "b is higher", "a is higher"]


def test_what_cannot_be_significant_is_said():
    values = np.random.default_rng(0).normal(size=(5, 3)) + np.arange(5)[:, None] * 99
    found = rc.compare_all(array(values), over="lr", test="permutation", paired=False)
    assert set(found.verdict.values) == {"cannot be significant with 3 seeds"}
    alone = rc.compare_all(array(values[:, :1]), over="lr")
    assert set(alone.verdict.values) == {"too few seeds for a test"}
    same = rc.compare_all(array(np.random.default_rng(1).normal(size=(2, 9))), over="lr")
    assert same.verdict.item() == "undecided"


def test_the_family_is_metrics_and_comparisons_but_not_epochs(cube):
    ds = cube.sel(weights="DEFAULT", weight_decay=0.0, metric=["acc1", "loss"])
    found = rc.compare_all(ds, over="lr")
    assert found.attrs["p_adjusted_for"] == 6 * 3 * 2
    family = found.p.isel(epoch=-1)
    expected = holm(family.values.reshape(-1)).reshape(family.shape)
    np.testing.assert_allclose(found.p_holm.isel(epoch=-1), expected, rtol=1e-12)


def test_both_layouts_can_be_compared(cube):
    rows = rc.to_configs(cube).isel(epoch=[-1]).sel(metric=["acc1"], split=["val"])
    found = rc.compare_all(rows.isel(config=slice(0, 4)), over="config")
    assert found.sizes["pair"] == 6
    lazy = rc.compare_all(rows.isel(config=slice(0, 4)).chunk(seed=2), over="config")
    xr.testing.assert_allclose(lazy.drop_vars("verdict").compute(), found.drop_vars("verdict"))
    assert (lazy.verdict.compute() == found.verdict).all()


def test_errors_say_what_to_write(cube):
    with pytest.raises(rc.UnknownNameError, match="lr"):
        rc.compare_all(cube, over="l")
    with pytest.raises(rc.UnknownNameError, match=r"0\.2"):
        rc.compare_all(cube, over="lr", baseline=0.21)
    with pytest.raises(rc.PlanError, match="one label"):
        rc.compare_all(cube.isel(lr=[0]), over="lr")
