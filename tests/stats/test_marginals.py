"""``marginals``: by loops, in both layouts, and an interval that covers."""

import numpy as np
import pytest
import scipy.stats
from value_cubes import configs_cube, grid_cube

import runcube as rc


def of(ds, over="a", mode="max", **how):
    return rc.marginals(ds, over=over, metric="acc", mode=mode, **how)


def table():
    y = np.random.default_rng(0).normal(size=(3, 4, 3))
    y[0, 0, 0] = y[1, 2, :] = y[2, 3, 1] = np.nan
    return y


@pytest.mark.parametrize("mode", ["max", "min"])
def test_by_loops(mode):
    y = table()
    found = of(grid_cube(y, a=["x", "y", "z"], b=np.arange(4)), mode=mode)
    runs = [[row[~np.isnan(row)] for row in rows] for rows in y]
    runs = [[row for row in rows if len(row)] for rows in runs]
    every = [row for rows in runs for row in rows]
    df = sum(len(row) - 1 for row in every)
    noise = sum(((row - row.mean()) ** 2).sum() for row in every) / df
    for i, rows in enumerate(runs):
        means = [row.mean() for row in rows]
        own = found.isel(a=i)
        np.testing.assert_allclose(own["mean"], np.mean(means))
        np.testing.assert_allclose(own["std"], np.std(means, ddof=1))
        np.testing.assert_allclose(own.best, max(means) if mode == "max" else min(means))
        error = np.sqrt(sum(noise / len(row) for row in rows)) / len(rows)
        bounds = scipy.stats.t.interval(0.95, df, np.mean(means), error)
        np.testing.assert_allclose(own.ci, bounds)
    assert found.n_configs.values.tolist() == [4, 3, 4]
    assert found.n_runs.values.tolist() == [11, 9, 11]


def test_both_layouts_and_lazy_ones_agree():
    ds = grid_cube(table(), a=[1, 2, 3], b=np.arange(4))
    rows = configs_cube(table().reshape(12, 3), a=np.repeat([1, 2, 3], 4), b=np.tile(range(4), 3))
    for other in (rows, ds.chunk(seed=1), ds.isel(seed=[2, 1, 0])):
        for name, own in of(ds).data_vars.items():
            np.testing.assert_allclose(of(other)[name], own)


def test_the_interval_covers_what_other_seeds_would_give():
    rng = np.random.default_rng(1)
    truth = rng.normal(size=(2, 5, 1))
    inside = []
    for _ in range(400):
        ci = of(grid_cube(truth + rng.normal(size=(2, 5, 3)), a=[0, 1], b=np.arange(5))).ci.values
        inside.append((ci[:, 0] < truth.mean(axis=(1, 2))) & (truth.mean(axis=(1, 2)) < ci[:, 1]))
    assert abs(np.mean(inside) - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / 800)


def test_bins_are_equally_full():
    lr = np.random.default_rng(2).uniform(size=20)
    found = of(configs_cube(lr[:, None] * [1.0, 1.0], lr=lr), "lr", bins=4)
    assert found.n_configs.values.tolist() == [5, 5, 5, 5]
    parts = np.sort(lr).reshape(4, 5)
    np.testing.assert_allclose(found.lr, np.median(parts, axis=1))
    np.testing.assert_allclose(found["mean"], parts.mean(axis=1))


def test_errors_say_what_to_write():
    ds = grid_cube(table(), a=["x", "y", "z"], b=np.arange(4))
    with pytest.raises(rc.UnknownNameError, match="no such hyperparameter"):
        of(ds, "aa")
    with pytest.raises(rc.PlanError, match="key of numbers"):
        of(ds, bins=2)
    assert np.isnan(of(ds.isel(seed=[1])).ci).all()
