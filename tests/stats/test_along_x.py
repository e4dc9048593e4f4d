"""Curves along x, against plain definitions and scipy."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc


def curve(values, x=None, dims=("epoch",)):
    values = np.asarray(values, dtype=float)
    x = np.arange(values.shape[-1]) if x is None else x
    return xr.DataArray(values, dims=dims, coords={"epoch": x})


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs").sel(metric="acc1", split="val")


series = hnp.arrays(
    np.float64,
    st.integers(2, 12),
    elements=st.one_of(st.just(np.nan), st.floats(-100, 100).map(lambda v: round(v, 2))),
)


@settings(deadline=None)
@given(series)
def test_resampling_on_its_own_points_changes_nothing_but_holes(values):
    found = rc.resample(curve(values), np.arange(len(values))).values
    there = np.isfinite(values)
    np.testing.assert_array_equal(found[there], values[there])
    expected = pd.Series(values).interpolate(limit_area="inside")
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nothing_is_extrapolated():
    found = rc.resample(curve([np.nan, 1, 3, np.nan], [0, 10, 20, 30]), [5, 10, 15, 20, 25])
    np.testing.assert_array_equal(found, [np.nan, 1, 2, 3, np.nan])
    assert rc.resample(curve([0, 1, 2], [0, 1, 4]), 5).epoch.values.tolist() == [0, 1, 2, 3, 4]


@settings(deadline=None)
@given(series, st.sampled_from([0.0, 0.5, 0.9]))
def test_smoothing_is_the_debiased_average_of_pandas(values, alpha):
    found = rc.smooth(curve(values), alpha).values
    expected = pd.Series(values).ewm(alpha=1 - alpha, adjust=True, ignore_na=False).mean()
    there = np.isfinite(values)
    np.testing.assert_allclose(found[there], expected[there], rtol=1e-9, atol=1e-9)
    assert np.isnan(found[~there]).all()


def test_a_gap_in_x_fades_what_was_before_it():
    values, x, alpha = [1.0, 5.0, 2.0, 4.0], [0, 1, 2, 6], 0.8
    weights = alpha ** (6.0 - np.array(x))
    assert rc.smooth(curve(values, x), alpha).values[-1] == pytest.approx(
        np.average(values, weights=weights), rel=1e-12
    )
    by_count = rc.smooth(curve(values, x), alpha, by_x=False).values[-1]
    assert by_count == pytest.approx(np.average(values, weights=alpha ** np.arange(3.0, -1, -1)))


@settings(deadline=None)
@given(series, st.sampled_from(["max", "min"]))
def test_the_best_so_far(values, mode):
    found = rc.best_so_far(curve(values), mode=mode).values
    of = np.nanmax if mode == "max" else np.nanmin
    last = np.flatnonzero(np.isfinite(values))
    for i in range(len(values)):
        if len(last) and i <= last[-1] and np.isfinite(values[: i + 1]).any():
            assert found[i] == of(values[: i + 1])
        else:
            assert np.isnan(found[i])


def test_the_area_is_over_the_range_that_all_share():
    both = curve([[0, 2, 2, 9], [np.nan, 4, 0, np.nan]], [0, 1, 3, 4], ("seed", "epoch"))
    found = rc.auc(both)
    np.testing.assert_allclose(found, [2, 2])
    assert found.attrs == {"from": 1.0, "to": 3.0}
    with pytest.raises(rc.PlanError, match="share no range"):
        rc.auc(curve([[1, np.nan], [np.nan, 1]], dims=("seed", "epoch")))


@settings(deadline=None)
@given(
    hnp.arrays(np.int64, st.integers(1, 9), elements=st.integers(1, 6)),
    st.randoms(use_true_random=False),
)
def test_the_median_time_is_that_of_kaplan_and_meier(times, random):
    """Each run is watched up to its time, and reaches the threshold there or is censored."""
    reached = np.array([random.random() < 0.6 for _ in times])
    epochs = np.arange(1, 7)
    values = np.where(epochs <= times[:, None], 0.0, np.nan)
    values[np.arange(len(times)), times - 1] = reached
    runs = xr.DataArray(values, dims=("seed", "epoch"), coords={"epoch": epochs})
    found = rc.time_to(runs, 1, mode="max")
    np.testing.assert_array_equal(found["last"], times)
    np.testing.assert_array_equal(found["x"], np.where(reached, times, np.nan))
    sample = scipy.stats.CensoredData(
        uncensored=times[reached].astype(float), right=times[~reached].astype(float)
    )
    survival = scipy.stats.ecdf(sample).sf
    below = survival.quantiles[survival.probabilities <= 0.5 + 1e-12]
    np.testing.assert_array_equal(found["median"], below[0] if len(below) else np.nan)
    steps = np.arange(0, times.max(), 0.5)
    np.testing.assert_allclose(found.restricted_mean, survival.evaluate(steps).sum() * 0.5)


def test_cubes_in_both_layouts_and_lazily(cube):
    lazy, rows = cube.chunk(seed=1, epoch=5), rc.to_configs(cube.expand_dims(["split", "metric"]))
    functions = {
        "resample": lambda d: rc.resample(d, 39),
        "smooth": lambda d: rc.smooth(d, 0.7),
        "best": lambda d: rc.best_so_far(d, mode="max"),
        "area": rc.auc,
        "time": lambda d: rc.time_to(d, 90, mode="max"),
    }
    for function in functions.values():
        found = function(cube)
        xr.testing.assert_allclose(function(lazy).compute(), found)
    rows = rows.isel(split=0, metric=0)
    label = {name: rows[name][3].item() for name in ("weights", "lr", "weight_decay")}
    one, other = rc.smooth(cube).sel(label), rc.smooth(rows).isel(config=3)
    np.testing.assert_array_equal(one.values, other.values)


def test_errors_say_what_to_write(cube):
    with pytest.raises(rc.PlanError, match="'max' or 'min'"):
        rc.best_so_far(cube, mode="best")
    with pytest.raises(rc.PlanError, match="below 1"):
        rc.smooth(cube, 1.5)
    with pytest.raises(rc.PlanError, match="increasing"):
        rc.resample(cube, [3, 1])
    with pytest.raises(rc.PlanError, match="x-axis"):
        rc.auc(cube.isel(epoch=-1))
    with pytest.raises(rc.PlanError, match="epoc"):
        rc.auc(cube.curve, dim="epoc")
