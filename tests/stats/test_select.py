"""``select``: unbiased where it says so, and the same as a plain implementation."""

import json
import warnings
from itertools import product

import numpy as np
import pytest
import scipy.stats
import xarray as xr

import runcube as rc
from runcube.stats.choosing import (
    Scores,
    _largest_t,
    cross_fitted,
    may_be_best,
    optimism,
    shrunken,
)


@pytest.fixture(scope="module")
def cube():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


def luck(rng, configs, seeds, rho=0.8, true=0.0):
    """Return val and test of configurations whose runs are lucky on both, (configs, seeds, 1)."""
    own = rng.normal(size=(configs, 1)) * true
    val, other = rng.normal(size=(2, configs, seeds))
    test = rho * val + np.sqrt(1 - rho**2) * other
    return (own + val)[:, :, None], (own + test)[:, :, None]


def test_the_cross_fitted_value_is_not_flattered_and_the_plain_one_is():
    rng = np.random.default_rng(0)
    fitted, plain = [], []
    for _ in range(300):
        val, test = luck(rng, 36, 5)
        scores = Scores(val, test, "best")
        fitted.append(cross_fitted(scores)[0].mean())
        winner, at = scores.choose(np.ones(5))
        plain.append(scores.at_chosen_x(at)[1][winner].mean())
    error = np.std(fitted) / np.sqrt(len(fitted))
    assert abs(np.mean(fitted)) < 3.5 * error
    assert np.mean(plain) > 0.6


def test_the_optimism_is_a_lower_bound():
    rng = np.random.default_rng(1)
    found = [optimism(Scores(*luck(rng, 36, 5), "best"), 1000, 0) for _ in range(20)]
    assert 0.5 < np.mean(found) < 0.9


def plain_means(values, seeds, epoch):
    """Return the mean of each configuration over drawn seeds; None where there is none."""
    found = []
    for curves in values[:, seeds]:
        there = np.isfinite(curves)
        if epoch == "best":
            at = np.flatnonzero(there.sum(axis=0) == there.sum(axis=0).max())
            means = [curves[there[:, x], x].mean() for x in at if there[:, x].any()]
            found.append(max(means, default=None))
        else:
            own = [c[t] for c, t in zip(curves, there, strict=True) if t.any()]
            ends = [c.max() if epoch == "each" else c[-1] for c in own]
            found.append(np.mean(ends) if ends else None)
    return found


@pytest.mark.parametrize("epoch", ["best", "last", "each"])
@pytest.mark.parametrize("missing", [0, 0.4])
def test_the_optimism_is_that_of_all_draws_of_seeds(epoch, missing, monkeypatch):
    values = np.random.default_rng(5).normal(size=(6, 3, 4))
    if missing:
        values[np.random.default_rng(6).random(values.shape) < missing] = np.nan
        values[0] = np.nan
        values[1, 1:] = np.nan
    whole, gains = plain_means(values, [0, 1, 2], epoch), []
    for seeds in product(range(3), repeat=3):
        means = plain_means(values, list(seeds), epoch)
        best = max(
            i for i, mean in enumerate(means) if mean == max(m for m in means if m is not None)
        )
        gains.append(means[best] - whole[best])
    monkeypatch.setattr("runcube.stats.choosing._BLOCK", 100)  # several blocks
    found = optimism(Scores(values, values, epoch), 1000, 0)
    np.testing.assert_allclose(found, np.mean(gains) * np.sqrt(3 / 2), rtol=1e-12)


def test_the_best_is_in_the_set_that_may_hold_it():
    rng = np.random.default_rng(2)
    runs = [luck(rng, 10, 5)[0][:, :, 0] for _ in range(1000)]
    for variances, most in (("unequal", 1), ("equal", 0.95 + 3.5 * np.sqrt(0.95 * 0.05 / 1000))):
        held = [may_be_best(values, 0.95, variances)[0] for values in runs]
        assert 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 1000) < np.mean(held) <= most
        apart = np.arange(10.0)[:, None] * 100 + rng.normal(size=(10, 5))
        assert may_be_best(apart, 0.95, variances).tolist() == [False] * 9 + [True]


def test_one_configuration_that_varies_more_is_held_only_by_its_own_variance():
    rng = np.random.default_rng(3)
    runs = rng.normal(size=(500, 36, 5))
    runs[:, 0] *= 10
    held = {
        variances: np.mean([may_be_best(values, 0.95, variances)[0] for values in runs])
        for variances in ("unequal", "equal")
    }
    assert held["unequal"] > 0.95
    assert held["equal"] < 0.8


@pytest.mark.parametrize("level", [0.4, 0.95])
def test_the_set_by_unequal_variances_is_that_of_welchs_tests_of_scipy(level, monkeypatch):
    monkeypatch.setattr("runcube.stats.choosing._PAIRS", 30)  # several blocks
    rng = np.random.default_rng(4)
    values = rng.normal(size=(12, 6)) * rng.lognormal(size=(12, 1)) + rng.normal(size=(12, 1))
    values[rng.random(values.shape) < 0.2] = np.nan
    least = 1 - level ** (1 / 11)
    for shift in (0, 3):
        values[:4] += shift
        found = may_be_best(values, level)
        wanted = [
            all(
                scipy.stats.ttest_ind(
                    other, own, equal_var=False, alternative="greater", nan_policy="omit"
                ).pvalue
                >= least
                for j, other in enumerate(values)
                if j != i
            )
            for i, own in enumerate(values)
        ]
        assert found.tolist() == wanted
        assert 0 < found.sum() < 12


# Dunnett (1955), A multiple comparison procedure for comparing several treatments with a control,
# JASA 50, Table 1a: one-sided, 95 %, by degrees of freedom, for 1 to 9 treatments.
DUNNETT = {
    5: [2.02, 2.44, 2.68, 2.85, 2.98, 3.08, 3.16, 3.24, 3.30],
    10: [1.81, 2.15, 2.34, 2.47, 2.56, 2.64, 2.70, 2.76, 2.81],
    20: [1.72, 2.03, 2.19, 2.30, 2.39, 2.46, 2.51, 2.56, 2.60],
}


@pytest.mark.parametrize("df", DUNNETT)
def test_the_critical_values_are_those_of_dunnetts_table(df):
    found = [_largest_t((4,), (count + 1,), df, 0.95)[0] for count in range(1, 10)]
    np.testing.assert_allclose(found, DUNNETT[df], atol=0.0055)


def test_the_critical_values_of_unequal_sizes_are_those_of_the_multivariate_t_of_scipy():
    critical = _largest_t((3, 5), (2, 3), 11, 0.9)
    for size, found in zip((3, 5), critical, strict=True):
        others = np.array([3, 3, 5, 5, 5.0])
        others = np.delete(others, np.flatnonzero(others == size)[0])
        share = np.sqrt(others / (others + size))
        shape = np.outer(share, share)
        np.fill_diagonal(shape, 1)
        together = scipy.stats.multivariate_t(shape=shape, df=11, seed=0)
        assert together.cdf(np.full(4, found), maxpts=50_000) == pytest.approx(0.9, abs=1e-4)


def test_what_has_no_spread_of_its_own_is_out_only_where_that_is_certain():
    alone = np.array([[1.0, np.nan, np.nan], [9, 9.1, 9.2], [5, 5.1, 5.2], [np.nan] * 3])
    assert may_be_best(alone, 0.95).tolist() == [True, True, False, False]
    assert may_be_best(alone, 0.95, "equal").tolist() == [False, True, False, False]
    flat = np.array([[1.0, 1, 1], [2, 2, 2], [2, 2, 2], [1.9, 2, 2.1]])
    assert may_be_best(flat, 0.95).tolist() == [False, True, True, True]
    assert may_be_best(flat[:3], 0.95, "equal").tolist() == [False, True, True]


def test_shrinking_draws_noise_together_and_leaves_what_is_apart():
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(50, 5))
    assert shrunken(noise).std() < 0.5 * noise.mean(axis=1).std()
    apart = np.arange(50.0)[:, None] * 100 + noise
    np.testing.assert_allclose(shrunken(apart), apart.mean(axis=1), atol=0.1)


# --- the face, against plain Python


def plainly(ds, mode, report):
    """Return the cross-fitted value: epoch by the mean of the other seeds, on complete curves."""
    sign = 1 if mode == "max" else -1
    rows = rc.to_configs(ds.sel(metric="acc1"))
    val, test = (sign * rows.curve.sel(split=s).values for s in ("val", report))
    found = []
    for seed in range(val.shape[1]):
        best = None
        for config in range(len(val)):
            others = [val[config, s] for s in range(val.shape[1]) if s != seed]
            reached = np.sum([~np.isnan(own) for own in others], axis=0)
            if not reached.max():
                continue
            for epoch in np.flatnonzero(reached == reached.max()):
                there = [own[epoch] for own in others if not np.isnan(own[epoch])]
                if best is None or np.mean(there) > best[0] + 1e-12:
                    best = np.mean(there), config, epoch
        found.append(sign * test[best[1], seed, best[2]])
    return found


@pytest.mark.parametrize("mode", ["max", "min"])
def test_the_folds_are_those_of_a_plain_implementation(cube, mode):
    found = rc.select(cube, metric="acc1", mode=mode, report="eval", rng=0)
    np.testing.assert_allclose(found.fold_value, plainly(cube, mode, "eval"), rtol=1e-12)
    np.testing.assert_allclose(found.value, np.mean(plainly(cube, mode, "eval")), rtol=1e-12)


def test_layouts_laziness_and_the_order_of_seeds_are_nothing(cube):
    found = rc.select(cube, metric="acc1", mode="max", report="eval", rng=0)
    winner = {"weights": "DEFAULT", "lr": 0.2, "weight_decay": 0.0}
    assert json.loads(found.attrs["winner"]) == winner
    assert found.is_winner.sum() == 1
    assert found.attrs["variances"] == "unequal"
    assert "Tamhane" in found.attrs["may_be_best_source"]
    assert found.is_winner.sel(winner).item()
    config = json.loads(found.attrs["winner_config"])
    assert (config["optim.lr"], config["optim.momentum"], config["epochs"]) == (0.2, None, 20)
    others = {
        "configs": rc.to_configs(cube),
        "lazy": cube.chunk(seed=1, epoch=7),
        "shuffled": cube.isel(seed=[3, 1, 4, 0, 2]),
        "selected": cube.sel(metric=["acc1"], split=["eval", "val"]),
    }
    for other in others.values():
        again = rc.select(other, metric="acc1", mode="max", report="eval", rng=0)
        assert again.attrs == found.attrs
        for name in ("value", "ci", "plain", "chosen_by", "optimism", "correlation", "chosen_x"):
            np.testing.assert_allclose(again[name], found[name], rtol=1e-9)


def test_a_key_that_the_winner_does_not_have_is_not_in_its_configuration(cube):
    own = cube.assign_coords(weights=("weights", ["None", "absent"], cube.weights.attrs))
    found = rc.select(own, metric="acc1", mode="max", report="eval", rng=0)
    assert json.loads(found.attrs["winner"])["weights"] == "absent"
    assert "model.weights" not in json.loads(found.attrs["winner_config"])


@pytest.mark.parametrize("epoch", ["best", "last", "each"])
def test_every_way_to_take_an_epoch_reports_a_logged_value(cube, epoch):
    found = rc.select(cube, metric="acc1", mode="max", report="eval", epoch=epoch, rng=0)
    logged = cube.curve.sel(metric="acc1", split="eval").values
    assert all(np.isclose(logged, value, rtol=1e-12).any() for value in found.fold_value.values)


def test_a_run_that_diverged_counts_against_its_configuration(cube):
    ds = cube.copy(deep=True)
    at = {"weights": "DEFAULT", "lr": 0.2, "weight_decay": 0.0, "seed": 1}
    ds.curve.loc[at | {"metric": "acc1", "split": "val", "epoch": 19}] = np.nan
    assert ds.logged.loc[at | {"metric": "acc1", "split": "val", "epoch": 19}].item()

    def winner(diverged):
        found = rc.select(ds, metric="acc1", mode="max", report="eval", diverged=diverged, rng=0)
        assert found.n_diverged == 1
        return {name: value for name, value in at.items() if name != "seed"} == json.loads(
            found.attrs["winner"]
        )

    assert [winner(d) for d in ("worst", "exclude", "fail")] == [False, True, False]


def test_a_sweep_of_one_seed_has_no_honest_value(cube):
    found = rc.select(cube.isel(seed=[0]), metric="acc1", mode="max", report="eval")
    assert (found.n_folds.item(), np.isnan(found.value.item())) == (0, True)
    assert np.isfinite(found.plain.item())


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"metric": "acc"}, rc.UnknownNameError, "acc1"),
        ({"report": "test"}, rc.UnknownNameError, "eval"),
        ({"mode": "best"}, rc.PlanError, "'max' or 'min'"),
        ({"epoch": "final"}, rc.PlanError, "last"),
        ({"variances": "pooled"}, rc.PlanError, "'unequal' or 'equal'"),
    ],
)
def test_errors_say_what_to_write(cube, arguments, error, words):
    with pytest.raises(error, match=words):
        rc.select(cube, **{"metric": "acc1", "mode": "max", "report": "eval"} | arguments)


def test_a_cube_without_curves_is_an_error(cube):
    with pytest.raises(rc.PlanError, match="x-axis"):
        rc.select(cube.isel(epoch=-1), metric="acc1", mode="max", report="eval")
    with pytest.raises(rc.PlanError, match="not a runcube cube"):
        rc.select(xr.Dataset(coords={"metric": ["acc1"], "split": ["val", "eval"]}),
                  metric="acc1", mode="max", report="eval")  # fmt: skip
