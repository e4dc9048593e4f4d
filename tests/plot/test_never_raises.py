"""No figure raises, whatever a sweep looks like: missing runs, one seed, one epoch, only NaN."""

import re
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plot_cubes import made

import runcube as rc

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


LABELS = {
    "number": [1e-4, 1e-3, 0.1, 3.0],
    "few": [16, 32],
    "text": ["$x_1", "_hidden", "a\nb", "größe" * 9, "<b>"],
    "bool": [False, True],
}


@st.composite
def cubes(draw):
    """Cubes in the grid layout with values of every kind, and runs that are not there."""
    kinds = draw(st.lists(st.sampled_from([*LABELS]), unique=True, max_size=3))
    labels = {name: LABELS[name][: draw(st.integers(1, len(LABELS[name])))] for name in kinds}
    n_seeds, n_epochs = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    splits = draw(st.sampled_from([["val"], ["train", "val"], ["a", "b", "c", "d", "e"]]))
    metrics = draw(st.sampled_from([["loss"], ["loss", "acc_$"]]))
    shape = [*(len(own) for own in labels.values()), n_seeds, len(splits), len(metrics), n_epochs]
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    values = rng.choice([1.0, -1.0, 1e30, 1e-30, 0.0], shape) * rng.lognormal(0, 3, shape)
    kind = draw(st.sampled_from(["all", "some", "nan", "nothing", "positive"]))
    logged = np.ones(shape, bool)
    if kind == "some":
        values[rng.random(shape) < 0.3] = rng.choice([np.nan, np.inf, -np.inf])
        logged = rng.random(shape) < 0.6
    elif kind == "nan":
        values[:] = np.nan
    elif kind == "nothing":
        logged[:] = False
    elif kind == "positive":
        values = abs(values) + 1e-9
    return made(np.where(logged, values, np.nan), logged, labels, splits, metrics)


def drawn(figure):
    """Draw a figure wholly, as saving it would."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph|constrained_layout not applied")
        figure.get_figure().canvas.draw()
    plt.close("all")


# What has no picture: a map of one hyperparameter, the importance of none, statistics of no run.
REFUSED = "two hyperparameters|no hyperparameter varies|no run has a value|nothing to compare"


def drawn_unless_refused(draw):
    try:
        figure = draw()
    except rc.PlanError as error:
        if re.search(REFUSED, str(error)):
            return
        raise
    drawn(figure)


def as_configs(ds):
    return rc.to_configs(ds) if (ds.status != "absent").any() else ds


@given(cubes(), st.sampled_from(["grid", "configs", "dask"]), st.data())
@settings(max_examples=12)
def test_curves(ds, layout, data):
    ds = as_configs(ds) if layout == "configs" else ds.chunk() if layout == "dask" else ds
    keys = ["number", "few", "text", "bool", "split", "metric"]
    keys = [None, *(key for key in keys if key in ds.coords)]
    by = {word: data.draw(st.sampled_from(keys), word) for word in ("hue", "row", "col")}
    by["style"] = data.draw(st.sampled_from([None, "split"]), "style")
    how = {
        "seeds": data.draw(st.booleans()),
        "smoothing": data.draw(st.sampled_from([None, 0.5])),
        "clip": data.draw(st.sampled_from([None, 0.9])),
        "logx": data.draw(st.sampled_from([None, True])),
        "logy": data.draw(st.sampled_from([None, True, False])),
        "statistic": data.draw(st.sampled_from(["mean", "median"])),
        "width": data.draw(st.sampled_from([None, "column"])),
        "theme": data.draw(st.booleans()),
        "min_n": data.draw(st.sampled_from([1, 2, 9])),
        "statuses": data.draw(st.sampled_from([None, "complete", "failed"])),
    }
    drawn(rc.plot.curves(ds, **by, **how))


@given(cubes(), st.sampled_from(["strip", "box", "hist", "ecdf"]), st.booleans(), st.data())
@settings(max_examples=12)
def test_distributions(ds, kind, is_configs, data):
    ds = as_configs(ds) if is_configs else ds
    keys = [None, *(key for key in ("number", "few", "text", "bool", "split") if key in ds.coords)]
    by = {word: data.draw(st.sampled_from(keys), word) for word in ("x", "hue", "col")}
    drawn(rc.plot.distribution(ds, kind=kind, **by))


@given(cubes(), st.booleans(), st.sampled_from(["mean", "median", "best"]))
@settings(max_examples=12)
def test_heat_maps_and_parallel_coordinates(ds, is_configs, rest):
    ds = as_configs(ds) if is_configs else ds
    one = ds.isel(split=[0], metric=0)
    keys = [key for key in LABELS if key in ds.coords]
    for draw in (
        lambda: rc.plot.heatmap(one, rest=rest, mode="max"),
        *(
            [lambda: rc.plot.heatmap(one, x=keys[-1], y=keys[0], rest=rest, mode="min", bins=2)]
            if len(keys) > 1
            else []
        ),
        lambda: rc.plot.parallel(one, mode="max"),
        lambda: rc.plot.coverage(ds),
    ):
        drawn_unless_refused(draw)


@given(cubes(), st.booleans())
@settings(max_examples=10)
def test_statistics(ds, is_configs):
    ds = as_configs(ds) if is_configs else ds
    metric, split = (str(ds[key].values[0]) for key in ("metric", "split"))
    one = ds.sel(metric=metric, split=split)
    keys = [key for key in LABELS if key in one.coords and len(np.unique(one[key])) > 1]
    of = {"metric": metric, "split": split, "mode": "max"}
    for draw in (
        *(lambda key=key: rc.plot.compare(one, over=key) for key in keys),
        lambda: rc.plot.importance(ds, **of, n_resamples=19, rng=0),
        lambda: rc.plot.marginals(ds, **of),
        lambda: rc.plot.best_of_k(one, mode="min"),
        lambda: rc.plot.best_of_k(one, mode="min", cost="runs"),
    ):
        drawn_unless_refused(draw)


def many(n_configs, n_seeds=2, n_epochs=5):
    rng = np.random.default_rng(1)
    shape = (n_configs, n_seeds, 1, 1, n_epochs)
    values = rng.lognormal(0, 1, shape).cumsum(-1)
    ds = made(values, np.ones(shape, bool), {"config": np.arange(n_configs)}, ["val"], ["loss"])
    del ds["config"].attrs["hparam"]
    return ds.assign_coords(
        lr=("config", np.exp(rng.normal(-6, 2, n_configs)), {"hparam": "optim.lr"}),
        width=("config", rng.choice([64, 128, 256], n_configs), {"hparam": "width"}),
        act=("config", rng.choice(["relu", "gelu"], n_configs), {"hparam": "act"}),
    )


def test_five_hundred_configurations_are_drawn_and_counted():
    ds = many(500)
    ax = rc.plot.curves(ds)
    assert sum(len(line.get_xdata()) > 1 for line in ax.lines) == 500
    assert "500 lines" in ax.figure.get_supxlabel()
    assert len(ax.figure.axes) == 2  # a colour bar stands for the learning rates
    for figure in (
        ax,
        rc.plot.curves(ds, col="config"),
        rc.plot.curves(ds, hue="act", col="width"),
        rc.plot.distribution(ds),
        rc.plot.distribution(ds, x="width", hue="lr"),
        rc.plot.heatmap(ds, x="lr", y="width"),
        rc.plot.coverage(ds),
        rc.plot.parallel(ds),
        rc.plot.marginals(ds, metric="loss", mode="min"),
        rc.plot.importance(ds, metric="loss", mode="min", n_resamples=9, rng=0),
        rc.plot.best_of_k(ds, mode="min"),
    ):
        figure.get_figure().canvas.draw()
