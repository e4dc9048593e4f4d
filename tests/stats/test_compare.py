"""``compare`` against independent implementations, and its promises."""

import itertools
import math
import warnings

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SIZES = [(2, 2), (3, 3), (3, 5), (5, 5), (12, 7)]


def sample(n, seed=0, shift=0.0):
    return np.random.default_rng(seed).lognormal(size=n) + shift


def array(values, **attrs):
    values = np.asarray(values, dtype=float)
    seeds = xr.Variable("seed", np.arange(values.shape[-1]), attrs)
    return xr.DataArray(values, dims=("lr", "seed")[-values.ndim :], coords={"seed": seeds})


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


@pytest.mark.parametrize(("n_a", "n_b"), SIZES)
def test_welch_is_that_of_scipy(n_a, n_b):
    a, b = sample(n_a), sample(n_b, 1)
    found = rc.compare(array(a), array(b), paired=False)
    expected = scipy.stats.ttest_ind(a, b, equal_var=False)
    np.testing.assert_allclose(found.p, expected.pvalue, **EXACT)
    np.testing.assert_allclose(found.ci, expected.confidence_interval(), **EXACT)
    assert found.attrs["test_source"] == "Welch's t (Welch 1947)"


@pytest.mark.parametrize("n", [2, 3, 8])
def test_pairs_are_those_of_scipy(n):
    a, b = sample(n), sample(n, 1)
    found = rc.compare(array(a), array(b))
    expected = scipy.stats.ttest_rel(a, b)
    np.testing.assert_allclose(found.p, expected.pvalue, **EXACT)
    np.testing.assert_allclose(found.ci, expected.confidence_interval(), **EXACT)
    np.testing.assert_allclose(found.correlation, np.corrcoef(a, b)[0, 1], **EXACT)
    assert found.n_pairs == n


@pytest.mark.parametrize(("n_a", "n_b"), SIZES[:4])
def test_all_permutations_of_the_labels(n_a, n_b):
    a, b = sample(n_a), sample(n_b, 1)
    both = np.r_[a, b]
    drawn = []
    for chosen in itertools.combinations(range(n_a + n_b), n_a):
        rest = np.delete(both, chosen)
        drawn.append(abs(scipy.stats.ttest_ind(both[list(chosen)], rest, equal_var=False)[0]))
    p = np.mean(np.array(drawn) >= drawn[0] * (1 - 1e-9))
    found = rc.compare(array(a), array(b), paired=False, test="permutation")
    np.testing.assert_allclose(found.p, p, **EXACT)
    least = (2 if n_a == n_b else 1) / math.comb(n_a + n_b, n_a)
    np.testing.assert_allclose(found.p_min, least, **EXACT)
    assert found.p >= found.p_min


@pytest.mark.parametrize("n", [2, 5, 6])
def test_all_flips_of_the_signs(n):
    a, b = sample(n), sample(n, 1)
    signs = np.array([*itertools.product([1, -1], repeat=n)])
    drawn = np.abs(signs @ (a - b))
    found = rc.compare(array(a), array(b), test="permutation")
    np.testing.assert_allclose(found.p, np.mean(drawn >= drawn[0] - 1e-12), **EXACT)
    assert found.p_min == 2 / 2**n


@pytest.mark.parametrize("n", [2, 3, 5])
def test_of_sides_of_one_size_the_t_orders_as_the_difference_of_means_does(n):
    a, b = sample(n), sample(n, 1)
    found = rc.compare(array(a), array(b), paired=False, test="permutation")
    expected = scipy.stats.permutation_test(
        (a, b), lambda x, y: abs(x.mean() - y.mean()), alternative="greater"
    )
    assert expected.null_distribution.size == math.comb(2 * n, n)
    np.testing.assert_allclose(found.p, expected.pvalue, **EXACT)


def test_values_that_are_the_same_and_rounding():
    """|t| is infinite where sides differ without spread, and 0 where all is the same."""
    flat = np.array([[1.0, 1, 1], [2, 2, 2], [0.3, 0.3, 0.3], [1e9, 1e9 + 1, 1e9 + 2]])
    other = np.array([[1.0, 1, 1], [3, 3, 3], [0.1 + 0.2] * 3, [2e9, 2e9 + 1, 2e9 + 2]])
    for paired, least in ((False, 0.1), (True, 0.25)):
        found = rc.compare(array(flat), array(other), paired=paired, test="permutation")
        np.testing.assert_allclose(found.p, [1, least, 1, least], **EXACT)


@pytest.mark.parametrize("paired", [False, True])
def test_values_without_any_spread_have_no_t_test(paired):
    """Accuracies of few test examples tie: that the spread is 0 is not known."""
    one = np.array([[0.999114] * 3, [0.1 + 0.2] * 3, [5.0] * 3])
    other = np.array([[1.0] * 3, [0.3] * 3, [5.0] * 3])
    found = rc.compare(array(one), array(other), paired=paired, margin=0.1)
    np.testing.assert_array_equal(found.p, [np.nan, 1, 1])
    np.testing.assert_array_equal(np.isnan(found.ci).all("ci_bound"), [True, False, False])
    np.testing.assert_array_equal(found.p_equivalent, [np.nan, 0, 0])
    both = xr.DataArray([one[0], other[0]], dims=("lr", "seed"), coords={"seed": [0, 1, 2]})
    assert rc.compare_all(both, over="lr").verdict.item() == "no spread between seeds, no test"


def test_a_permutation_cries_wolf_less_where_few_seeds_are_spread_more():
    """With 10 against 5 seeds, the 5 three times as spread, means alone reject 0.17 of the time."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2000, 10)), 3 * rng.standard_normal((2000, 5))
    rejected = rc.compare(array(a), array(b), paired=False, test="permutation").p <= 0.05
    assert rejected.mean() < 0.1


def test_the_smallest_p_is_what_the_design_can_give():
    far = []
    for n, paired in ((3, False), (5, False), (5, True), (6, True)):
        a, b = array(np.arange(n)), array(np.arange(n) + 99.0)
        far.append(rc.compare(a, b, paired=paired, test="permutation"))
    assert [f.p.item() for f in far] == [f.p_min.item() for f in far]
    np.testing.assert_allclose([f.p_min for f in far], [0.1, 2 / 252, 0.0625, 0.03125])


def test_many_seeds_are_permuted_at_random():
    a, b = sample(15), sample(15, 1, 0.5)
    found = rc.compare(array(a), array(b), paired=False, test="permutation", rng=0)
    expected = scipy.stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis) - y.mean(axis), n_resamples=50_000, rng=1
    )
    np.testing.assert_allclose(found.p, expected.pvalue, atol=0.01)
    assert found.p_min == 1 / 50_001
    again = rc.compare(array(a), array(b), paired=False, test="permutation", rng=0)
    xr.testing.assert_identical(found, again)


@pytest.mark.parametrize(("n_a", "n_b"), SIZES[1:])
def test_ranks_are_those_of_scipy(n_a, n_b):
    a, b = sample(n_a).round(1), sample(n_b, 1).round(1)
    found = rc.compare(array(a), array(b), paired=False, test="brunner-munzel")
    np.testing.assert_allclose(found.p, scipy.stats.brunnermunzel(a, b).pvalue, **EXACT)
    ks = scipy.stats.ks_2samp(a, b, method="exact")
    np.testing.assert_allclose([found.ks, found.ks_p], [ks.statistic, ks.pvalue], **EXACT)
    np.testing.assert_allclose(found.ks_at, ks.statistic_location, **EXACT)
    u = scipy.stats.mannwhitneyu(a, b).statistic / (n_a * n_b)
    np.testing.assert_allclose(found.superiority, u, **EXACT)
    np.testing.assert_allclose(found.cliffs_delta, 2 * u - 1, **EXACT)


def test_hedges_g_is_unbiased():
    """J(nu) is Gamma(nu/2) / (sqrt(nu/2) Gamma((nu-1)/2)); for 3 against 3, nu is 4."""
    a, b = sample(3), sample(3, 1)
    pooled = math.sqrt((a.var(ddof=1) + b.var(ddof=1)) / 2)
    exact = math.gamma(2) / (math.sqrt(2) * math.gamma(1.5))
    found = rc.compare(array(a), array(b), paired=False).hedges_g
    np.testing.assert_allclose(found, exact * (a.mean() - b.mean()) / pooled, **EXACT)


@pytest.mark.parametrize(("n_a", "n_b"), SIZES)
def test_the_interval_of_superiority(n_a, n_b):
    """Newcombe (2006), method 5, solved by another root finder."""
    a, b = sample(n_a).round(1), sample(n_b, 1, 0.5).round(1)
    found = rc.compare(array(a), array(b), paired=False, ci=0.9)
    above, z, half = found.superiority.item(), scipy.stats.norm.ppf(0.95), (n_a + n_b) / 2 - 1

    def gap(t):
        spread = t * (1 - t) * (1 + half * (1 - t) / (2 - t) + half * t / (1 + t)) / (n_a * n_b)
        return (above - t) ** 2 - z**2 * spread

    bounds = [
        scipy.optimize.brentq(gap, 0, min(above, 1 - 1e-9), xtol=1e-14) if above else 0,
        scipy.optimize.brentq(gap, max(above, 1e-9), 1, xtol=1e-14) if above < 1 else 1,
    ]
    np.testing.assert_allclose(found.superiority_ci, bounds, rtol=1e-9)
    back = rc.compare(array(b), array(a), paired=False, ci=0.9)
    np.testing.assert_allclose(back.superiority_ci, 1 - found.superiority_ci[::-1], rtol=1e-9)


def test_seeds_that_are_all_above_do_not_make_it_certain():
    found = rc.compare(array(np.arange(5.0)), array(np.arange(5.0) - 9))
    lower, upper = found.superiority_ci.values
    assert (found.superiority, upper) == (1, 1)
    assert 0.6 < lower < 0.7
    alone = rc.compare(array([1.0]), array([2.0]), paired=False)
    assert np.isnan(alone.superiority_ci).all()


def test_the_interval_of_superiority_holds_the_truth():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((4000, 5)) + 1, rng.standard_normal((4000, 5))
    bounds = rc.compare(array(a), array(b), paired=False).superiority_ci
    truth = scipy.stats.norm.cdf(1 / np.sqrt(2))
    held = (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
    assert 0.93 < held.mean() < 0.98


@pytest.mark.parametrize("paired", [False, True])
def test_equivalence_is_two_one_sided_tests(paired):
    a, b, margin = sample(8), sample(8, 1) + 0.1, 0.7
    found = rc.compare(array(a), array(b), paired=paired, margin=margin)
    if paired:
        sides = [
            scipy.stats.ttest_rel(a + margin, b, alternative="greater").pvalue,
            scipy.stats.ttest_rel(a - margin, b, alternative="less").pvalue,
        ]
    else:
        sides = [
            scipy.stats.ttest_ind(a + margin, b, alternative="greater", equal_var=False).pvalue,
            scipy.stats.ttest_ind(a - margin, b, alternative="less", equal_var=False).pvalue,
        ]
    np.testing.assert_allclose(found.p_equivalent, max(sides), **EXACT)
    assert found.attrs["margin"] == margin
    assert "p_equivalent" not in rc.compare(array(a), array(b))
    same = rc.compare(array([1.0, 1, 1]), array([1.0, 1, 1]), margin=0.1)
    far = rc.compare(array([1.0, 1, 1]), array([3.0, 3, 3]), margin=0.1)
    assert (same.p_equivalent, far.p_equivalent) == (0, 1)


# --- what is there, and what is a pair


matrices = hnp.arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(1, 6)),
    elements=st.one_of(st.just(np.nan), st.floats(-100, 100).map(lambda v: round(v, 2))),
)


@settings(deadline=None, max_examples=60)
@given(matrices, st.integers(0, 9), st.booleans(), st.sampled_from(["t", "permutation"]))
def test_only_what_is_there_counts_and_sides_can_be_exchanged(values, number, paired, test):
    other = np.random.default_rng(number).permuted(values, axis=1) + number
    a, b = array(values), array(other)
    kind = "auto" if paired else False
    found = rc.compare(a, b, test=test, paired=kind, rng=0)
    back = rc.compare(b, a, test=test, paired=kind, rng=0)
    np.testing.assert_allclose(found.difference, -back.difference, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.p, back.p, rtol=1e-9)
    np.testing.assert_allclose(found.superiority, 1 - back.superiority, rtol=1e-9)
    for row in range(len(values)):
        own, rival = values[row], other[row]
        if "paired" in found.attrs["test"]:
            both = ~np.isnan(own) & ~np.isnan(rival)
            own, rival = own[both], rival[both]
        own, rival = own[~np.isnan(own)], rival[~np.isnan(rival)]
        assert (found.n_a[row], found.n_b[row]) == (len(own), len(rival))
        if len(own) and len(rival):
            difference = own.mean() - rival.mean()
            np.testing.assert_allclose(found.difference[row], difference, atol=1e-9)
        if min(len(own), len(rival)) < 2:
            assert np.isnan(found.p[row])


def test_replicates_are_no_pairs(cube):
    a, b = array(sample(5)), array(sample(5, 1))
    assert rc.compare(a, b).n_pairs == 5
    numbered = array(sample(5, 1), long_name="replicate")
    assert rc.compare(a, numbered).n_pairs == 0
    drawn = b.assign_coords(seed_value=("seed", [7, 8, 9, 3, 1]))
    assert rc.compare(a, drawn).n_pairs == 0
    with pytest.raises(rc.PlanError, match="replicates"):
        rc.compare(a, numbered, paired=True)


def test_pairs_go_by_label():
    a, b = array(sample(5)), array(sample(5) + 1)
    shuffled = b.isel(seed=[4, 2, 0, 1])
    found = rc.compare(a, shuffled)
    assert found.n_pairs == 4
    np.testing.assert_allclose([found.difference, found.correlation], [-1, 1], **EXACT)


def test_selections_of_a_cube_in_both_layouts_and_lazily(cube):
    acc = cube.sel(metric=["acc1", "loss"], weights="DEFAULT")
    a, b = acc.sel(lr=0.2), acc.sel(lr=0.004)
    found = rc.compare(a, b, test="permutation")
    assert set(found.p.dims) == {"weight_decay", "split", "metric", "epoch"}
    assert "lr" not in found.coords
    assert found.coords["weights"].item() == "DEFAULT"
    lazy = rc.compare(a.chunk(epoch=4), b.chunk(seed=2), test="permutation")
    assert lazy.p.chunks is not None
    xr.testing.assert_allclose(lazy.compute(), found, rtol=1e-12)
    rows = rc.to_configs(cube).sel(metric=["acc1", "loss"])
    is_row = (rows.weights == "DEFAULT") & (rows.weight_decay == 0)
    one, other = (np.flatnonzero(is_row & (rows.lr == lr))[0] for lr in (0.2, 0.004))
    row = rc.compare(rows.isel(config=one), rows.isel(config=other), test="permutation")
    np.testing.assert_allclose(row.p, found.p.sel(weight_decay=0).transpose(*row.p.dims), **EXACT)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"dim": "sed"}, rc.UnknownNameError, "seed"),
        ({"test": "mann-whitney"}, rc.PlanError, "brunner"),
        ({"ci": 95}, rc.PlanError, "0.95"),
        ({"margin": -1}, rc.PlanError, "above 0"),
    ],
)
def test_errors_say_what_to_write(arguments, error, words):
    with pytest.raises(error, match=words):
        rc.compare(array([1.0, 2.0]), array([1.0, 2.0]), **arguments)
