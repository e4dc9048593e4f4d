"""Hyperparameters that are called as what statistics return: no error, and none lost."""

import json

import numpy as np
import pytest
import sweeps
import xarray as xr
from plot_cubes import made
from shell import ok, rows

import runcube as rc
from runcube.plan.names import reserved

HOW = {"metric": "loss", "mode": "min"}
RNG = np.random.default_rng(0)
VALUES = RNG.normal(size=(3, 2, 3, 2, 1, 3))


def cube(name):
    labels = {name: [1, 2, 4], "lr": [0.1, 0.2]}
    return made(VALUES, np.ones(VALUES.shape, bool), labels, ["val", "test"], ["loss"])


def end(ds):
    return rc.final(ds.sel(split="val", metric="loss"))


CALLS = {
    "summarize": lambda ds, name: rc.summarize(end(ds)),
    "bootstrap": lambda ds, name: rc.bootstrap(end(ds), np.ptp),
    "compare": lambda ds, name: rc.compare(end(ds).sel(lr=0.1), end(ds).sel(lr=0.2)),
    "compare_all": lambda ds, name: rc.compare_all(end(ds), over="lr"),
    "compare_all over it": lambda ds, name: rc.compare_all(end(ds), over=name),
    "select": lambda ds, name: rc.select(ds, rng=0, **HOW),
    "rank": lambda ds, name: rc.rank(ds, rng=0, n_resamples=9, **HOW),
    "best_of_k": lambda ds, name: rc.best_of_k(
        end(ds), over="lr", dim="seed", mode="min", cost="runs"
    ),
    "marginals": lambda ds, name: rc.marginals(ds, over=name, **HOW),
    "divergence": lambda ds, name: rc.divergence(ds, mode="min"),
    "time_to": lambda ds, name: rc.time_to(ds, 0.0, mode="min"),
}


def names_in(found):
    return [str(name) for name in (*found.data_vars, *found.coords, *found.dims)]


@pytest.mark.parametrize("call", CALLS)
def test_a_name_of_the_result_does_no_harm_as_a_hyperparameter(call):
    usual = CALLS[call](cube("key1"), "key1")
    taken = {*names_in(usual)} - {"key1", "lr", "seed", "split", "metric", "epoch", "status"}
    taken -= {"run_id", "path", *reserved()}
    assert taken
    for name in sorted(taken):
        found = CALLS[call](cube(name), name)
        back = {f"{name}_": "key1"} if f"{name}_" in names_in(found) else {}
        for variable in usual.data_vars:
            own = found[variable].rename(
                {n: k for n, k in back.items() if n in found[variable].coords}
            )
            assert own.dims == usual[variable].dims, name
            np.testing.assert_array_equal(own.values, usual[variable].values, err_msg=name)
        if "key1" in usual.coords:
            assert found[f"{name}_"].attrs["hparam"] == name
            assert found[f"{name}_"].values.tolist() == usual["key1"].values.tolist()


def test_a_dim_that_is_reduced_is_found_by_its_own_name():
    data = xr.DataArray(VALUES[:, 0, :, 0, 0, 0], dims=("n", "seed"))
    assert rc.summarize(data, dim=["n", "seed"]).n == 9
    assert rc.summarize(data).n.dims == ("n_",)
    assert rc.bootstrap(data, np.ptp, dim="n").n.dims == ("seed",)


def test_tables_and_commands_take_such_names(tmp_path):
    configs = sweeps.product_configs(n=[1, 2], ci=[0.1, 0.2], p=[0.0, 0.5])
    root = sweeps.write_sweep(tmp_path, configs, range(3))
    asked = ("--metric", "loss", "--split", "val")
    told = rows("results", root, *asked, "--mode", "min")
    assert {(row["n"], row["ci"], row["p"]) for row in told} == {
        (n, ci, p) for n in "12" for ci in ("0.1", "0.2") for p in ("0", "0.5")
    }
    assert {row["a"] for row in rows("compare", root, "--over", "p", *asked)} == {0.0}
    assert "all 2 values of p" in ok("compare", root, "--over", "n", *asked, "--within", "p")
    (best,) = rows("best", root, "--metric", "loss", "--mode", "min", "--report", "train")
    assert {*best["winner"]} == {"n", "ci", "p"}
    assert json.dumps(best["config"]["n"]) in ("1", "2")
