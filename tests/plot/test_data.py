"""What figures show, against plain numpy and scipy, in both layouts and lazily."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import runcube as rc
from runcube.plot import data
from runcube.plot.limits import scale_of
from runcube.plot.lines import telling_apart

RNG = np.random.default_rng(0)
LR, WD, SEEDS, EPOCHS = [0.1, 0.2], [0.0, 0.01, 0.1], 4, 6


def cube(values, logged=None):
    """Return a cube of values (lr, wd, seed, epoch); NaN is missing unless it was logged."""
    logged = ~np.isnan(values) if logged is None else logged
    dims = ("lr", "wd", "seed", "split", "metric", "epoch")
    has_run = logged.any(axis=-1)
    return xr.Dataset(
        {
            "curve": (dims, values[..., None, None, :]),
            "logged": (dims, logged[..., None, None, :]),
        },
        coords={
            "lr": ("lr", LR, {"hparam": "optim.lr", "long_name": "lr"}),
            "wd": ("wd", WD, {"hparam": "wd"}),
            "seed": ("seed", np.arange(SEEDS), {"hparam": "seed"}),
            "status": (dims[:3], np.where(has_run, "complete", "absent")),
            "path": (dims[:3], np.where(has_run, "run", "")),
            "run_id": (dims[:3], np.where(has_run, "run", "")),
            "split": ["val"],
            "metric": ["loss"],
            "epoch": np.arange(EPOCHS),
            "samples": ("epoch", 100 * np.arange(EPOCHS)),
        },
    )


@pytest.fixture
def values():
    own = RNG.normal(3, 1, (2, 3, SEEDS, EPOCHS))
    own[0, 1, 0, 2] = np.nan  # a point is missing
    own[1, 0, :, 3:] = np.nan  # all runs of a configuration end
    own[1, 2] = np.nan  # a configuration has no run
    return own


LAYOUTS = pytest.mark.parametrize(
    "layout",
    [lambda ds: ds, rc.to_configs, lambda ds: ds.chunk({"lr": 1})],
    ids="grid configs dask".split(),
)


def line_of(found, lr, wd):
    return found.isel(line=np.flatnonzero((found.lr == lr) & (found.wd == wd))[0])


@LAYOUTS
def test_a_line_is_the_mean_of_its_seeds_with_the_interval_of_scipy(values, layout):
    found = data.curves(layout(cube(values)), runs=True)
    assert found.sizes["line"] == 5  # not the configuration without a run
    for i, lr in enumerate(LR):
        for j, wd in enumerate(WD):
            if (i, j) == (1, 2):
                continue
            own = line_of(found, lr, wd)
            for epoch in range(EPOCHS):
                here = values[i, j, :, epoch]
                here = here[~np.isnan(here)]
                at = own.isel(epoch=epoch)
                assert int(at.n) == len(here)
                if not len(here):
                    assert np.isnan(at.center)
                    continue
                np.testing.assert_allclose(at.center, here.mean())
                wanted = stats.t.interval(0.95, len(here) - 1, here.mean(), stats.sem(here))
                np.testing.assert_allclose([at.lower, at.upper], wanted)
            np.testing.assert_array_equal(np.sort(own.runs, axis=0), np.sort(values[i, j], axis=0))


@LAYOUTS
def test_what_is_not_finite_is_counted_where_a_run_first_logs_it(values, layout):
    logged = ~np.isnan(values)
    bad = values.copy()
    bad[0, 0, 1, 2:], bad[0, 0, 3, 4:] = np.nan, np.inf
    own = line_of(data.curves(layout(cube(bad, logged))), 0.1, 0.0)
    assert own.n_diverging.values.tolist() == [0, 0, 1, 0, 1, 0]
    assert own.n_nonfinite.values.tolist() == [0, 0, 1, 1, 2, 2]
    assert own.n.values.tolist() == [4, 4, 3, 3, 2, 2]
    np.testing.assert_allclose(own.center[5], bad[0, 0, [0, 2], 5].mean())


@LAYOUTS
def test_what_is_of_fewer_runs_is_told_from_what_is_of_all(values, layout):
    found = data.curves(layout(cube(values)), min_n=4)
    own = line_of(found, 0.1, 0.01)  # a point of one of four runs is missing
    assert own.is_full.values.tolist() == [True, True, False, True, True, True]
    assert int(own.n_too_few) == 1
    assert np.isnan(own.center[2])
    assert np.isnan(own.lower[2])
    assert int(own.n[2]) == 3
    assert np.isfinite(own.center[[0, 1, 3, 4, 5]]).all()
    assert found.attrs["min_n"] == 4
    assert int(line_of(data.curves(cube(values)), 0.1, 0.01).n_too_few) == 0


@LAYOUTS
def test_only_runs_that_ended_as_asked_count(values, layout):
    ds = cube(values)
    status = ds.status.astype("<U10")
    status[0, 0, 1], status[0, 1, 2] = "failed", "incomplete"
    ds = layout(ds.assign_coords(status=status))
    for compute, at in ((data.curves, {"epoch": 5}), (data.distribution, {})):
        found = compute(ds, statuses="complete")
        own = line_of(found, 0.1, 0.0).isel(at)
        np.testing.assert_allclose(own.center, values[0, 0, [0, 2, 3], 5].mean())
        assert int(own.n) == 3
        assert found.attrs["statuses"] == "complete"
        assert found.attrs["runs"] == "18 complete"
        assert found.attrs["runs_left_out"] == "1 incomplete, 1 failed"
        both = compute(ds, statuses=["complete", "failed"])
        assert int(line_of(both, 0.1, 0.0).isel(at).n) == 4
        assert both.attrs["runs"] == "18 complete, 1 failed"
        every = compute(ds)
        assert every.attrs["statuses"] == "all"
        assert every.attrs["runs"] == "18 complete, 1 incomplete, 1 failed"
    with pytest.raises(rc.PlanError, match="no coordinate 'status'"):
        data.curves(ds.curve.drop_vars("status"), statuses="complete")


def test_smoothing_is_of_runs_before_their_mean(values):
    ds = cube(values)
    found = data.curves(ds, smoothing=0.7)
    wanted = rc.smooth(ds, 0.7).mean("seed").sel(lr=0.1, wd=0.01).squeeze()
    own = line_of(found, 0.1, 0.01)
    np.testing.assert_allclose(own.center, wanted)
    np.testing.assert_allclose(own.raw, np.nanmean(values[0, 1], axis=0))


def test_a_hyperparameter_can_be_averaged_along(values):
    found = data.curves(cube(values), dim=["wd", "seed"])
    assert found.sizes["line"] == 2
    np.testing.assert_allclose(found.center[0], np.nanmean(values[0], axis=(0, 1)))


def test_another_x_that_runs_share_takes_the_place_of_x(values):
    found = data.curves(cube(values), x="samples")
    assert found.samples.values.tolist() == [0, 100, 200, 300, 400, 500]
    np.testing.assert_array_equal(found.center, data.curves(cube(values)).center)


@LAYOUTS
def test_runs_on_their_own_x_are_interpolated_within_their_range(values, layout):
    ds = cube(values[:, :, :, :])
    clock = 10.0 + np.arange(EPOCHS) * np.linspace(1, 2, SEEDS)[:, None]
    ds = ds.assign_coords(wall_time=(("lr", "wd", "seed", "epoch"), np.tile(clock, (2, 3, 1, 1))))
    found = data.curves(layout(ds), x="elapsed")
    points = found.elapsed.values
    np.testing.assert_allclose(points, np.linspace(0, 10, EPOCHS))
    rows = [
        np.interp(points, clock[s] - 10, values[0, 0, s], left=np.nan, right=np.nan)
        for s in range(SEEDS)
    ]
    own = line_of(found, 0.1, 0.0)
    np.testing.assert_allclose(own.center, np.nanmean(rows, axis=0))
    assert own.n.values.tolist() == (~np.isnan(rows)).sum(0).tolist()
    assert found.elapsed.attrs["units"] == "s"


def test_an_unknown_x_names_what_is_there(values):
    with pytest.raises(rc.UnknownNameError, match="nearest: 'samples'"):
        data.curves(cube(values), x="sample")
    with pytest.raises(rc.UnknownNameError, match="no clock along epoch"):
        data.curves(cube(values), x="elapsed")
    with pytest.raises(rc.PlanError, match="no x-axis"):
        data.curves(cube(values).curve.isel(epoch=0, drop=True).squeeze())


def test_a_hyperparameter_of_a_name_that_is_taken_is_told_apart(values):
    ds = cube(values).rename(lr="n")
    found = data.curves(ds)
    assert np.unique(found["n_"]).tolist() == LR
    assert int(found["n"].max()) == SEEDS


@LAYOUTS
def test_the_end_of_each_run_and_those_that_were_lost(values, layout):
    logged = ~np.isnan(values)
    bad = values.copy()
    bad[0, 0, 1, 5] = np.nan
    found = data.distribution(layout(cube(bad, logged)))
    own = line_of(found, 0.1, 0.0)
    assert (int(own.n), int(own.n_nonfinite), own.lost.values.sum()) == (3, 1, 1)
    np.testing.assert_allclose(own.center, bad[0, 0, [0, 2, 3], 5].mean())
    short = line_of(found, 0.2, 0.0)  # its runs ended before the others
    np.testing.assert_allclose(np.sort(short.value), np.sort(values[1, 0, :, 2]))


@LAYOUTS
@pytest.mark.parametrize("rest", ["mean", "median", "best"])
def test_a_cell_of_a_heat_map_is_of_all_its_configurations(values, layout, rest):
    four = np.stack([values, values + 1])  # one more hyperparameter
    ds = xr.concat(
        [cube(own) for own in four], "depth", coords=["status", "path", "run_id"]
    ).assign_coords(depth=("depth", [1, 2], {"hparam": "depth"}))
    found = data.heatmap(layout(ds), x="lr", y="wd", rest=rest, mode="min")
    means = np.nanmean(four[:, 0, 2, :, 5], axis=-1)
    wanted = {"mean": means.mean(), "median": np.median(means), "best": means.min()}[rest]
    cell = found.sel(lr=0.1, wd=0.1)
    np.testing.assert_allclose(cell.value, wanted)
    assert (int(cell.n), int(cell.n_configs)) == ((4, 2) if rest == "best" else (8, 2))
    assert np.isnan(found.sel(lr=0.2, wd=0.1).value)
    assert int(found.sel(lr=0.2, wd=0.1).n) == 0
    assert found.attrs["rule"] == f"{rest} over depth"


def test_a_heat_map_says_what_it_needs(values):
    with pytest.raises(rc.PlanError, match="'best' with a mode"):
        data.heatmap(cube(values), x="lr", y="wd", rest="best")
    with pytest.raises(rc.UnknownNameError, match=r"x='lrr'.*nearest: 'lr'"):
        data.heatmap(cube(values), x="lrr", y="wd")
    with pytest.raises(rc.PlanError, match="two hyperparameters"):
        data.heatmap(cube(values), x="lr", y="lr")


@LAYOUTS
def test_coverage_counts_runs_by_status(values, layout):
    ds = cube(values)
    status = ds.status.astype("<U10")
    status[0, 0, 1], status[0, 1, 2], status[1, 1, 0] = "failed", "incomplete", "absent"
    found = data.coverage(layout(ds.assign_coords(status=status)))
    counts = {word: int((found == word).sum()) for word in np.unique(found)}
    assert counts == {"complete": 17, "incomplete": 1, "failed": 1, "absent": 1}


def test_two_metrics_are_always_told_apart():
    # The split would tell these lines apart too.
    found = xr.DataArray(
        np.zeros(3),
        dims="line",
        coords={"split": ("line", ["a", "b", "c"]), "metric": ("line", ["loss", "loss", "lr"])},
    )
    assert "metric" in telling_apart(found)


def scale(center, lower=None, upper=None, **how):
    nothing = [np.nan] * len(center)
    arrays = {"center": center, "lower": lower or nothing, "upper": upper or nothing}
    arrays = {name: (("line", "x"), [own]) for name, own in arrays.items()}
    return scale_of(xr.Dataset(arrays), **({"clip": None, "logy": None} | how))


def test_limits_hold_all_points_and_count_those_that_they_do_not():
    plain = scale([0.0, 1.0, 5.0])
    assert plain.low < 0 < 5 < plain.high
    assert not plain.unseen
    cut = scale([*range(100), 1e6], clip=0.99)
    assert cut.high < 1e6
    assert [*cut.unseen.items()] == [("points outside the 1–99 % quantiles", 2)]


def test_values_call_for_a_log_axis_and_those_not_above_0_are_counted():
    assert scale([1e-4, 1e-2, 1.0]).is_log
    assert not scale([0.0, 1e-2, 1.0]).is_log
    forced = scale([0.0, -1.0, 1.0, 10.0], logy=True)
    assert forced.is_log
    assert [*forced.unseen.values()] == [2]
    assert not scale([-1.0, np.nan], logy=True).is_log
    assert np.isnan(scale([np.nan]).low)


def test_an_interval_much_wider_than_the_lines_is_cut_and_said():
    wide = scale([1.0, 2.0], [-50.0, 1.5], [50.0, 2.5])
    assert wide.low > -1
    assert wide.unseen == {"lines with an interval beyond the edge": 1}
    assert not scale([1.0, 2.0], [0.9, 1.9], [1.1, 2.1]).unseen
