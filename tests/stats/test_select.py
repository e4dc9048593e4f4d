"""``select``: unbiased where it says so, and the same as a plain implementation."""

import json
import warnings

import numpy as np
import pytest
import xarray as xr

import runcube as rc
from runcube.stats.choosing import Scores, cross_fitted, may_be_best, optimism, shrunken


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


def test_the_best_is_in_the_set_that_may_hold_it():
    rng = np.random.default_rng(2)
    held = [may_be_best(luck(rng, 10, 5)[0][:, :, 0], 0.95, 0)[0] for _ in range(300)]
    assert np.mean(held) > 0.95 - 3.5 * np.sqrt(0.95 * 0.05 / 300)
    apart = np.arange(10.0)[:, None] * 100 + rng.normal(size=(10, 5))
    assert may_be_best(apart, 0.95, 0).tolist() == [False] * 9 + [True]


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
