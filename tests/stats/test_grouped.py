"""``summarize`` with strata and clusters: all draws of tiny cases, by brute force."""

import itertools

import numpy as np
import pytest
import scipy.stats
import xarray as xr

import runcube as rc


def array(values):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(
        values,
        dims=("task", "seed"),
        coords={"task": np.arange(len(values)), "seed": np.arange(values.shape[1])},
    )


def fractional_iqm(values):
    ordered = np.repeat(np.sort(values), 4)
    return ordered[len(values) : -len(values)].mean()


STATISTICS = {"mean": np.mean, "median": np.median, "iqm": fractional_iqm}


def bounds(statistic, draws, whole, n, strata, level=0.9):
    """Return the percentile interval of equally probable draws, and the scaled one."""
    values = np.sort([statistic(np.asarray(draw)) for draw in draws])
    cut = int(np.floor(len(values) * (1 - level) / 2 + 1e-9))
    plain = np.array([values[cut], values[-1 - cut]])
    factor = np.sqrt(n / (n - strata)) * scipy.stats.t.ppf(0.5 + level / 2, n - strata)
    factor /= scipy.stats.norm.ppf(0.5 + level / 2)
    return plain, whole + factor * (plain - whole)


def check(found, data, name, draws, n, strata, how):
    whole = STATISTICS[name](data[np.isfinite(data)])
    plain, scaled = bounds(STATISTICS[name], draws, whole, n, strata)
    np.testing.assert_allclose(found.ci, scaled, rtol=1e-9)
    own = rc.summarize(array(data), method="percentile", **how)
    np.testing.assert_allclose(own.ci, plain, rtol=1e-9)


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("missing", [False, True])
def test_each_stratum_is_drawn_by_itself(name, missing):
    y = np.random.default_rng(0).normal(size=(2, 3)) + np.array([[0], [9]])
    if missing:
        y[1, 1] = np.nan
    parts = [row[np.isfinite(row)] for row in y]
    draws = [
        np.concatenate(pair)
        for pair in itertools.product(*[itertools.product(p, repeat=len(p)) for p in parts])
    ]
    how = {"dim": ["task", "seed"], "strata": "task", "statistic": name, "ci": 0.9}
    found = rc.summarize(array(y), **how)
    check(found, y, name, draws, np.isfinite(y).sum(), 2, how)
    assert (found.attrs["strata"], found.attrs["ci_method"]) == ("task", "scaled")


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("missing", [False, True])
def test_what_is_in_a_cluster_is_drawn_together(name, missing):
    y = np.random.default_rng(1).normal(size=(4, 3))
    if missing:
        y[1, 1] = y[2, 0] = np.nan
    parts = [row[np.isfinite(row)] for row in y]
    draws = [
        np.concatenate([parts[i] for i in draw]) for draw in itertools.product(range(4), repeat=4)
    ]
    how = {"dim": ["task", "seed"], "cluster": "task", "statistic": name, "ci": 0.9}
    check(rc.summarize(array(y), **how), y, name, draws, 4, 1, how)


def test_clusters_within_strata():
    y = np.random.default_rng(2).normal(size=(4, 2))
    data = array(y).assign_coords(kind=("task", ["a", "b", "a", "b"]))
    draws = [
        np.concatenate([y[[0, 2][i]] for i in one] + [y[[1, 3][i]] for i in other])
        for one in itertools.product(range(2), repeat=2)
        for other in itertools.product(range(2), repeat=2)
    ]
    found = rc.summarize(data, dim=["seed", "task"], strata="kind", cluster="task", ci=0.9)
    _, scaled = bounds(np.mean, draws, y.mean(), 4, 2)
    np.testing.assert_allclose(found.ci, scaled, rtol=1e-9)


def test_the_interval_of_strata_covers_where_their_means_differ():
    rng = np.random.default_rng(3)
    y = rng.normal(size=(1000, 3, 5)) + np.arange(3)[:, None] * 50
    data = xr.DataArray(y, dims=("sample", "task", "seed"))
    ci = rc.summarize(data, dim=["task", "seed"], strata="task", n_resamples=2000, rng=0).ci
    inside = ((ci[:, 0] < 50) & (ci[:, 1] > 50)).mean().item()
    assert abs(inside - 0.95) < 3.5 * np.sqrt(0.95 * 0.05 / 1000) + 0.005
    assert (rc.summarize(data, dim=["task", "seed"]).ci.diff("ci_bound") > 15).all()


def test_one_of_each_says_nothing_of_the_spread():
    y = array(np.ones((3, 1)))
    assert np.isnan(rc.summarize(y, dim=["task", "seed"], strata="task").ci).all()


def test_lazy_data_agrees():
    y = np.random.default_rng(4).normal(size=(4, 3, 5))
    data = xr.DataArray(y, dims=("lr", "task", "seed"))
    how = {"dim": ["task", "seed"], "cluster": "seed", "statistic": "iqm", "rng": 0}
    xr.testing.assert_allclose(
        rc.summarize(data.chunk(lr=1), **how).compute(), rc.summarize(data, **how)
    )


def test_errors_say_what_to_write():
    y = array(np.ones((3, 2)))
    both = {"dim": ["task", "seed"]}
    with pytest.raises(rc.PlanError, match="method='t' knows no strata or clusters"):
        rc.summarize(y, **both, strata="task", method="t")
    with pytest.raises(rc.PlanError, match="'std'"):
        rc.summarize(y, **both, cluster="task", statistic="std")
    with pytest.raises(rc.PlanError, match="strata='task'"):
        rc.summarize(y, dim="seed", strata="task")
    with pytest.raises(rc.PlanError, match="several strata"):
        rc.summarize(y, **both, strata="task", cluster="seed")
