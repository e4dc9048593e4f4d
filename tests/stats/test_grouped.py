"""``summarize`` and ``bootstrap`` with strata and clusters: all draws of tiny cases."""

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


# --- bootstrap


@pytest.mark.parametrize("missing", [False, True])
def test_any_statistic_of_clusters_of_unequal_size(missing):
    y = np.random.default_rng(5).normal(size=(4, 3))
    if missing:
        y[1, 1] = y[2, 0] = y[2, 1] = np.nan
    parts = [row[np.isfinite(row)] for row in y]
    draws = [
        np.concatenate([parts[i] for i in draw]) for draw in itertools.product(range(4), repeat=4)
    ]
    found = rc.bootstrap(array(y), np.ptp, dim=["task", "seed"], cluster="task", ci=0.9)
    whole = np.ptp(y[np.isfinite(y)])
    _, scaled = bounds(np.ptp, draws, whole, 4, 1)
    np.testing.assert_allclose(found.ci, scaled, rtol=1e-9)
    np.testing.assert_allclose(found.estimate, whole)
    np.testing.assert_allclose(found.se, np.std([np.ptp(d) for d in draws]), rtol=1e-9)
    assert (found.attrs["cluster"], int(found.n)) == ("task", np.isfinite(y).sum())


@pytest.mark.parametrize("how", [{"strata": "task"}, {"cluster": "seed"}, {}])
@pytest.mark.parametrize("seeds", [4, 10])
def test_bootstrap_draws_as_summarize_does(how, seeds):
    y = np.random.default_rng(6).normal(size=(2, seeds)) + np.array([[0], [9]])
    y[0, 1] = np.nan
    both = {"dim": ["task", "seed"], "rng": 3, "n_resamples": 500, **how}
    found = rc.bootstrap(array(y), np.mean, **both)
    of = rc.summarize(array(y), statistic="mean", method="scaled", **both)
    np.testing.assert_allclose(found.ci, of.ci, rtol=1e-9)


def test_each_value_as_a_stratum_has_an_estimate_and_no_interval():
    found = rc.bootstrap(array([[1.0], [2.0], [4.0]]), np.ptp, dim=["task", "seed"], strata="task")
    assert found.estimate == 3
    assert np.isnan(found.se)
    assert np.isnan(found.ci).all()
    with pytest.raises(rc.PlanError, match="strata='task'"):
        rc.bootstrap(array(np.ones((3, 2))), np.ptp, dim="seed", strata="task")


def test_lazy_data_agrees():
    y = np.random.default_rng(4).normal(size=(4, 3, 5))
    data = xr.DataArray(y, dims=("lr", "task", "seed"))
    how = {"dim": ["task", "seed"], "cluster": "seed", "statistic": "iqm", "rng": 0}
    xr.testing.assert_allclose(
        rc.summarize(data.chunk(lr=1), **how).compute(), rc.summarize(data, **how)
    )
    how = {"dim": ["task", "seed"], "cluster": "seed", "rng": 0}
    lazy = rc.bootstrap(data.chunk(lr=1), np.ptp, **how).compute()
    xr.testing.assert_allclose(lazy, rc.bootstrap(data, np.ptp, **how))


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
