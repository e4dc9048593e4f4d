"""``divergence``: against a plain loop with scipy's MAD, and what it may not call divergence."""

import warnings

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc

CELL = ("lr", "seed")


def cube(values):
    """Return a cube (lr, seed, split, metric, epoch) of values (lr, seed, epoch); None is NaN."""
    values = np.asarray(values, dtype=float)
    n = values.shape
    return xr.Dataset(
        {
            "curve": ((*CELL, "split", "metric", "epoch"), values[:, :, None, None]),
            "logged": ((*CELL, "split", "metric", "epoch"), np.ones((*n[:2], 1, 1, n[2]), bool)),
        },
        coords={
            "lr": ("lr", np.arange(n[0]), {"hparam": "lr"}),
            "seed": np.arange(n[1]),
            "status": (CELL, np.full(n[:2], "complete")),
            "split": ["val"],
            "metric": ["acc"],
            "epoch": np.arange(n[2]) * 10,
        },
    ).isel(split=0, metric=0)


def by_loop(values, x, mode, k, at_least):
    """Return x and reason of each run of values (runs, x), NaN being logged."""
    found = []
    for run in values:
        for own, column, at in zip(run, values.T, x, strict=True):
            if not np.isfinite(own):
                found.append((at, "non-finite"))
                break
            peers = column[np.isfinite(column)]
            median = np.median(peers)
            mad = scipy.stats.median_abs_deviation(peers, scale="normal")
            if mad == 0:
                mad = np.sqrt(np.pi / 2) * np.abs(peers - median).mean()
            worse = median - own if mode == "max" else own - median
            if len(peers) >= 10 and worse > k * mad and worse >= at_least:
                found.append((at, "far from its peers"))
                break
        else:
            found.append((np.nan, ""))
    return found


few = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1.0, 1.125, 1.25, 1.5, -7.0, 9.0])


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float64, st.tuples(st.integers(1, 5), st.just(4), st.integers(1, 4)), elements=few
    ),
    st.sampled_from(["max", "min"]),
    st.sampled_from([1.0, 2.5, 6.0]),
    st.sampled_from([0.0, 0.5]),
)
def test_it_is_the_first_x_beyond_k_mads_or_not_finite(values, mode, k, at_least):
    ds = cube(values)
    found = rc.divergence(ds, mode=mode, k=k, at_least=at_least)
    expected = by_loop(values.reshape(-1, values.shape[2]), ds.epoch.values, mode, k, at_least)
    assert found.x.dims == CELL
    np.testing.assert_array_equal(found.x.values.ravel(), [x for x, _ in expected])
    assert found.reason.values.ravel().tolist() == [reason for _, reason in expected]


def curves(n_lr=4, n_seeds=10, epochs=6):
    return np.random.default_rng(0).normal(50, 1, size=(n_lr, n_seeds, epochs))


def test_a_run_that_is_far_better_is_none():
    values = curves()
    values[1, 2, 3:] = 100
    values[2, 0, 4] = 0
    found = rc.divergence(cube(values), mode="max")
    assert (found.reason != "").sum() == 1
    assert found.x.sel(lr=2, seed=0) == 40
    found = rc.divergence(cube(values), mode="min")
    assert (found.reason != "").sum() == 1
    assert found.x.sel(lr=1, seed=2) == 30


def test_peers_may_be_the_runs_of_one_configuration():
    values = curves()
    values[3] -= 1000
    values[0, 5, 2] = 20
    everywhere = rc.divergence(cube(values), mode="max")
    assert (everywhere.reason != "").sum("seed").values.tolist() == [1, 0, 0, 10]
    inside = rc.divergence(cube(values), mode="max", over="seed")
    assert (inside.reason != "").sum("seed").values.tolist() == [1, 0, 0, 0]
    assert inside.attrs["over"] == "seed"
    few = rc.divergence(cube(values[:, :9]), mode="max", over="seed")
    assert (few.reason == "").all()


def test_a_run_that_ended_or_logs_less_often_has_not_diverged():
    ds = cube(curves())
    ds["curve"][0, 0, 3:] = np.nan
    assert rc.divergence(ds, mode="max").reason[0, 0] == "non-finite"
    ds["logged"][0, 0, 3:] = False
    assert (rc.divergence(ds, mode="max").reason == "").all()
    assert (rc.divergence(ds.curve, mode="max").reason == "").all()
    ds["curve"][0, 0, 3] = np.inf
    assert rc.divergence(ds.curve, mode="max").reason[0, 0] == "non-finite"


def test_peers_that_agree_exactly_do_not_make_all_others_far():
    values = np.full((4, 10, 1), 100.0)
    values[0, :8] = 99.9
    assert (rc.divergence(cube(values), mode="max").reason == "").all()
    values[0, 1:8] = 100
    assert (rc.divergence(cube(values), mode="max").reason != "").sum() == 1
    assert (rc.divergence(cube(values), mode="max", at_least=1).reason == "").all()
    values[0, 0] = 10
    assert (rc.divergence(cube(values), mode="max", at_least=1).reason != "").sum() == 1


def test_each_metric_and_split_has_its_own_peers():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs("examples/logs").sel(metric=["loss"])
    found = rc.divergence(ds, mode="min")
    alone = rc.divergence(ds.sel(metric="loss", split="train"), mode="min")
    np.testing.assert_array_equal(found.x.sel(metric="loss", split="train"), alone.x)
    # What logged a NaN or infinity has diverged, whatever else is asked.
    assert (found.reason != "").where(rc.diverged(ds), True).all()
    assert found.reason.attrs == {}
    rows = rc.divergence(rc.to_configs(ds), mode="min")
    by_cell = rc.to_configs(ds)
    for i in (0, 11, 23):
        cell = {n: by_cell[n][i].item() for n in ("weights", "lr", "weight_decay")}
        np.testing.assert_array_equal(rows.x.isel(config=i), found.x.sel(cell))
    lazy = rc.divergence(ds.chunk(seed=1, epoch=3), mode="min")
    assert lazy.x.chunks is not None
    xr.testing.assert_identical(lazy.compute(), found)
    xr.testing.assert_identical(ds.sweep.divergence(mode="min"), found)


def test_errors_say_what_to_write():
    ds = cube(curves())
    with pytest.raises(rc.PlanError, match="'max', 'min'"):
        rc.divergence(ds, mode="best")
    with pytest.raises(rc.UnknownNameError, match="sed"):
        rc.divergence(ds, mode="max", over="sed")
    with pytest.raises(rc.PlanError, match="dims of runs"):
        rc.divergence(ds, mode="max", over="epoch")
    with pytest.raises(rc.PlanError, match="k=-1"):
        rc.divergence(ds, mode="max", k=-1)
    with pytest.raises(rc.PlanError, match="x-axis"):
        rc.divergence(ds.isel(epoch=0), mode="max")
    with pytest.raises(rc.PlanError, match="dims of runs"):
        rc.divergence(ds.curve.isel(lr=0, seed=0), mode="max")
