"""Five real sweeps in plain JSON lines: header, rows, trailer; nothing is said about them."""

import json
import re
from pathlib import Path

import independent_loader
import numpy as np
import pytest
from conservation import at_key, cells, curves, load, load_warned, lost, misplaced
from independent_loader import Layout

import runcube as rc

DATA = Path(__file__).parents[1] / "data" / "muon-norm-cap"
X = {
    "lmc_instability": "spawn_step",
    "mech": "step",
    "muon_plasticity": "task",
    "group_complexity": "step",
    "add_normctl": "step",
}
# What the configuration does not say stands in the names of the files.
PATH_KEYS = {
    "group_complexity": "{study}_{g}_{o}_d{width}_s{s}.jsonl",
    "add_normctl": "{k}_s{s}.jsonl",
}
each_sweep = pytest.mark.parametrize("name", X)
_cubes = {}


def cube(name):
    if name not in _cubes:
        keys = {"path_keys": PATH_KEYS[name]} if name in PATH_KEYS else {}
        _cubes[name] = load(DATA / name, **keys)
    return _cubes[name]


def lines(path, name):
    return [json.loads(line) for line in (DATA / name / path).read_text().splitlines()]


def runs(name):
    """Each run of the cube with the lines of its file."""
    found = [(cell, lines(cell.path.item(), name)) for cell in cells(cube(name))]
    assert len(found) == len(list((DATA / name).iterdir()))
    return found


def only(cell_by_path, path):
    return next(cell for cell in cell_by_path if cell.path.item() == path)


SIZES = {
    "lmc_instability": {"optimizer": 3, "seed": 10, "spawn_step": 9},
    "mech": {"optimizer": 2, "init_scale": 2, "weight_decay": 2, "seed": 2},
    "muon_plasticity": {"arm": 2, "optimizer": 2, "seed": 2, "task": 100},
    "add_normctl": {"k": 4, "seed": 2},
}


@pytest.mark.parametrize("name", SIZES)
def test_dims_are_what_varies_in_the_order_of_the_configuration(name):
    ds = cube(name)
    want = {"split": ds.sizes["split"], "metric": ds.sizes["metric"]} | SIZES[name]
    assert {d: n for d, n in ds.sizes.items() if d in want or d != X[name]} == {
        d: n for d, n in want.items() if d in want
    }
    inner = ("split", "metric", X[name])
    outer = tuple(d for d in SIZES[name] if d != X[name])
    if name != "add_normctl":  # where the key of the path stands is not said
        assert ds.curve.dims == outer + inner


@each_sweep
def test_every_run_is_in_the_cell_of_its_configuration_and_none_is_a_duplicate(name):
    assert json.loads(cube(name).attrs["skipped"]) == []
    for cell, records in runs(name):
        meta = records[0]["_meta"]
        assert cell.seed.item() == meta["seed"]
        for key in ("optimizer", "group", "arm", "init_scale", "weight_decay", "steps"):
            if key in cell.coords and key in meta:
                assert cell[key].item() == meta[key]


@each_sweep
def test_seed_is_the_seed(name):
    ds = cube(name)
    assert "seed" in ds.curve.dims
    assert ds.seed.dtype == np.int64
    assert ds.seed.attrs["hparam"] == "_meta.seed"


@each_sweep
def test_x_is_what_rises_along_the_rows_whatever_it_is_called(name):
    ds = cube(name)
    assert ds.curve.dims[-1] == X[name]
    steps = {r[X[name]] for _, records in runs(name) for r in records if X[name] in r}
    assert ds[X[name]].values.tolist() == sorted(steps)


@each_sweep
def test_every_row_stands_at_its_x_under_its_name_and_split(name):
    layout = Layout(X[name], header="_meta", trailer="_summary")
    expected = independent_loader.values(DATA / name, layout)
    assert len(expected) > 900
    assert misplaced(cube(name), expected) == {}


@each_sweep
def test_nothing_is_lost(name):
    assert lost(DATA / name, cube(name)) == []


@each_sweep
def test_results_of_the_last_line_stand_at_the_end_of_the_run(name):
    for cell, records in runs(name):
        summary = records[-1].get("_summary", {})
        end = max(r[X[name]] for r in records if X[name] in r)
        told = records[0]["_meta"].keys() | {"elapsed_sec", "vocab_size"}
        own = {k: v for k, v in summary.items() if k not in told and type(v) in (int, float)}
        assert own or not summary
        for key, value in own.items():
            assert at_key(cell, "_summary", key) == {end: value}, (cell.path.item(), key)


@each_sweep
def test_what_the_last_line_repeats_of_the_configuration_is_no_metric(name):
    ds = cube(name)
    names = {metric.rpartition("/")[2] for metric in ds.metric.values.tolist()}
    for _, records in runs(name):
        assert names & records[0]["_meta"].keys() == set()
    assert not {str(m) for m in ds.metric.values} & {"elapsed_sec", "_summary/elapsed_sec"}


@each_sweep
def test_the_configuration_is_no_message(name):
    for cell, _ in runs(name):
        assert cell.messages.item() == ""


@each_sweep
def test_elapsed_sec_is_the_train_time(name):
    for cell, records in runs(name):
        if "_summary" in records[-1]:
            assert cell.train_time.item() == records[-1]["_summary"]["elapsed_sec"]
        else:
            assert np.isnan(cell.train_time.item())


@each_sweep
def test_a_null_is_no_value(name):
    ds = cube(name)
    for cell, records in runs(name):
        rows = [r for r in records if X[name] in r]
        for key in [k for k in rows[0] if any(r[k] is None for r in rows)]:
            logged = {r[X[name]]: r[key] for r in rows if r[key] is not None}
            assert at_key(cell, key) == logged
    nowhere = {"last_task_steps"} & {m.rpartition("/")[2] for m in ds.metric.values.tolist()}
    assert nowhere == set()


def test_lists_of_two_numbers_are_two_metrics():
    assert {"loss_endpoints/0", "loss_endpoints/1"} <= set(cube("lmc_instability").metric.values)
    for cell, records in runs("lmc_instability"):
        for i in (0, 1):
            for key in ("loss_endpoints", "acc_endpoints"):
                logged = {r["spawn_step"]: r[key][i] for r in records if key in r}
                assert curves(cell)["all", f"{key}/{i}"] == logged


def test_a_list_of_the_configuration_is_no_metric():
    ds = cube("lmc_instability")
    assert "spawn_steps" in str(ds.attrs["constant_hparams"])
    assert not [m for m in ds.metric.values.tolist() if "spawn_steps" in m]


def test_a_key_that_follows_another_is_its_coordinate():
    assert cube("mech").steps.dims == ("init_scale",)
    assert cube("mech").steps.sel(init_scale=3.0) == 12000


def test_values_that_were_read_by_eye():
    mech = only(cells(cube("mech")), "adamw_sc1.0_wd1.0_s0.jsonl")
    acc = mech.curve.sel(split="test", metric="acc").dropna("step")
    assert (acc.size, acc.step[-1], acc[-1]) == (37, 900, 0.9992913603782654)
    norm = only(cells(cube("add_normctl")), "k1p5_s4.jsonl")
    loss = norm.curve.sel(split="test", metric="loss").dropna("step")
    assert (loss.size, loss.step[-1], loss[-1]) == (14, 650, 0.00040234168409369886)
    lmc = cube("lmc_instability").sel(optimizer="muon", seed=9, spawn_step=8000)
    assert lmc.curve.sel(split="all", metric="barrier") == 3.098711172293406


def test_nested_objects_of_a_row_are_metrics():
    cell = cube("muon_plasticity").sel(arm="label_refit", optimizer="adamw", seed=0, task=99)
    assert cell.curve.sel(split="all", metric="probes/grad_norm") == 0.053128521889448166


def test_a_run_without_a_last_line_has_its_three_rows():
    cell = only(cells(cube("lmc_instability")), "adamw_s7.jsonl")
    assert list(at_key(cell, "barrier")) == [0, 50, 100]


def test_runs_of_one_configuration_are_told_apart_by_the_first_word_of_their_names():
    found = {
        (c.study.item(), c.group.item(), c.seed.item()): c.path.item()
        for c in cells(cube("group_complexity"))
    }
    assert found == {
        (study, group, seed): f"{study}_{group}_adamw_d256_s{seed}.jsonl"
        for study in ("capA", "ladder")
        for group in ("A5", "S5")
        for seed in range(3)
    }


@pytest.mark.parametrize("name", PATH_KEYS)
def test_the_template_that_the_warning_prints_tells_all_runs_apart(name):
    ds, warned = load_warned(DATA / name)
    assert len(list(cells(ds))) == len(list((DATA / name).iterdir()))
    template = re.search(r"path_keys=(['\"])(.+?)\1", warned)
    assert template, warned
    ds = load(DATA / name, path_keys=template[2])
    assert len(list(cells(ds))) == len(list((DATA / name).iterdir()))
    assert {cell.seed.item() for cell in cells(ds)} == {
        r[0]["_meta"]["seed"] for _, r in runs(name)
    }
    sweep = rc.scan(DATA / name, path_keys=template[2])
    assert not [note for note in sweep.notes if "path_keys" in note]


@pytest.mark.parametrize(
    ("name", "sizes"), [("add_normctl", {"k": 4, "seed": 2}), ("group_complexity", {"level1": 2})]
)
def test_names_are_read_where_the_configuration_leaves_runs_alike(name, sizes):
    ds, warned = load_warned(DATA / name)
    assert "read from the names of the logs" in warned
    assert dict(ds.sizes) | sizes == dict(ds.sizes)
    assert json.loads(ds.attrs["skipped"]) == []
    assert len(list(cells(ds))) == len(list((DATA / name).iterdir()))


@pytest.mark.parametrize("name", sorted(X.keys() - PATH_KEYS))
def test_names_are_not_read_where_the_configuration_tells_runs_apart(name):
    _, warned = load_warned(DATA / name)
    assert "path_keys" not in warned
