"""``importance``: textbook sums of squares, statsmodels' values, and what noise may not be."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from value_cubes import configs_cube, grid_cube

import runcube as rc

A = ["x", "y", "z"]
# Sums of squares of statsmodels 0.15.0, ols("y ~ C(s) + (C(a) + C(b) + C(c))**2"), typ=2, of
# unbalanced().
STATSMODELS = {
    "a": (21.88787593516846, 2),
    "b": (1.2321610320047647, 1),
    "c": (0.9713362845630441, 3),
    ("a", "b"): (1.7557165409876974, 2),
    ("a", "c"): (4.179186496838373, 6),
    ("b", "c"): (1.264365181166221, 3),
}


def found_of(ds, **how):
    return rc.importance(ds, metric="acc", mode="max", rng=0, **({"n_resamples": 99} | how))


def unbalanced():
    rng = np.random.default_rng(7)
    y = rng.normal(size=(3, 2, 4, 3)) + np.arange(3)[:, None, None, None] * 0.5
    y = np.round(y, 2)
    y[0, 0, 0, 0] = y[1, 1, 2, :] = y[2, 0, 3, 1] = np.nan
    return y


def residual_squares(y, columns):
    """Return the residual sum of squares and the rank of dummies of codes."""
    parts = [np.ones((len(y), 1))]
    for own in columns:
        labels = np.unique(own, axis=0, return_inverse=True)[1].reshape(-1)
        parts.append(np.eye(labels.max() + 1)[labels])
    design = np.concatenate(parts, axis=1)
    beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    return ((y - design @ beta) ** 2).sum(), rank


@given(st.integers(0, 99), st.tuples(*[st.integers(2, 3)] * 4), st.booleans())
def test_a_full_grid_has_the_textbook_shares_and_they_sum_to_one(seed, shape, labels):
    y = np.random.default_rng(seed).normal(size=shape) + np.arange(shape[0])[:, None, None, None]
    levels = {name: np.arange(n) for name, n in zip("abc", shape, strict=False)}
    found = found_of(grid_cube(y, labels, **levels), n_resamples=1)
    n, total, mean = y.size, ((y - y.mean()) ** 2).sum(), y.mean()

    def effect(*axes):
        own = y.mean(axis=tuple(i for i in range(4) if i not in axes), keepdims=True)
        for size in range(len(axes)):
            for part in itertools.combinations(axes, size):
                own = own - (effect(*part)[0] if part else mean)
        return own, n * (own**2).mean(), np.prod([shape[i] - 1 for i in axes])

    cells, seeds = n // shape[3], shape[3]
    between = seeds * ((y.mean(axis=3) - mean) ** 2).sum()
    block, df_block = (effect(3)[1], seeds - 1) if labels else (0.0, 0)
    error = (total - between - block) / (cells * (seeds - 1) - df_block)

    def omega(squares, df):
        return (squares - df * error) / (total + error)

    for i in range(3):
        np.testing.assert_allclose(found.importance[i], omega(*effect(i)[1:]), atol=1e-10)
    for place, pair in enumerate(itertools.combinations(range(3), 2)):
        np.testing.assert_allclose(found.interaction[place], omega(*effect(*pair)[1:]), atol=1e-10)
    if labels:
        np.testing.assert_allclose(found.seed, omega(block, df_block), atol=1e-10)
    assert np.isnan(found.seed) == (not labels)
    three = omega(*effect(0, 1, 2)[1:])
    whole = found.importance.sum() + found.interaction.sum() + three + found.noise
    np.testing.assert_allclose(whole + found.seed.fillna(0), 1, atol=1e-10)


def test_an_unbalanced_grid_has_the_type_two_squares_of_statsmodels():
    y = unbalanced()
    found = found_of(grid_cube(y, a=A, b=[1, 2], c=[0, 1, 2, 3]))
    row = np.argwhere(np.isfinite(y))
    flat = y[np.isfinite(y)]
    rest, rank = residual_squares(flat, [row[:, :3], row[:, 3:]])
    error, total = rest / (len(flat) - rank), ((flat - flat.mean()) ** 2).sum()
    expected = {
        key: (squares - df * error) / (total + error) for key, (squares, df) in STATSMODELS.items()
    }
    for key in "abc":
        np.testing.assert_allclose(found.importance.sel(key=key), expected[key], rtol=1e-10)
    for a, b, own in zip(found.a.values, found.b.values, found.interaction.values, strict=True):
        np.testing.assert_allclose(own, expected[a, b], rtol=1e-10)
    alone, _ = residual_squares(flat, [row[:, :3]])
    np.testing.assert_allclose(found.seed, (alone - rest - 2 * error) / (total + error), rtol=1e-9)


def test_a_useless_factor_gets_nothing_on_average_and_its_null_holds():
    rng = np.random.default_rng(0)
    shares, p = [], []
    for _ in range(100):
        y = rng.normal(size=(4, 3, 3)) + np.arange(3)[:, None]
        found = found_of(grid_cube(y, a=np.arange(4), b=np.arange(3)))
        shares.append([found.importance[0], found.interaction[0]])
        p.append(found.p.values)
    error = np.std(shares, axis=0) / np.sqrt(100)
    assert (np.abs(np.mean(shares, axis=0)) < 3.5 * error).all()
    rejected = (np.array(p) <= 0.05).mean(axis=0)
    assert rejected[0] < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 100)
    assert rejected[1] > 0.7


def test_one_run_of_each_configuration_has_no_share_of_the_seed():
    y = np.random.default_rng(1).normal(size=(4, 5, 1)) + np.arange(4)[:, None, None]
    found = found_of(grid_cube(y, a=np.arange(4), b=np.arange(5)))
    assert np.isnan(found.seed)
    assert np.isnan(found.noise)
    assert np.isnan(found.interaction).all()
    squares = 5 * ((y.mean(axis=(1, 2)) - y.mean()) ** 2).sum()
    other = 4 * ((y.mean(axis=(0, 2)) - y.mean()) ** 2).sum()
    total = ((y - y.mean()) ** 2).sum()
    error = (total - squares - other) / 12
    np.testing.assert_allclose(found.importance[0], (squares - 3 * error) / (total + error))


def test_a_conditional_key_is_compared_within_the_runs_that_have_it():
    rng = np.random.default_rng(2)
    optimizer = np.repeat(["adam", "sgd"], [3, 9])
    momentum = np.r_[["absent"] * 3, np.tile(["0.0", "0.5", "0.9"], 3)]
    lr = np.tile([1.0, 2.0, 3.0], 4)
    lr[3:] = np.repeat([1.0, 2.0, 3.0], 3)
    y = rng.normal(size=(12, 4)) + lr[:, None]
    whole = configs_cube(y, optimizer=optimizer, lr=lr, momentum=momentum)
    alone = configs_cube(y[3:], lr=lr[3:], momentum=momentum[3:])
    found, own = found_of(whole), found_of(alone)
    assert found.n_configs.values.tolist() == [12, 12, 9]
    for name in ("importance", "n_runs"):
        xr.testing.assert_allclose(
            found[name].sel(key="momentum", drop=True), own[name].sel(key="momentum", drop=True)
        )
    without = found_of(configs_cube(y, optimizer=optimizer, lr=lr))
    xr.testing.assert_allclose(found.importance[:2], without.importance)


def test_both_layouts_lazy_ones_and_permuted_seeds_agree():
    ds = grid_cube(unbalanced(), a=A, b=[1, 2], c=[0, 1, 2, 3])
    found = found_of(ds)
    others = {
        "configs": configs_cube(
            unbalanced().reshape(24, 3),
            a=np.repeat(A, 8),
            b=np.tile(np.repeat([1, 2], 4), 3),
            c=np.tile([0, 1, 2, 3], 6),
        ),
        "lazy": ds.chunk(seed=1),
        "permuted": ds.isel(seed=[2, 0, 1]),
    }
    for name, other in others.items():
        own = found_of(other)
        for share in ("importance", "interaction", "seed", "noise"):
            np.testing.assert_allclose(own[share], found[share], atol=1e-10, err_msg=name)


def test_what_another_key_or_the_seed_decides_is_left_out_and_named():
    y = np.random.default_rng(3).normal(size=(6, 3))
    depth = np.repeat([18, 50, 101], 2)
    ds = configs_cube(
        y, model=np.repeat(["r18", "r50", "r101"], 2), depth=depth, lr=np.tile([1, 2], 3)
    )
    order = (("config", "seed"), np.arange(18).reshape(6, 3), {"hparam": "order"})
    found = found_of(ds.assign_coords(order=order))
    assert found.key.values.tolist() == ["model", "lr"]
    assert found.attrs["left_out"] == (
        "order (differs between the seeds of a configuration); depth (model decides it)"
    )


def test_the_interval_of_one_factor_is_that_of_the_noncentrality_of_f():
    """Of the shares that are its bounds F would be as large, or as small, in 2.5 % of sweeps."""
    y = np.random.default_rng(4).normal(size=(4, 5)) + np.arange(4)[:, None]
    found = found_of(grid_cube(y, False, a=np.arange(4)))
    f = scipy.stats.f_oneway(*y).statistic
    for bound, tail in (("lower", 0.975), ("upper", 0.025)):
        share = found.ci.sel(key="a", ci_bound=bound).item()
        noncentrality = 20 * share / (1 - share)
        np.testing.assert_allclose(scipy.stats.ncf.cdf(f, 3, 16, noncentrality), tail, rtol=1e-6)
    none = found_of(grid_cube(np.tile(y.mean(axis=0), (4, 1)), False, a=np.arange(4)))
    assert none.ci.values.tolist() == [[0, 0]]
    huge = found_of(grid_cube(y + 1e7 * np.arange(4)[:, None], False, a=np.arange(4)))
    assert 0.99 < huge.ci[0, 0] <= huge.ci[0, 1] <= 1
    assert np.isnan(found_of(grid_cube(np.arange(8.0).reshape(4, 2) // 2, a=np.arange(4))).ci).all()


def test_intervals_hold_what_other_seeds_would_give():
    rng = np.random.default_rng(5)
    a, b = np.linspace(-1, 1, 4)[:, None, None], np.linspace(-1, 1, 3)[:, None]
    effect = a + 0.5 * b + a * b
    parts = [(a**2).mean(), (0.25 * b**2).mean(), (a**2 * b**2).mean()]
    true = np.array(parts) / (sum(parts) + 1)
    held = []
    for _ in range(200):
        y = effect + rng.normal(size=(4, 3, 3))
        found = found_of(grid_cube(y, a=np.arange(4), b=np.arange(3)), n_resamples=1)
        bounds = np.concatenate([found.ci, found.interaction_ci])
        held.append((bounds[:, 0] <= true) & (true <= bounds[:, 1]))
    assert (np.mean(held, axis=0) > 0.95 - 3.5 * np.sqrt(0.05 * 0.95 / 200)).all()


# --- random search


def search(n, seed, noise=0.3):
    """Return a random search in which lr matters, of wd nothing, and of opt a little."""
    rng = np.random.default_rng(seed)
    lr, wd = 10 ** rng.uniform(-4, 0, size=(2, n))
    opt = rng.choice(["adam", "sgd"], size=n)
    y = -((np.log10(lr) + 2) ** 2) + 0.5 * (opt == "sgd")
    return y[:, None] + noise * rng.normal(size=(n, 2)), {"lr": lr, "wd": wd, "opt": opt}


def test_of_labels_it_is_the_pearson_divergence():
    y, keys = search(50, 0)
    found = found_of(configs_cube(y, **keys), method="ped-anova", top=0.3)
    means = y.mean(axis=1)
    is_best = means >= np.sort(means)[-15]
    divergence = 0.0
    for label in ("adam", "sgd"):
        among_best = (keys["opt"][is_best] == label).mean()
        among_all = (keys["opt"] == label).mean()
        divergence += (among_best - among_all) ** 2 / among_all
    share = 0.3**2 * divergence / (0.3 * 0.7)
    np.testing.assert_allclose(found.importance.sel(key="opt"), share, rtol=1e-10)


def test_of_numbers_it_is_the_divergence_of_two_densities_of_ranks():
    y, keys = search(40, 1)
    found = found_of(configs_cube(y, **keys))
    means = y.mean(axis=1)
    is_best = means >= np.sort(means)[-8]
    at = (np.argsort(np.argsort(keys["lr"])) + 0.5) / 40
    width = 1.06 / np.sqrt(12) * 8**-0.2

    def density(points, u):
        mirrored = np.concatenate([points, -points, 2 - points])
        return np.exp(-0.5 * ((u - mirrored) / width) ** 2).sum() / len(points)

    ratio = np.array([density(at[is_best], u) / density(at, u) for u in at])
    local = 0.2 * ratio
    expected = ((local - local.mean()) ** 2).mean() / (0.2 * 0.8)
    np.testing.assert_allclose(found.importance.sel(key="lr"), expected, rtol=1e-10)
    assert found.attrs["method"] == "ped-anova"


def test_a_search_finds_what_matters_whatever_the_scale_of_the_key():
    y, keys = search(120, 2)
    found = found_of(configs_cube(y, **keys), n_resamples=999)
    assert found.importance.idxmax() == "lr"
    assert found.p.sel(key="lr") < 0.01
    assert found.importance.sel(key="wd") < found.null.sel(key="wd")
    assert found.ci.sel(key="lr", ci_bound="lower") > found.ci.sel(key="wd", ci_bound="lower")
    logged = found_of(configs_cube(y, **keys | {"lr": np.log(keys["lr"])}))
    np.testing.assert_allclose(logged.importance, found.importance, rtol=1e-10)


def test_the_null_of_a_search_holds():
    rejected = []
    for seed in range(100):
        y, keys = search(40, seed)
        found = found_of(configs_cube(y, **keys))
        rejected.append(found.p.sel(key="wd").item() <= 0.05)
    assert np.mean(rejected) < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 100)


def test_a_pair_of_labels_has_the_divergence_beyond_that_of_each():
    y, keys = search(80, 4)
    keys = {"opt": keys["opt"], "size": np.digitize(keys["lr"], [1e-3, 1e-2, 1e-1])}
    found = found_of(configs_cube(y, **keys), method="ped-anova", top=0.25)
    means = y.mean(axis=1)
    is_best = means >= np.sort(means)[-20]

    def share(*names):
        _, label = np.unique(
            np.stack([keys[n].astype(str) for n in names]), axis=1, return_inverse=True
        )
        near = np.array([is_best[label.ravel() == i].mean() for i in label.ravel()])
        return near.var() / (0.25 * 0.75)

    expected = share("opt", "size") - share("opt") - share("size")
    np.testing.assert_allclose(found.interaction, [expected], rtol=1e-10)
    low, high = found.interaction_ci[0].values
    assert low < high


@pytest.mark.parametrize("method", ["ped-anova", "forest"])
def test_two_keys_that_only_matter_together_are_an_interaction(method):
    rng = np.random.default_rng(6)
    a, b, c = rng.uniform(-1, 1, size=(3, 120))
    y = np.sign(a * b)[:, None] + 0.1 * rng.normal(size=(120, 2)) + 0.05 * (a * b)[:, None]
    how = {"method": method, "top": 0.4, "n_trees": 64, "n_resamples": 19}
    found = found_of(configs_cube(y, a=a, b=b, c=c), **how)
    pair = int(found.interaction.values.argmax())
    assert (found.a[pair], found.b[pair]) == ("a", "b")
    assert found.interaction[pair] > found.interaction_null[pair]
    assert found.interaction[pair] > found.importance.max()
    assert found.interaction_ci[pair, 0] > 0
    assert (found.interaction_p[1:] > 0.05).all()


def test_of_so_few_that_all_are_among_the_best_nothing_is_said():
    found = found_of(configs_cube(np.arange(5.0)[:, None], a=[1, 2, 3, 4, 5]), method="ped-anova")
    for name in ("importance", "ci", "null", "p"):
        assert np.isnan(found[name]).all()


def test_intervals_of_a_search_hold_what_other_searches_would_give():
    means, bounds = [], []
    for seed in range(50):
        rng = np.random.default_rng(seed)
        keys = dict(zip("abc", rng.uniform(-1, 1, size=(3, 60)), strict=True))
        y = keys["a"] * keys["b"] - keys["a"] ** 2 + 0.2 * rng.normal(size=60)
        found = found_of(configs_cube(y[:, None], **keys))
        means.append(np.concatenate([found.importance, found.interaction]))
        bounds.append(np.concatenate([found.ci, found.interaction_ci]))
    true, (low, high) = np.mean(means, axis=0), np.moveaxis(bounds, 2, 0)
    held = ((low <= true) & (true <= high)).mean(axis=0)
    assert (held > 0.95 - 3.5 * np.sqrt(0.05 * 0.95 / 50)).all()


def test_the_null_of_a_pair_of_a_search_holds():
    rejected = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        keys = {"a": rng.uniform(size=40), "b": rng.uniform(size=40)}
        found = found_of(configs_cube(rng.normal(size=(40, 2)), **keys))
        rejected.append(found.interaction_p.item() <= 0.05)
    assert np.mean(rejected) < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 100)


def test_a_search_over_a_conditional_key():
    y, keys = search(60, 3)
    has = np.arange(60) % 2 == 0
    number = np.where(has, np.random.default_rng(0).uniform(size=60), np.nan)
    momentum = np.where(has, number.astype(str), "absent")
    ds = configs_cube(y, **keys, momentum=momentum).assign_coords(
        momentum_value=("config", number, {"hparam": "momentum"})
    )
    found = found_of(ds)
    assert found.key.values.tolist() == ["lr", "wd", "opt", "momentum"]
    assert found.n_configs.values.tolist() == [60, 60, 60, 30]
    own = found_of(ds.isel(config=np.flatnonzero(has)))
    name = {"key": "momentum"}
    np.testing.assert_allclose(found.importance.sel(name), own.importance.sel(name), rtol=1e-10)


def test_errors_say_what_to_write():
    ds = grid_cube(np.ones((2, 2)), a=[0, 1])
    with pytest.raises(rc.UnknownNameError, match="acc"):
        rc.importance(ds, metric="ac", mode="max")
    with pytest.raises(rc.PlanError, match="ped-anova"):
        found_of(ds, method="fanova")
    with pytest.raises(rc.PlanError, match="n_resamples=0"):
        found_of(ds, n_resamples=0)
    with pytest.raises(rc.PlanError, match="n_trees=0"):
        found_of(ds, method="forest", n_trees=0)
    with pytest.raises(rc.PlanError, match="no hyperparameter varies"):
        found_of(ds.isel(a=[0]))
    with pytest.raises(rc.PlanError, match="between 0 and 1"):
        found_of(ds, top=2)


def test_a_real_sweep():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs("examples/logs")
    found = rc.importance(ds, metric="acc1", mode="max", rng=0, n_resamples=99)
    assert found.importance.idxmax() == "lr"
    assert found.attrs["method"] == "anova"
