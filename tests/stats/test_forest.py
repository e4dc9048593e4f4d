"""``importance(method="forest")``: against trees that are asked for every combination of labels."""

import itertools
import sys

import numpy as np
import pytest
import sklearn.ensemble
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from value_cubes import configs_cube, grid_cube

import runcube as rc
from runcube.stats.forest import Forest, Space, tree_shares

TERMS = [(0,), (1,), (2,), (0, 1), (0, 2), (1, 2)]
FEW = {"n_trees": 16, "n_resamples": 3}


def found_of(ds, **how):
    return rc.importance(ds, metric="acc", mode="max", rng=0, method="forest", **(FEW | how))


def some_search(seed, n=40):
    rng = np.random.default_rng(seed)
    lr = rng.choice([0.001, 0.01, 0.1, 1.0], size=n, p=[0.1, 0.2, 0.3, 0.4])
    opt = rng.choice(["adam", "lion", "sgd"], size=n, p=[0.5, 0.3, 0.2])
    wd = rng.uniform(size=n).round(2)
    y = np.log10(lr) * (opt == "sgd") + wd + 0.1 * rng.normal(size=n)
    return y, {"lr": lr, "opt": opt, "wd": wd}


def space_of(keys):
    numbers = [k if k.dtype.kind == "f" else np.full(len(k), np.nan) for k in keys.values()]
    return Space.of(list(zip(keys.values(), numbers, strict=True)))


def by_brute_force(predict, space):
    """Return the shares of a function that is asked for all combinations of labels."""
    sizes = [len(own) for own in space.levels]
    rows = [
        np.concatenate([own[label] for own, label in zip(space.levels, labels, strict=True)])
        for labels in itertools.product(*map(range, sizes))
    ]
    value = predict(np.array(rows, dtype=np.float32)).reshape(sizes)
    weight = np.einsum("i,j,k->ijk", *space.share)
    mean = (value * weight).sum()
    variance = ((value - mean) ** 2 * weight).sum()

    def along(*keys):
        others = tuple(i for i in range(3) if i not in keys)
        mass = weight.sum(axis=others)
        marginal = (value * weight).sum(axis=others) / mass
        return ((marginal - mean) ** 2 * mass).sum() / variance

    return [along(*term) - (len(term) > 1) * sum(along(key) for key in term) for term in TERMS]


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 999))
def test_a_tree_is_decomposed_exactly(seed):
    y, keys = some_search(seed)
    space = space_of(keys)
    forest = sklearn.ensemble.RandomForestRegressor(3, random_state=seed, min_samples_leaf=2)
    for tree in forest.fit(space.columns, y).estimators_:
        found = tree_shares(tree.tree_, space, TERMS)
        np.testing.assert_allclose(found, by_brute_force(tree.predict, space), atol=1e-12)


def test_the_forest_is_the_mean_of_its_trees():
    y, keys = some_search(0)
    found = found_of(configs_cube(y[:, None], **keys))
    space = space_of(keys)
    forest = Forest.grown(space, y, 16, [0, 0])
    each = [
        by_brute_force(lambda rows, tree=tree: tree.predict(rows)[:, 0], space)
        for tree in forest.trees
    ]
    mean = np.mean(each, axis=0)
    np.testing.assert_allclose(found.importance, mean[:3], atol=1e-12)
    np.testing.assert_allclose(found.interaction, mean[3:], atol=1e-12)
    # In the plain words of the paper: what each tree has, against how often it has each row.
    counts = forest.counts - forest.counts.mean(axis=0)
    away = np.array(each) - mean
    variance = ((counts.T @ away / 16) ** 2).sum(axis=0) - 40 / 16**2 * (away**2).sum(axis=0)
    variance = np.maximum(variance, (away**2).sum(axis=0) / 16**2)
    bounds = np.concatenate([found.ci, found.interaction_ci])
    odds = np.log(bounds / (1 - bounds))
    half = 1.959963984540054 * np.sqrt(variance) / (mean * (1 - mean))
    np.testing.assert_allclose((odds[:, 1] - odds[:, 0]) / 2, half, rtol=1e-9)


def test_trees_predict_what_they_have_not_seen_as_scikit_learn_says():
    y, keys = some_search(1, n=80)
    space = space_of(keys)
    forest = sklearn.ensemble.RandomForestRegressor(100, random_state=0, oob_score=True).fit(
        space.columns, y
    )
    counts = np.array([np.bincount(own, minlength=80) for own in forest.estimators_samples_])
    own = Forest(space, [tree.tree_ for tree in forest.estimators_], counts)
    np.testing.assert_allclose(own.r2(y), forest.oob_score_, rtol=1e-12)
    assert np.isnan(own.r2(np.ones(80)))


def test_it_finds_what_matters_whatever_the_scale_and_the_layout():
    y, keys = some_search(2, n=100)
    ds = configs_cube(y[:, None] + np.zeros(2), **keys)
    found = found_of(ds, n_trees=64, n_resamples=19)
    assert found.importance.idxmax() == "opt"
    assert found.p.sel(key="opt") == 0.05
    assert (found.a[0], found.b[0]) == ("lr", "opt")
    assert found.interaction[0] == found.interaction.max()
    assert found.r2 > 0.5
    assert (found.ci.sel(ci_bound="lower") <= found.importance).all()
    assert (found.ci.sel(ci_bound="upper") >= found.importance).all()
    shares = found.importance.sum() + found.interaction.sum()
    assert 0.8 < shares <= 1
    logged = found_of(configs_cube(y[:, None], **keys | {"lr": np.log(keys["lr"])}))
    np.testing.assert_allclose(logged.importance, found_of(ds).importance, rtol=1e-10)
    grid = np.random.default_rng(0).normal(size=(3, 4, 2)) + np.arange(3)[:, None, None]
    square = grid_cube(grid, a=[1, 2, 3], b=[1, 2, 3, 4])
    rows = configs_cube(grid.reshape(12, 2), a=np.repeat([1, 2, 3], 4), b=np.tile([1, 2, 3, 4], 3))
    xr.testing.assert_allclose(found_of(square), found_of(rows))
    xr.testing.assert_allclose(found_of(square.chunk(seed=1)), found_of(square))


def test_a_useless_key_is_below_its_null():
    rejected = []
    for seed in range(15):
        rng = np.random.default_rng(seed)
        keys = {"a": rng.uniform(size=30), "b": rng.uniform(size=30)}
        y = keys["a"][:, None] + 0.2 * rng.normal(size=(30, 1))
        found = found_of(configs_cube(y, **keys), n_resamples=19)
        rejected.append(found.p.sel(key="b").item() <= 0.05)
        assert found.p.sel(key="a") == 0.05
    assert np.mean(rejected) < 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 15)


def test_a_conditional_key_has_a_forest_of_the_runs_that_have_it():
    y, keys = some_search(3, n=60)
    has = np.arange(60) % 2 == 0
    number = np.where(has, np.random.default_rng(0).uniform(size=60), np.nan)
    momentum = np.where(has, number.astype(str), "absent")
    ds = configs_cube(y[:, None], **keys, momentum=momentum).assign_coords(
        momentum_value=("config", number, {"hparam": "momentum"})
    )
    found, own = found_of(ds), found_of(ds.isel(config=np.flatnonzero(has)))
    name = {"key": "momentum"}
    np.testing.assert_allclose(found.importance.sel(name), own.importance.sel(name))
    assert found.n_configs.values.tolist() == [60, 60, 60, 30]


def test_values_that_do_not_differ_say_nothing():
    found = found_of(configs_cube(np.ones((20, 1)), a=np.arange(20.0)))
    assert np.isnan(found.importance).all()
    assert np.isnan(found.p).all()
    assert np.isnan(found.r2)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(rc.PlanError, match=r"pip install runcube\[forest\]"):
        found_of(configs_cube(np.arange(20.0)[:, None], a=np.arange(20.0)))
