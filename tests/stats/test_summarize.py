"""``summarize`` and ``bootstrap`` against independent implementations, and their promises."""

import itertools
import math
import warnings

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc
from runcube.stats.resamples import resamples

EXACT = {"rtol": 1e-12, "atol": 1e-12}


def array(values, **coords):
    values = np.asarray(values, dtype=float)
    return xr.DataArray(values, dims=("lr", "seed")[-values.ndim :], coords=coords)


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


def sample(n, seed=0):
    return np.random.default_rng(seed).lognormal(size=n)


def iqm(values):
    """Return the mean of the middle half, each value spread over a unit of mass."""
    values = np.repeat(np.sort(values), 4)  # the quarter of the mass is whole
    cut = len(values) // 4
    return values[cut:-cut].mean()


STATISTICS = {
    "mean": np.mean,
    "median": np.median,
    "iqm": iqm,
    "std": lambda v: np.std(v, ddof=1),
    0.3: lambda v: np.quantile(v, 0.3),
}


# --- the estimates


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 9, 30])
def test_the_estimates_are_those_of_numpy(n):
    values = sample(n)
    found = rc.summarize(array(values), quantiles=(0.1, 0.25, 0.9), ci=None)
    assert found.n.item() == n
    for name, of in STATISTICS.items():
        if isinstance(name, str) and not (name == "std" and n == 1):
            np.testing.assert_allclose(found[name].item(), of(values), **EXACT)
    np.testing.assert_allclose(found.quantiles, np.quantile(values, [0.1, 0.25, 0.9]), **EXACT)
    assert (found["min"].item(), found["max"].item()) == (values.min(), values.max())
    if n > 1:
        np.testing.assert_allclose(found.sem.item(), scipy.stats.sem(values), **EXACT)
    else:
        assert np.isnan([found["std"].item(), found.sem.item()]).all()


# --- the intervals, each against another implementation


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_student_is_that_of_scipy(n):
    values = sample(n)
    expected = scipy.stats.ttest_1samp(values, 0).confidence_interval(0.9)
    np.testing.assert_allclose(rc.summarize(array(values), ci=0.9).ci, expected, **EXACT)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (0, 5), (3, 7), (5, 5)])
def test_wilson_is_that_of_scipy(hits, n):
    values = np.r_[np.ones(hits), np.zeros(n - hits)]
    expected = scipy.stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    found = rc.summarize(array(values), method="wilson").ci
    np.testing.assert_allclose(found, expected, **EXACT)


def test_the_spread_by_chi_squared():
    values = sample(6)
    # The textbook form, from the quantiles of the gamma distribution.
    ss = ((values - values.mean()) ** 2).sum()
    expected = [math.sqrt(ss / (2 * scipy.stats.gamma.ppf(p, 2.5))) for p in (0.975, 0.025)]
    np.testing.assert_allclose(rc.summarize(array(values), statistic="std").ci, expected, **EXACT)


def every_resample(values, statistic):
    """Return the statistic of all n^n equally probable resamples, sorted."""
    draws = itertools.product(values, repeat=len(values))
    return np.sort([STATISTICS[statistic](np.array(draw)) for draw in draws])


def tails(drawn, level):
    """Return the largest value with at most its share below, and its mirror image."""
    cut = math.floor(len(drawn) * (1 - level) / 2 + 1e-9)
    return drawn[cut], drawn[len(drawn) - 1 - cut]


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("n", [2, 3, 4, 5])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_few_seeds_are_bootstrapped_by_all_resamples(statistic, n, level):
    values = sample(n)
    low, high = tails(every_resample(values, statistic), level)
    whole = STATISTICS[statistic](values)
    factor = math.sqrt(n / (n - 1))
    factor *= scipy.stats.t.ppf(0.5 + level / 2, n - 1) / scipy.stats.norm.ppf(0.5 + level / 2)
    expected = {
        "percentile": (low, high),
        "basic": (2 * whole - high, 2 * whole - low),
        "scaled": (whole + factor * (low - whole), whole + factor * (high - whole)),
    }
    for method, bounds in expected.items():
        found = rc.summarize(array(values), statistic=statistic, method=method, ci=level)
        np.testing.assert_allclose(found.ci, bounds, **EXACT)


@pytest.mark.parametrize("statistic", ["mean", "median", "iqm", "std"])
def test_bca_of_few_seeds_by_all_resamples(statistic):
    values, level = sample(5, 3), 0.9
    of, norm = STATISTICS[statistic], scipy.stats.norm
    drawn, whole = every_resample(values, statistic), of(values)
    same = np.isclose(drawn, whole, rtol=1e-12)
    bias = norm.ppf(((drawn < whole) & ~same).mean() + same.mean() / 2)
    left = np.array([of(np.delete(values, i)) for i in range(5)])
    u = left.mean() - left
    a = (u**3).sum() / (6 * (u**2).sum() ** 1.5)
    z = bias + norm.ppf([0.05, 0.95])
    below, above = norm.cdf(bias + z / (1 - a * z))
    expected = drawn[math.floor(len(drawn) * below)], drawn[-1 - math.floor(5**5 * (1 - above))]
    found = rc.summarize(array(values), statistic=statistic, method="bca", ci=level)
    np.testing.assert_allclose(found.ci, expected, rtol=1e-9)


def test_studentized_of_few_seeds_by_all_resamples():
    values = sample(5, 4)
    draws = np.array([*itertools.product(values, repeat=5)])
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (draws.mean(1) - values.mean()) / (draws.std(1, ddof=1) / math.sqrt(5))
    flat = draws.std(1) < 1e-12
    t[flat] = np.sign(draws.mean(1) - values.mean())[flat] * np.inf
    low, high = tails(np.sort(t), 0.95)
    sem = scipy.stats.sem(values)
    expected = values.mean() - high * sem, values.mean() - low * sem
    found = rc.summarize(array(values), method="studentized")
    np.testing.assert_allclose(found.ci, expected, rtol=1e-9)


@pytest.mark.parametrize("statistic", ["mean", "median", "std"])
def test_many_seeds_are_near_the_bootstrap_of_scipy(statistic):
    values = sample(25)
    ours = rc.summarize(array(values), statistic=statistic, method="percentile", rng=1).ci
    theirs = scipy.stats.bootstrap(
        (values,),
        (lambda v, axis: np.std(v, axis=axis, ddof=1))
        if statistic == "std"
        else STATISTICS[statistic],
        method="percentile",
        n_resamples=20_000,
        rng=0,
    ).confidence_interval
    np.testing.assert_allclose(ours, theirs, atol=0.06 * values.std())


def test_the_resamples_are_all_there_are():
    some = resamples(4, 10, seed=0)
    counts = [np.bincount(draw, minlength=4) for draw in itertools.product(range(4), repeat=4)]
    distinct, times = np.unique(counts, axis=0, return_counts=True)
    found = {tuple(c): p for c, p in zip(some.counts.astype(int), some.probability, strict=True)}
    assert found == pytest.approx({tuple(c): t / 256 for c, t in zip(distinct, times, strict=True)})


@pytest.mark.parametrize("method", ["percentile", "scaled", "basic", "bca"])
def test_a_statistic_of_equal_values_is_certain(method):
    for n in (5, 12):
        found = rc.summarize(array(np.full(n, 0.1)), statistic="iqm", method=method, rng=0).ci
        np.testing.assert_allclose(found, [0.1, 0.1], **EXACT)


def test_any_statistic_can_be_bootstrapped():
    values = sample(4)
    drawn = np.sort([np.ptp(d) for d in itertools.product(values, repeat=4)])
    found = rc.bootstrap(array(values), np.ptp, method="percentile")
    np.testing.assert_allclose(found.ci, tails(drawn, 0.95), **EXACT)
    np.testing.assert_allclose(found.se.item(), drawn.std(), rtol=1e-9)
    assert found.estimate.item() == np.ptp(values)
    same = rc.bootstrap(array(values), np.median, method="scaled").ci
    np.testing.assert_allclose(same, rc.summarize(array(values), statistic="median").ci, rtol=1e-9)


# --- what is not there


matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 4), st.integers(1, 11)),
    elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6).map(lambda v: round(v, 3))),
)
ways = st.sampled_from(
    [("mean", "t"), ("median", "scaled"), ("iqm", "percentile"), ("std", "chi2"), (0.9, "basic")]
)


@settings(deadline=None, max_examples=50)
@given(matrices, ways, st.randoms(use_true_random=False))
def test_an_absent_seed_is_as_if_it_were_not_there_and_order_is_nothing(values, way, random):
    statistic, method = way
    found = rc.summarize(array(values), statistic=statistic, method=method, rng=5)
    for row in range(len(values)):
        own = values[row][~np.isnan(values[row])].tolist()
        random.shuffle(own)
        if not own:
            assert found.n[row] == 0
            assert np.isnan(found["mean"][row])
            continue
        alone = rc.summarize(array(own), statistic=statistic, method=method, rng=5)
        xr.testing.assert_allclose(found.isel(lr=row), alone, rtol=1e-9)


def test_a_logged_nan_is_counted_and_never_averaged_in(cube):
    ds = cube.sel(metric="acc1", split="val").isel(epoch=[0]).copy(deep=True)
    ds.curve[0, 0, 0, 0], ds.curve[0, 0, 0, 1] = np.nan, np.inf
    ds.logged[0, 0, 0, 2] = False
    ds.curve[0, 0, 0, 2] = np.nan
    cell = rc.summarize(ds).isel(weights=0, lr=0, weight_decay=0, epoch=0)
    assert (cell.n.item(), cell.n_nonfinite.item()) == (2, 2)
    np.testing.assert_allclose(cell["mean"], ds.curve[0, 0, 0, 3:, 0].mean(), **EXACT)
    strict = rc.summarize(ds, nonfinite="propagate").isel(weights=0, lr=0, weight_decay=0, epoch=0)
    assert strict.n.item() == 2
    assert np.isnan([strict["mean"].item(), *strict.ci.values]).all()


# --- labels, layouts, dask


def test_runs_that_a_mask_hides_are_as_if_they_were_not_there(cube):
    own = cube.sel(metric="loss", split="train", weights="None")
    masked = own.where(own.seed > 1)  # which makes numbers of `logged`
    found, wanted = (rc.summarize(ds) for ds in (masked, own.sel(seed=[2, 3, 4])))
    for name in ("mean", "n", "n_nonfinite"):
        np.testing.assert_array_equal(found[name], wanted[name])
    assert int(wanted.n_nonfinite.sum()) > 0


def test_both_layouts_and_dask_agree(cube):
    ds = cube.sel(metric=["acc1"])
    grid = rc.summarize(ds, statistic="iqm", rng=0)
    rows = rc.to_configs(ds)
    configs = rc.summarize(rows, statistic="iqm")
    for row in (0, 7, len(rows.config) - 1):
        labels = {k: rows[k][row].item() for k in ("weights", "lr", "weight_decay")}
        one, other = grid.sel(labels), configs.isel(config=row)
        for name in grid.data_vars:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-12)
    lazy = rc.summarize(ds.chunk(lr=1, seed=2, epoch=5), statistic="iqm", rng=0)
    assert lazy["mean"].chunks is not None
    xr.testing.assert_allclose(lazy.compute(), grid, rtol=1e-12)
    assert lazy.attrs == grid.attrs


def test_labels_survive_and_attrs_say_what_was_done(cube):
    found = rc.summarize(cube, statistic="median", rng=3)
    assert found["mean"].dims == tuple(d for d in cube.curve.dims if d != "seed")
    assert found.ci.dims[-1] == "ci_bound"
    assert found.ci.ci_bound.values.tolist() == ["lower", "upper"]
    for dim in found["mean"].dims:
        xr.testing.assert_identical(found[dim].variable, cube[dim].variable)
    assert found.attrs["ci_method"] == "scaled"
    assert "Hesterberg" in found.attrs["ci_source"]
    assert found.attrs["rng_seed"] == "3"
    assert found.attrs["constant_hparams"] == cube.attrs["constant_hparams"]


def test_several_dims_can_be_reduced(cube):
    found = rc.summarize(cube.sel(metric="acc1", split="val"), dim=["lr", "seed"])
    assert found["mean"].dims == ("weights", "weight_decay", "epoch")
    assert found.n.max().item() == 20


# --- bands


def test_a_band_of_few_seeds_is_bonferronis(cube):
    ds = cube.sel(metric="acc1", split="val", weights="DEFAULT", lr=0.2, weight_decay=0.0)
    band = rc.summarize(ds, simultaneous=True)
    level = 1 - 0.05 / ds.sizes["epoch"]
    xr.testing.assert_allclose(band.ci, rc.summarize(ds, ci=level).ci, rtol=1e-9)
    assert band.attrs["ci_is"] == "simultaneous"


def test_a_band_of_many_seeds_lies_between_pointwise_and_bonferroni():
    rng = np.random.default_rng(0)
    walks = rng.normal(size=(12, 40)).cumsum(axis=1)
    da = xr.DataArray(walks, dims=("seed", "epoch"))
    widths = [
        np.diff(rc.summarize(da, ci=ci, simultaneous=band, rng=0).ci)[:, 0]
        for ci, band in ((0.95, False), (0.95, True), (1 - 0.05 / 40, False))
    ]
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


def critical_value_by_plain_simulation(curve, level, seed):
    """Return the quantile of the largest |t| of curves (n, x) correlated as these are."""
    n = len(curve)
    around = curve - curve.mean(axis=0)
    around /= np.sqrt((around**2).sum(axis=0))
    rng = np.random.default_rng([seed, n])
    drawn = [rng.standard_normal((n, n)) @ around for _ in range(4000)]
    return np.quantile(
        [np.abs(scipy.stats.ttest_1samp(own, 0, axis=0).statistic).max() for own in drawn], level
    )


def test_a_band_is_that_of_a_plain_simulation_of_whole_curves():
    walks = np.random.default_rng(1).normal(size=(3, 9, 15)).cumsum(axis=2)
    walks[1, 4] = np.nan  # of 8 seeds
    da = xr.DataArray(walks, dims=("lr", "seed", "epoch"))
    band = rc.summarize(da, simultaneous=True, ci=0.9, rng=5)
    for i, curve in enumerate(walks):
        own = curve[np.isfinite(curve).all(axis=1)]
        half = critical_value_by_plain_simulation(own, 0.9, 5) * scipy.stats.sem(own, axis=0)
        wanted = own.mean(axis=0)[:, None] + half[:, None] * [-1, 1]
        np.testing.assert_allclose(band.ci[i], wanted, rtol=1e-9)


def test_a_curve_has_the_band_among_many_that_it_has_alone(monkeypatch):
    walks = np.random.default_rng(2).normal(size=(5, 10, 30)).cumsum(axis=2)
    walks[3, :, 7] = 1.5  # no spread at this x
    walks[4] = 2
    da = xr.DataArray(walks, dims=("lr", "seed", "epoch"))
    monkeypatch.setattr("runcube.stats.bands._TOGETHER", 3)
    found = rc.summarize(da, simultaneous=True, rng=0).ci
    for i in range(5):
        alone = rc.summarize(da[i], simultaneous=True, rng=0).ci
        np.testing.assert_allclose(found[i], alone, rtol=1e-12)
    np.testing.assert_allclose(found[3, 7], 1.5, rtol=1e-12)
    np.testing.assert_allclose(found[4], 2, rtol=1e-12)


# --- errors


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"dim": "sed"}, rc.UnknownNameError, "seed"),
        ({"statistic": "mode"}, rc.PlanError, "iqm"),
        ({"statistic": "median", "method": "t"}, rc.PlanError, "mean"),
        ({"method": "percentil"}, rc.PlanError, "percentile"),
        ({"ci": 95}, rc.PlanError, "0.95"),
        ({"statistic": "iqm", "simultaneous": True}, rc.PlanError, "band"),
    ],
)
def test_errors_say_what_to_write(arguments, error, words):
    with pytest.raises(error, match=words):
        rc.summarize(array([1.0, 2.0]), **arguments)


def test_what_is_no_cube_is_an_error():
    with pytest.raises(rc.PlanError, match="curve"):
        rc.summarize(xr.Dataset({"a": 1}))
    with pytest.raises(TypeError, match="DataArray"):
        rc.summarize(np.ones(3))


@pytest.mark.parametrize("statistic", ["mean", "median", "iqm", "std"])
def test_a_cell_has_the_interval_among_many_that_it_has_alone(statistic):
    # 120 cells are three blocks of 10,000 resamples.
    values = np.random.default_rng(0).lognormal(size=(120, 12))
    cells = xr.DataArray(values, dims=("lr", "seed"))
    many = rc.summarize(cells, statistic=statistic, method="percentile", rng=0).ci
    for lr in (0, 49, 50, 119):
        alone = rc.summarize(cells.isel(lr=[lr]), statistic=statistic, method="percentile", rng=0)
        np.testing.assert_allclose(many.isel(lr=lr), alone.ci.isel(lr=0), rtol=1e-12)
