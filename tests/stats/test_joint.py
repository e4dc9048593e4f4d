"""``compare_all`` where comparisons hold all at once: Dunnett, Games and Howell, max-t."""

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
from runcube.stats.permutations import max_t
from runcube.stats.simultaneous import dunnett

EXACT = {"rtol": 1e-12, "atol": 1e-12}
SIZES = [(2, 2), (5, 5, 5), (3, 3, 3, 3, 3), (4, 7, 3, 10), (30, 2, 12)]


def array(values, dims=("lr", "seed"), **attrs):
    values = np.asarray(values, dtype=float)
    coords = {"lr": np.arange(len(values))}
    if "seed" in dims:
        coords["seed"] = ("seed", np.arange(values.shape[dims.index("seed")]), attrs)
    return xr.DataArray(values, dims=dims, coords=coords)


def groups(sizes, seed=0):
    """Values of several spreads and means, and the same as an array."""
    rng = np.random.default_rng(seed)
    found = [rng.normal(0.7 * i, 1 + i / 2, n) for i, n in enumerate(sizes)]
    values = np.full((len(sizes), max(sizes)), np.nan)
    for row, own in zip(values, found, strict=True):
        row[: len(own)] = own
    return found, array(values)


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


# --- Dunnett, Games and Howell


@pytest.mark.parametrize("sizes", SIZES)
def test_games_howell_is_that_of_scipy(sizes):
    own, values = groups(sizes)
    found = rc.compare_all(values, over="lr", adjust="games-howell", ci=0.9)
    expected = scipy.stats.tukey_hsd(*own, equal_var=False)
    ci = expected.confidence_interval(0.9)
    at = found.a.values, found.b.values
    np.testing.assert_allclose(found.p_games_howell, expected.pvalue[at], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.ci.sel(ci_bound="lower"), ci.low[at], rtol=1e-8)
    np.testing.assert_allclose(found.ci.sel(ci_bound="upper"), ci.high[at], rtol=1e-8)
    assert "Games and Howell" in found.attrs["ci_method"]


@pytest.mark.parametrize("sizes", SIZES)
def test_dunnett_is_that_of_scipy(sizes):
    """scipy integrates by random points: to some four digits."""
    own, values = groups(sizes)
    found = rc.compare_all(values, over="lr", baseline=0, adjust="dunnett")
    expected = scipy.stats.dunnett(*own[1:], control=own[0], rng=np.random.default_rng(0))
    ci = expected.confidence_interval(0.95)
    np.testing.assert_allclose(found.p_dunnett, expected.pvalue, atol=3e-4)
    np.testing.assert_allclose(found.ci.sel(ci_bound="lower"), ci.low, rtol=0.01, atol=0.01)
    assert "equal spreads" in found.attrs["ci_method"]


@pytest.mark.parametrize(
    ("groups", "n", "critical"),
    # Dunnett (1964), New tables for multiple comparisons with a control: two-sided, 5 %.
    [(2, 6, 2.23), (3, 6, 2.44), (4, 6, 2.54), (5, 7, 2.58), (6, 6, 2.66), (5, 2, 3.48)],
)
def test_critical_values_are_those_of_the_table(groups, n, critical):
    half = dunnett(
        np.random.default_rng(0).normal(size=(groups, n, 1, 1)),
        [(i, 0) for i in range(1, groups)],
        0.95,
    )[:, 0, 0]
    values = np.random.default_rng(0).normal(size=(groups, n))
    error = np.sqrt(values.var(axis=1, ddof=1).mean() * 2 / n)
    np.testing.assert_allclose((half[:, 2] - half[:, 1]) / 2 / error, critical, atol=0.005)


def test_two_settings_need_no_adjustment():
    own, values = groups((6, 9))
    welch = scipy.stats.ttest_ind(*own, equal_var=False)
    student = scipy.stats.ttest_ind(*own)
    all_pairs = rc.compare_all(values, over="lr", adjust="games-howell")
    one = rc.compare_all(values, over="lr", baseline=1, adjust="dunnett")
    np.testing.assert_allclose(all_pairs.p_games_howell, [welch.pvalue], rtol=1e-9)
    np.testing.assert_allclose(all_pairs.ci[0], welch.confidence_interval(), rtol=1e-8)
    np.testing.assert_allclose(one.p_dunnett, [student.pvalue], rtol=1e-9)
    np.testing.assert_allclose(one.ci[0], student.confidence_interval(), rtol=1e-8)


@pytest.mark.parametrize("way", [{"adjust": "games-howell"}, {"adjust": "dunnett", "baseline": 3}])
def test_missing_seeds_and_settings_are_left_out(way):
    own, values = groups((5, 6, 4, 6))
    sparse = xr.concat([values, values + np.nan, values.where(values.seed < 1)], "lr")
    sparse = sparse.isel(lr=[0, 4, 1, 2, 3, 8]).assign_coords(lr=[0, 9, 1, 2, 3, 8])
    expected = rc.compare_all(values, over="lr", **way)
    found = rc.compare_all(sparse, over="lr", **way)
    (name,) = {"p_games_howell", "p_dunnett"} & {*found}
    is_there = ~(found.a.isin([8, 9]) | found.b.isin([8, 9]))
    np.testing.assert_allclose(found[name][is_there], expected[name], rtol=1e-9)
    np.testing.assert_allclose(found.ci[is_there], expected.ci, rtol=1e-9)
    assert found[name][~is_there].isnull().all()
    assert set(found.verdict[~is_there].values) == {"too few seeds for a test"}
    assert len(own) == 4


@pytest.mark.parametrize("way", [{"adjust": "games-howell"}, {"adjust": "dunnett", "baseline": 0}])
def test_several_metrics_are_allowed_for_and_intervals_agree_with_p(way):
    values = np.random.default_rng(0).normal(size=(4, 3, 5)) + np.arange(4)[:, None, None]
    values[:, 2] = np.nan  # a metric that nobody logged is no test
    both = array(values, ("lr", "metric", "seed"))
    found = rc.compare_all(both, over="lr", **way)
    (name,) = {"p_games_howell", "p_dunnett"} & {*found}
    for metric in (0, 1):
        alone = rc.compare_all(both.isel(metric=metric), over="lr", **way, ci=0.975)
        np.testing.assert_allclose(
            found[name].isel(metric=metric), np.minimum(1, 2 * alone[name]), rtol=1e-9
        )
        np.testing.assert_allclose(found.ci.isel(metric=metric), alone.ci, rtol=1e-8)
    outside = (found.ci[..., 0] > 0) | (found.ci[..., 1] < 0)
    np.testing.assert_array_equal(outside, found[name] <= 0.05)
    assert 0 < outside.sum() < outside.size
    along = rc.compare_all(both, over="lr", x="metric", **way)
    alone = rc.compare_all(both.isel(metric=1), over="lr", **way)
    np.testing.assert_allclose(along[name].isel(metric=1), alone[name], rtol=1e-9)


def test_settings_without_spread_leave_no_doubt():
    values = array([[1.0, 1, 1], [1, 1, 1], [2, 2, 2]])
    for way in ({"adjust": "games-howell"}, {"adjust": "dunnett", "baseline": 0}):
        found = rc.compare_all(values, over="lr", **way)
        (name,) = {"p_games_howell", "p_dunnett"} & {*found}
        assert found[name].values.tolist() == [float(d == 0) for d in found.difference.values]
        np.testing.assert_array_equal(found.ci[:, 0], found.difference)


# --- max-t


def welch(a, b):
    a, b = a[~np.isnan(a)], b[~np.isnan(b)]
    if min(len(a), len(b)) < 2:
        return 0.0
    return abs(scipy.stats.ttest_ind(a, b, equal_var=False).statistic)


def by_hand(a, b):
    """p of curves (seeds, points), by exchanging whole runs."""
    both = np.concatenate([a, b])
    largest = []
    for chosen in itertools.combinations(range(len(both)), len(a)):
        rest = np.delete(both, chosen, axis=0)
        t = [welch(*sides) for sides in zip(both[list(chosen)].T, rest.T, strict=True)]
        largest.append(max(t))
    observed = np.array([welch(*sides) for sides in zip(a.T, b.T, strict=True)])
    return np.mean(np.array(largest)[:, None] >= observed * (1 - 1e-9), axis=0)


def least_by_hand(a, b):
    """The share of arrangements in which the values of a point are where they were, or swapped."""
    there = ~np.isnan(np.concatenate([a, b]))
    first = np.arange(len(there)) < len(a)
    rows = [
        np.isin(np.arange(len(there)), chosen)
        for chosen in itertools.combinations(range(len(there)), len(a))
    ]
    return [
        np.mean([(r == first)[own].all() or (r != first)[own].all() for r in rows])
        for own in there.T
    ]


@pytest.mark.parametrize("missing", [False, True])
def test_max_t_exchanges_whole_runs(missing):
    values = np.random.default_rng(3).normal(size=(2, 4, 6)).cumsum(axis=2)
    values[1] += 1
    if missing:
        values[0, 1, 3:] = values[1, 2, 4:] = values[1, 3, 5:] = np.nan
    curves = array(values, ("lr", "seed", "epoch"))
    found = rc.compare_all(
        curves, over="lr", test="permutation", adjust="max-t", paired=False
    ).isel(pair=0)
    np.testing.assert_allclose(found.p_max_t, by_hand(*values), **EXACT)
    np.testing.assert_allclose(found.p_min, least_by_hand(*values), **EXACT)
    assert (found.p_max_t >= found.p_min).all()
    if not missing:
        assert (found.p_max_t >= found.p).all()
        np.testing.assert_allclose(found.p_min, 2 / math.comb(8, 4), **EXACT)


def test_max_t_flips_the_signs_of_seeds_everywhere():
    values = np.random.default_rng(4).normal(size=(3, 6, 5)).cumsum(axis=2)
    values[0, 2, 3:] = np.nan
    pairs = [(0, 1), (0, 2), (1, 2)]
    flips = [*itertools.product([1, -1], repeat=6)]
    t = np.zeros((len(flips), 3, 5))
    for row, flip in enumerate(flips):
        for column, (i, j) in enumerate(pairs):
            drawn = (values[i] - values[j]) * np.array(flip)[:, None]
            statistic = scipy.stats.ttest_1samp(drawn, 0, nan_policy="omit").statistic
            t[row, column] = np.abs(statistic)
    expected = (t.max(axis=(1, 2))[:, None, None] >= t[0] * (1 - 1e-9)).mean(axis=0)
    curves = array(values, ("lr", "seed", "epoch"))
    found = rc.compare_all(curves, over="lr", test="permutation", adjust="max-t")
    np.testing.assert_allclose(found.p_max_t, expected, **EXACT)
    least = np.full((3, 5), 2 / 2**6)
    least[:2, 3:] = 2 / 2**5
    np.testing.assert_allclose(found.p_min, least, **EXACT)


def test_one_comparison_at_one_point_needs_no_adjustment():
    for sizes in ((3, 5), (5, 5), (12, 9)):
        _, values = groups(sizes)
        for paired in (True, False):
            found = rc.compare_all(
                values, over="lr", test="permutation", adjust="max-t", paired=paired, rng=1
            )
            np.testing.assert_allclose(found.p_max_t, found.p, rtol=1e-12)


@pytest.mark.parametrize("missing", [False, True])
def test_max_t_is_exact_where_nothing_differs(missing):
    """Each arrangement of the same runs may have been observed: p is at most u for a share u."""
    runs = np.random.default_rng(5).lognormal(size=(7, 4)).cumsum(axis=1)
    if missing:
        runs[0, 1:] = runs[1, 2:] = runs[2, 0] = runs[4, 3] = np.nan
    smallest = []
    for chosen in itertools.combinations(range(7), 3):
        values = np.full((2, 4, 4), np.nan)
        values[0, :3], values[1] = runs[list(chosen)], np.delete(runs, chosen, axis=0)
        p = max_t(values, [(0, 1)], paired=False, n_resamples=9, seed=0)[0, :, 0]
        smallest.append(np.nanmin(p))
    smallest = np.array(smallest)
    for level in np.unique(smallest):
        assert (smallest <= level).mean() <= level + 1e-12
    assert smallest.min() < 0.1


def test_comparisons_of_different_numbers_of_runs_share_their_draws():
    _, values = groups((5, 5, 4))
    first, again, other = (
        rc.compare_all(values, over="lr", test="permutation", adjust="max-t", paired=False, rng=r)
        for r in (0, 0, 1)
    )
    xr.testing.assert_identical(first, again)
    np.testing.assert_allclose(first.p_max_t, other.p_max_t, atol=0.02)
    assert (first.p_max_t >= first.p - 0.02).all()
    np.testing.assert_allclose(first.p_min, [2 / 252, 1 / 126, 1 / 126])


curves = hnp.arrays(
    np.float64,
    st.tuples(st.just(3), st.integers(1, 5), st.integers(1, 3)),
    elements=st.one_of(st.just(np.nan), st.floats(-100, 100).map(lambda v: round(v, 2))),
)


@settings(deadline=None, max_examples=40)
@given(curves, st.booleans(), st.permutations(range(5)))
def test_the_order_of_seeds_and_the_unit_of_values_do_not_matter(values, paired, order):
    order = [i for i in order if i < values.shape[1]]
    found = [
        max_t(v, [(0, 2), (1, 2)], paired=paired, n_resamples=500, seed=0)
        for v in (values, 8.0 * values[:, order] - 16.0)
    ]
    runs = [np.isfinite(own).any(axis=1).sum() for own in values]
    p, least = found[0][..., 0], found[0][..., 1]
    known = ~np.isnan(p)
    if paired or min(runs[:2]) < 2 or runs[0] == runs[1]:  # enumerated
        np.testing.assert_allclose(found[0], found[1], **EXACT)
        assert (least[known] <= p[known] + 1e-12).all()
    else:
        np.testing.assert_allclose(found[0], found[1], atol=0.2)
    assert ((p[known] > 0) & (p[known] <= 1)).all()
    np.testing.assert_array_equal(known, ~np.isnan(least))


def test_seeds_that_go_together_make_the_whole_curve_significant():
    """Where Holm over the points finds that five seeds cannot do, max-t uses what they share."""
    rng = np.random.default_rng(6)
    values = rng.normal(size=(2, 5, 1)) * 0.1 + 0.01 * rng.normal(size=(2, 5, 50))
    values[1] += 1
    curves = array(values, ("lr", "seed", "epoch"))
    ways = {"over": "lr", "test": "permutation", "paired": False}
    assert set(rc.compare_all(curves, **ways).verdict.values.ravel()) == {
        "cannot be significant with 5 seeds"
    }
    found = rc.compare_all(curves, **ways, adjust="max-t")
    assert set(found.verdict.values.ravel()) == {"b is higher"}
    assert found.attrs["p_adjusted_for"] == 50
    three = rc.compare_all(curves.isel(seed=[0, 1, 2]), **ways, adjust="max-t")
    assert set(three.verdict.values.ravel()) == {"cannot be significant with 3 seeds"}


# --- verdicts by other rules


def test_the_verdict_goes_by_what_is_asked_for():
    values = np.random.default_rng(0).normal(size=(6, 5)) + np.arange(6)[:, None] * 0.6
    names = {"holm": "p_holm", "bh": "p_bh", "games-howell": "p_games_howell"}
    counts = []
    for adjust, name in names.items():
        found = rc.compare_all(array(values), over="lr", adjust=adjust, paired=False)
        is_higher = found.verdict.isin(["a is higher", "b is higher"])
        np.testing.assert_array_equal(is_higher, found[name] <= 0.05)
        assert found.attrs["adjust"] == adjust
        counts.append(int(is_higher.sum()))
    assert counts[0] < counts[1]


def test_the_rule_of_bouthillier():
    """P(A > B): its interval above 1/2, and perhaps above 3/4."""
    rng = np.random.default_rng(0)
    few, many = rng.normal(size=(3, 10)), rng.normal(size=(2, 400))
    few[2] += 5
    many[1] += 0.4
    found = rc.compare_all(array(few), over="lr", rule="bouthillier", paired=False)
    assert found.verdict.values.tolist() == ["undecided", "b is higher", "b is higher"]
    slight = rc.compare_all(array(many), over="lr", rule="bouthillier", paired=False)
    assert slight.superiority_ci.values[0, 1] < 0.5
    assert slight.superiority_ci.values[0, 0] > 0.25
    assert slight.verdict.item() == "b is higher, not meaningfully"
    assert "Bouthillier" in slight.attrs["verdict_rule"]
    back = rc.compare_all(array(many[::-1]), over="lr", rule="bouthillier", paired=False)
    assert back.verdict.item() == "a is higher, not meaningfully"
    alone = rc.compare_all(array(few[:, :1]), over="lr", rule="bouthillier")
    assert set(alone.verdict.values) == {"too few seeds for a test"}


def test_equivalence_within_a_margin():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 30)) + np.array([0, 0, 1, 9])[:, None]
    found = rc.compare_all(array(values), over="lr", margin=2, paired=False)
    assert found.verdict.values.tolist() == [
        "equivalent within the margin", "b is higher, within the margin", "b is higher",
        "b is higher, within the margin", "b is higher", "b is higher",
    ]  # fmt: skip
    assert (found.p_equivalent_holm >= found.p_equivalent).all()
    few = rc.compare_all(array(values[:, :3]), over="lr", margin=0.1, paired=False)
    assert "equivalent within the margin" not in few.verdict.values


# --- cubes


@pytest.mark.parametrize(
    "way",
    [
        {"adjust": "games-howell"},
        {"adjust": "dunnett", "baseline": 0.2},
        {"adjust": "max-t", "test": "permutation", "paired": False},
        {"adjust": "max-t", "test": "permutation", "baseline": 0.2},
        {"rule": "bouthillier", "margin": 1.0},
    ],
)
def test_cubes_lazily_and_in_both_layouts(cube, way):
    ds = cube.sel(weights="DEFAULT", metric=["acc1", "loss"], epoch=[3, 9, 19])
    found = rc.compare_all(ds, over="lr", **way, rng=0)
    assert found.verdict.dims == found.p.dims
    lazy = rc.compare_all(ds.chunk(epoch=2, seed=2), over="lr", **way, rng=0)
    assert lazy.verdict.chunks is not None
    lazy = lazy.compute()
    xr.testing.assert_allclose(lazy.drop_vars("verdict"), found.drop_vars("verdict"), rtol=1e-9)
    np.testing.assert_array_equal(lazy.verdict, found.verdict)
    row = rc.compare_all(ds.sel(weight_decay=[0.0]), over="lr", **way, rng=0)
    rows = rc.to_configs(cube).sel(metric=["acc1", "loss"], epoch=[3, 9, 19])
    rows = rows.isel(config=(rows.weights == "DEFAULT") & (rows.weight_decay == 0))
    if "baseline" in way:
        way = way | {"baseline": rows.config.values[rows.lr.values.tolist().index(0.2)]}
    rows = rc.compare_all(rows, over="config", **way, rng=0)
    for name, values in row.squeeze("weight_decay").items():
        np.testing.assert_array_equal(rows[name].transpose(*values.dims), values)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"adjust": "tukey"}, "games-howell"),
        ({"adjust": "dunnett"}, "baseline="),
        ({"adjust": "games-howell", "baseline": 1}, "all pairs"),
        ({"adjust": "games-howell", "paired": True}, "independent"),
        ({"adjust": "games-howell", "test": "permutation"}, "'t'"),
        ({"adjust": "max-t"}, "'permutation'"),
        ({"rule": "bootstrap"}, "bouthillier"),
        ({"margin": 0}, "above 0"),
    ],
)
def test_errors_say_what_to_write(arguments, words):
    with pytest.raises(rc.PlanError, match=words):
        rc.compare_all(array(np.zeros((3, 3))), over="lr", **arguments)
