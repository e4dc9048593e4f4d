"""``final``, ``at_best``, ``diverged``: one number of each curve, against plain Python."""

import json
import math
import warnings

import numpy as np
import pytest
import sweeps
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import runcube as rc

NAN, INF = math.nan, math.inf
VALUES = st.sampled_from([None, NAN, INF, -INF, -1.5, 0.0, 1.0, 2.0, 2.0, 7.25])


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


@pytest.fixture
def ds(tmp_path):
    """Two lr × two weights × three seeds: one run is absent, one incomplete."""
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    sweeps.write_sweep(tmp_path, configs, [0, 1, 2], leave_out=[(1, 2)], killed=[(3, 0)])
    return load(tmp_path)


def cube(curves, x=None, splits=("val",), metrics=("acc",)):
    """A cube of runs: for each a list of values for each split and metric, None where missing."""
    shape = (len(curves), len(splits), len(metrics), len(curves[0][0][0]))
    flat = [v for run in curves for split in run for curve in split for v in curve]
    values = np.array([NAN if v is None else v for v in flat]).reshape(shape)
    logged = np.array([v is not None for v in flat]).reshape(shape)
    dims = ("seed", "split", "metric", "epoch")
    return xr.Dataset(
        {"curve": (dims, values), "logged": (dims, logged)},
        {
            "seed": range(shape[0]),
            "split": list(splits),
            "metric": list(metrics),
            "epoch": range(shape[-1]) if x is None else x,
            "status": ("seed", ["complete"] * shape[0]),
        },
    )


def one(values, **options):
    """The end of a single curve."""
    return rc.final(cube([[[values]]]), **options).squeeze()


def chosen(end, name):
    return end.item(), end[name].item()


# --- the last value -----------------------------------------------------------------------------


def test_the_final_value_is_the_last_logged_one(ds):
    last = rc.final(ds)
    assert last.dims == ("lr", "weights", "seed", "split", "metric")
    whole = last.sel(lr=0.1, weights="None", seed=1, split="val", metric="acc1")
    assert whole == sweeps.logged_value(0, 1, "val", "acc1", 2)
    assert whole.last_epoch == 2
    killed = last.sel(lr=1.0, weights="DEFAULT", seed=0, split="val", metric="acc1")
    assert killed == sweeps.logged_value(3, 0, "val", "acc1", 0)
    assert killed.last_epoch == 0
    absent = last.sel(lr=0.1, weights="DEFAULT", seed=2)
    assert absent.isnull().all()
    assert absent.last_epoch.isnull().all()


def test_a_diverged_run_ends_with_its_nan():
    assert math.isnan(one([1.0, NAN]))
    assert chosen(one([1.0, INF, None]), "last_epoch") == (INF, 1)


def test_of_a_bare_array_nan_is_missing():
    ds = cube([[[[1.0, 2.0, NAN]]]])
    assert rc.final(ds).isnull().all()
    assert chosen(rc.final(ds.curve).squeeze(), "last_epoch") == (2.0, 1)
    assert rc.final(ds.curve, how="mean", last=2).item() == 1.5


def test_of_a_bare_array_x_is_what_is_neither_cell_nor_split_nor_metric(ds):
    acc = ds.curve.sel(metric="acc1")
    assert rc.final(acc.mean("seed")).dims == ("lr", "weights", "split")
    assert rc.final(acc.transpose("epoch", ...)).dims == ("lr", "weights", "seed", "split")
    with pytest.raises(rc.PlanError, match="no x-axis"):
        rc.final(acc.isel(epoch=0))
    with pytest.raises(rc.PlanError, match="which dim is x"):
        rc.final(acc.expand_dims(draw=2))


def test_final_keeps_to_a_selection_and_works_in_the_configs_layout(ds):
    part = ds.sel(metric="loss", split="val")
    xr.testing.assert_equal(rc.final(part), rc.final(ds).sel(metric="loss", split="val"))
    assert rc.final(rc.to_configs(part)).dims == ("config", "seed")
    with pytest.raises(rc.PlanError, match="no x-axis"):
        rc.final(part.isel(epoch=-1))


def test_final_of_nothing_is_nan(ds):
    nothing = ds.isel(epoch=slice(0))
    for how in ({}, {"how": "best", "mode": "max"}, {"how": "mean", "last": 2}):
        assert rc.final(nothing, **how).isnull().all()
        assert rc.final(nothing, **how).dims == rc.final(ds).dims
    assert rc.at_best(nothing, metric="loss", split="val", mode="min").isnull().all()


def test_a_mask_of_the_result_keeps_what_was_selected(ds):
    end = rc.final(ds.sel(metric="acc1", split="val", lr=1.0))
    end = end.where(end.status == "complete")
    assert end.dims == ("weights", "seed")
    assert end.mean("seed").idxmax("weights") == "DEFAULT"
    assert end.count("seed").values.tolist() == [3, 2]


def test_a_mask_of_the_whole_dataset_hides_runs_from_all_three(ds):
    complete = ds.where(ds.status == "complete")
    assert complete.logged.dtype != bool
    wanted = rc.final(ds).where(ds.status == "complete")
    np.testing.assert_array_equal(rc.final(complete), wanted)
    assert not rc.diverged(complete).any()
    best = rc.at_best(complete, metric="acc1", split="val", mode="max")
    assert best.sel(lr=1.0, weights="DEFAULT", seed=0).isnull().all()


# --- the best, the mean of the last -------------------------------------------------------------


def test_the_first_of_the_best_values_is_taken():
    assert chosen(one([1.0, 3.0, 3.0, 2.0], how="best", mode="max"), "best_epoch") == (3.0, 1)
    assert chosen(one([2.0, 1.0, 1.0], how="best", mode="min"), "best_epoch") == (1.0, 1)


def test_nan_and_infinity_are_never_the_best():
    assert one([-INF, 0.5, 1.0], how="best", mode="min") == 0.5
    assert one([INF, 0.5, NAN], how="best", mode="max") == 0.5
    for values in ([NAN, NAN], [INF, NAN], [-INF, INF], [None, None]):
        for mode in ("max", "min"):
            nothing = one(values, how="best", mode=mode)
            assert math.isnan(nothing)
            assert math.isnan(nothing.best_epoch)


def test_a_mean_of_the_last_says_of_how_many():
    end = one([9.0, 1.0, None, 2.0, 3.0, None], how="mean", last=3)
    assert (end.item(), end.n_values.item(), end.last_epoch.item()) == (2.0, 3, 4)
    short = one([4.0, None, 2.0], how="mean", last=5)
    assert (short.item(), short.n_values.item()) == (3.0, 2)
    assert one([None], how="mean", last=2).n_values == 0


def test_a_logged_nan_among_the_last_is_not_skipped():
    assert math.isnan(one([1.0, NAN, 2.0], how="mean", last=2))
    assert one([NAN, 1.0, 2.0], how="mean", last=2) == 1.5
    assert one([1.0, INF], how="mean", last=2) == INF
    assert math.isnan(one([-INF, INF], how="mean", last=2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "best"}, 'how="best" needs mode="max" or mode="min"'),
        ({"how": "mean"}, 'how="mean" needs last='),
        ({"how": "first"}, "how='first': expected one of 'last', 'best', 'mean'"),
        ({"how": "best", "mode": "high"}, "mode='high': expected one of 'max', 'min'"),
        ({"mode": "max"}, "mode='max' means nothing with how=\"last\""),
        ({"how": "best", "mode": "min", "last": 3}, 'last=3 means nothing with how="best"'),
        ({"how": "mean", "last": 0}, "last=0: expected a number of values"),
        ({"how": "mean", "last": True}, "last=True: expected"),
        ({"how": "mean", "last": 2.0}, "last=2.0: expected"),
    ],
)
def test_arguments_that_say_nothing_are_refused(ds, options, message):
    with pytest.raises(rc.PlanError) as raised:
        rc.final(ds, **options)
    assert message in str(raised.value)


# --- at the best of another ---------------------------------------------------------------------


def test_all_metrics_are_read_where_one_is_best():
    run = [[[1.0, 5.0, 2.0], [10.0, 20.0, 30.0]], [[3.0, 2.0, 9.0], [None, NAN, 7.0]]]
    ds = cube([run], splits=("val", "test"), metrics=("acc", "loss"))
    best = rc.at_best(ds, metric="acc", split="val", mode="max").squeeze()
    assert best.best_epoch == 1
    assert best.best_epoch.dims == ()
    assert best.sel(split="test", metric="acc") == 2.0
    assert best.sel(split="val", metric="loss") == 20.0
    assert math.isnan(best.sel(split="test", metric="loss"))
    low = rc.at_best(ds, metric="loss", split="val", mode="min").squeeze()
    assert low.sel(split="test", metric="acc") == 3.0
    # Of an array alone it is not known that a NaN was logged.
    bare = rc.at_best(ds.curve, metric="acc", split="val", mode="max").squeeze()
    xr.testing.assert_equal(*(own.drop_vars("nonfinite") for own in (bare, best)))
    assert (int(best.nonfinite.sum()), int(bare.nonfinite.sum())) == (1, 0)


def test_what_is_compared_may_be_all_that_was_selected(ds):
    whole = rc.at_best(ds, metric="acc1", split="val", mode="max")
    part = rc.at_best(ds.sel(split="val"), metric="acc1", split="val", mode="max")
    xr.testing.assert_equal(part, whole.sel(split="val"))
    assert float(whole.best_epoch.max()) == 2


def test_what_is_not_there_gets_the_nearest_names(ds):
    with pytest.raises(rc.UnknownNameError, match=r"metric='acc'.*nearest: 'acc1'"):
        rc.at_best(ds, metric="acc", split="val", mode="max")
    with pytest.raises(rc.UnknownNameError, match=r"split='val' is not there.*'train'"):
        rc.at_best(ds.sel(split="train"), metric="acc1", split="val", mode="max")
    with pytest.raises(rc.PlanError, match="mode='highest'"):
        rc.at_best(ds, metric="acc1", split="val", mode="highest")
    with pytest.raises(TypeError, match="mode"):
        rc.at_best(ds, metric="acc1", split="val")


# --- diverged -----------------------------------------------------------------------------------


def test_a_logged_nan_or_infinity_is_divergence_and_a_missing_value_is_not():
    curves = [[NAN, 1.0], [INF, 1.0], [1.0, -INF], [None, 1.0], [None, None], [1.0, 2.0]]
    ds = cube([[[curve]] for curve in curves])
    bad = rc.diverged(ds)
    assert bad.dtype == bool
    assert bad.dims == ("seed", "split", "metric")
    assert bad.squeeze().values.tolist() == [True, True, True, False, False, False]
    assert rc.diverged(ds.isel(epoch=-1)).squeeze().values.tolist() == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]
    assert rc.diverged(ds.sel(metric="acc", split="val", seed=1)).item()


def test_a_bare_array_cannot_tell_what_diverged(ds):
    with pytest.raises(rc.PlanError, match="does not tell a logged NaN from a missing value"):
        rc.diverged(ds.curve)


# --- x, layouts, dask ---------------------------------------------------------------------------


def test_each_runs_own_x_stands_beside_the_choice(tmp_path):
    for seed, steps in enumerate(([3, 10, 31], [5, 17])):
        rows = [
            {"step": s, "wall_time": s / 2, "val_acc": 9.0 - (i - 1) ** 2}
            for i, s in enumerate(steps)
        ]
        text = "".join(json.dumps(r) + "\n" for r in [{"config": {"lr": 1, "seed": seed}}, *rows])
        (tmp_path / f"{seed}.jsonl").write_text(text)
    ds = load(tmp_path, align="order")
    assert ds.step.dims[-1] == "point"
    end = rc.final(ds).squeeze()
    assert end.last_step.values.tolist() == [31, 17]
    assert end.last_point.values.tolist() == [2, 1]
    assert end.last_wall_time.values.tolist() == [15.5, 8.5]
    best = rc.at_best(ds, metric="acc", split="val", mode="max").squeeze()
    assert best.best_step.values.tolist() == [10, 17]
    mean = rc.final(rc.to_configs(ds), how="mean", last=2).squeeze()
    assert mean.last_step.values.tolist() == [31, 17]
    assert mean.n_values.values.tolist() == [2, 2]
    for lazy in (ds.chunk({"point": 1}), ds.chunk({"seed": 1})):
        cut = rc.final(lazy.assign_coords(step=lazy.step)).squeeze()
        assert cut.last_step.values.tolist() == [31, 17]


def test_a_row_for_each_run_keeps_its_index(ds):
    rows = rc.to_configs(ds).stack(run=("config", "seed"))
    end = rc.final(rows.curve.sel(metric="acc1", split="val").assign_coords(status=rows.status))
    assert end.dims == ("run",)
    assert float(end.sel(config=0, seed=1)) == sweeps.logged_value(0, 1, "val", "acc1", 2)


def test_coordinates_in_memory_stay_there(ds):
    chunked = ds.assign(curve=ds.curve.variable.chunk({"epoch": 1}))
    end = rc.final(chunked)
    assert end.chunks is not None
    assert end.status.chunks is None


def test_a_hyperparameter_of_the_same_name_stays_what_it_is(tmp_path):
    configs = sweeps.product_configs(last_epoch=[-1, 7])
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    end = rc.final(load(tmp_path))
    assert end.last_epoch.values.tolist() == [-1, 7]
    assert (end.last_epoch_ == 2).all()


def test_the_dtype_of_an_archive_stays(ds):
    small = ds.assign(curve=ds.curve.astype("float32"))
    for how in ({}, {"how": "best", "mode": "max"}, {"how": "mean", "last": 2}):
        assert rc.final(small, **how).dtype == np.float32
        assert rc.final(small.chunk({"epoch": 1}), **how).compute().dtype == np.float32


def pairs(of):
    return st.lists(of, min_size=2, max_size=2)


@st.composite
def runs(draw):
    """One to three runs of two splits and two metrics, as `cube` takes them."""
    n = draw(st.integers(1, 5))
    curve = st.lists(VALUES, min_size=n, max_size=n)
    return draw(st.lists(pairs(pairs(curve)), min_size=1, max_size=3))


def by_hand(curve, how, mode=None, last=None):
    """Value and place of one curve."""
    logged = [(v, i) for i, v in enumerate(curve) if v is not None]
    if how == "best":
        finite = [(v, i) for v, i in logged if math.isfinite(v)]
        sign = -1 if mode == "max" else 1
        return min(finite, key=lambda vi: (sign * vi[0], vi[1]), default=(NAN, NAN))
    if not logged:
        return NAN, NAN
    if how == "last":
        return logged[-1]
    tail = [v for v, _ in logged[-last:]]
    # Python's sum of inf and -inf is NaN, as numpy's.
    return sum(tail) / len(tail), logged[-1][1]


HOWS = [
    {"how": "last"},
    {"how": "best", "mode": "max"},
    {"how": "best", "mode": "min"},
    {"how": "mean", "last": 2},
]


@given(runs(), st.sampled_from(HOWS), st.booleans())
def test_any_curve_has_the_value_that_plain_python_finds(curves, how, dask):
    ds = cube(curves, splits=("val", "test"), metrics=("acc", "loss"))
    given_ds = ds.chunk({"seed": 1, "epoch": 2, "split": 1}) if dask else ds
    end = rc.final(given_ds, **how)
    assert (end.chunks is not None) == dask
    wanted = [[[by_hand(c, **how) for c in split] for split in run] for run in curves]
    np.testing.assert_allclose(end, np.array(wanted)[..., 0], rtol=1e-14)
    x = end["best_epoch" if how["how"] == "best" else "last_epoch"]
    np.testing.assert_array_equal(x, np.array(wanted)[..., 1])


@given(runs(), st.sampled_from(["max", "min"]), st.booleans())
def test_any_run_is_read_where_plain_python_finds_its_best(curves, mode, dask):
    ds = cube(curves, splits=("val", "test"), metrics=("acc", "loss"))
    given_ds = ds.chunk({"seed": 1, "epoch": 2, "split": 1}) if dask else ds
    best = rc.at_best(given_ds, metric="loss", split="test", mode=mode)
    assert (best.chunks is not None) == dask
    for run, found in zip(curves, best.compute(), strict=True):
        _, at = by_hand(run[1][1], "best", mode)
        np.testing.assert_array_equal(found.best_epoch, at)
        wanted = [[NAN if at != at or c[at] is None else c[at] for c in split] for split in run]
        np.testing.assert_array_equal(found, wanted)


@given(runs(), st.booleans())
def test_any_curve_diverged_if_it_logged_what_is_not_finite(curves, dask):
    ds = cube(curves, splits=("val", "test"), metrics=("acc", "loss"))
    bad = rc.diverged(ds.chunk({"seed": 1, "epoch": 2}) if dask else ds)
    assert (bad.chunks is not None) == dask
    wanted = [
        [[any(v is not None and not math.isfinite(v) for v in c) for c in split] for split in run]
        for run in curves
    ]
    np.testing.assert_array_equal(bad, wanted)


def test_a_lazy_cube_and_an_archive_stay_lazy_and_say_the_same(tmp_path, ds):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        lazy = rc.open_runs(tmp_path, cache=False)
    rc.save_archive(ds, tmp_path / "sweep.nc")
    with rc.open_archive(tmp_path / "sweep.nc", chunks={}) as archived:
        for other in (lazy, archived):
            for how in HOWS:
                assert rc.final(other, **how).chunks is not None
                xr.testing.assert_equal(rc.final(other, **how).compute(), rc.final(ds, **how))
            what = {"metric": "loss", "split": "val", "mode": "min"}
            assert rc.at_best(other, **what).chunks is not None
            xr.testing.assert_equal(rc.at_best(other, **what).compute(), rc.at_best(ds, **what))
            assert rc.diverged(other).chunks is not None
            xr.testing.assert_equal(rc.diverged(other).compute(), rc.diverged(ds))


@pytest.mark.parametrize("is_lazy", [False, True])
def test_a_run_that_ended_in_nan_is_told_from_one_that_is_missing(is_lazy):
    runs = [[[[1.0, NAN]]], [[[NAN, 2.0]]], [[[NAN, NAN]]], [[[None, None]]], [[[1.0, None]]]]
    ds = cube(runs, splits=("val",), metrics=("loss",))
    ds = ds.chunk() if is_lazy else ds
    found = {
        "last": rc.final(ds),
        "best": rc.final(ds, how="best", mode="min"),
        "mean": rc.final(ds, how="mean", last=2),
        "at_best": rc.at_best(ds, metric="loss", split="val", mode="min"),
    }
    wanted = {"last": [0, 2], "best": [2], "mean": [0, 1, 2], "at_best": [2]}
    for how, end in found.items():
        assert end.nonfinite.dtype == bool
        assert np.flatnonzero(end.nonfinite.values).tolist() == wanted[how], how
        assert end.nonfinite.dims == end.dims
        assert hasattr(end.nonfinite.data, "dask") == is_lazy
        assert rc.summarize(end, dim=end.dims).n_nonfinite == len(wanted[how])
    bare = rc.final(ds.curve)
    assert not bare.nonfinite.any()  # there NaN is missing


def test_a_hyperparameter_called_nonfinite_stays_what_it_is():
    ds = cube([[[[1.0, NAN]]]], splits=("val",), metrics=("loss",))
    ds = ds.assign_coords(nonfinite=True)
    ds["nonfinite"].attrs["hparam"] = "nonfinite"
    end = rc.final(ds)
    assert end.nonfinite.item() is True
    assert end.nonfinite_.item() is True
    assert rc.final(ds.isel(epoch=[0])).nonfinite_.item() is False
    assert rc.summarize(rc.final(ds.isel(epoch=[0])), dim=end.dims).n_nonfinite == 0
