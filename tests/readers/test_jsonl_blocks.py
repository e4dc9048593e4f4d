"""Runs that follow each other in one file, told apart by nothing but their columns."""

import json
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonl_logs import curve, kinds, load, write

import runcube as rc
from runcube.core.model import Request
from runcube.readers.jsonl.options import Options
from runcube.readers.jsonl.run_table import RunTable
from runcube.readers.table import Part, read_table

CELLS = [(lr, seed) for lr in (0.1, 0.2) for seed in (0, 1, 2)]


def block(n=5, first=0, **said):
    return [{**said, "epoch": e, "loss": said.get("seed", 0) + e / 10} for e in range(first, n)]


def sweep(n=5):
    return [r for lr, seed in CELLS for r in block(n, lr=lr, seed=seed)]


def cube(root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rc.load_runs(root)


def test_columns_that_change_where_x_begins_anew_are_the_configuration_of_runs(tmp_path):
    write(tmp_path / "all.jsonl", sweep())
    ds = cube(tmp_path)
    assert dict(ds.sizes) == {"lr": 2, "seed": 3, "split": 1, "metric": 1, "epoch": 5}
    assert ds.curve.sel(lr=0.2, seed=2, metric="loss", split="all").values[3] == 2.3
    assert not len(rc.problems(ds))


def test_what_stands_before_the_first_row_is_of_all_runs(tmp_path):
    tasks = [r for task in range(3) for r in block(task=task)]
    write(tmp_path / "all.jsonl", [{"lr": 0.1, "depth": 2}, *tasks])
    runs = load(tmp_path)
    assert [run.header.config for run in runs] == [{"lr": 0.1, "depth": 2}] * 3
    assert [run.header.constants["task"] for run in runs] == [0, 1, 2]


def test_rows_of_splits_one_after_the_other_are_one_run(tmp_path):
    write(tmp_path / "log.jsonl", [*block(split="train"), *block(split="val")])
    (run,) = load(tmp_path)
    assert run.splits == ("train", "val")


def test_an_attempt_is_no_run_of_its_own(tmp_path):
    decay = [{**r, "lr": 0.1 / (1 + r["epoch"] // 2)} for r in [*block(6), *block(3)]]
    write(tmp_path / "log.jsonl", decay)
    (run,) = load(tmp_path)
    assert len(run.curves[0].lines) == 9


def test_a_resume_on_another_machine_is_the_same_run(tmp_path):
    write(tmp_path / "log.jsonl", [*block(5, host="a"), *block(8, 3, host="b")])
    (run,) = load(tmp_path)
    assert len(run.curves[0].lines) == 10


def test_what_changes_with_each_epoch_tells_no_runs_apart(tmp_path):
    rows = [
        {"epoch": e, "iter": i, "lr": 0.1 / (e + 1), "loss": 1 / (1 + e + i)}
        for e in range(4)
        for i in range(5)
    ]
    write(tmp_path / "log.jsonl", rows)
    assert len(load(tmp_path)) == 1


def test_the_sweep_says_what_told_the_runs_apart(tmp_path):
    write(tmp_path / "all.jsonl", sweep())
    text = rc.scan(tmp_path).explain()
    assert "columns that change where x begins anew: lr, seed" in text


def rows_of(records):
    data = "".join(json.dumps(record) + "\n" for record in records).encode()
    return [rows.tolist() for rows in RunTable(read_table([Part("", data)]), Options()).runs.rows]


@settings(max_examples=600, deadline=None)
@given(
    row=st.integers(0, 29),
    key=st.sampled_from(["lr", "seed", "epoch", "loss"]),
    value=st.sampled_from([0, 1, 4, 7, 95, -3, 0.15, 0.7, "x", None]),
)
def test_one_damaged_value_moves_no_row_of_another_run(row, key, value):
    records = sweep()
    records[row] = records[row] | {key: value}
    found, wanted = rows_of(records), rows_of(sweep())
    mine = next(rows for rows in wanted if row in rows)
    assert [rows for rows in wanted if rows != mine] == [
        rows for rows in found if not set(rows) & set(mine)
    ]


@pytest.mark.parametrize("row", range(0, 30, 7))
def test_a_damaged_value_is_named_and_costs_no_other(tmp_path, row):
    records = sweep()
    records[row] = records[row] | {"seed": 9}
    write(tmp_path / "all.jsonl", records)
    runs = load(tmp_path, request=Request())
    assert [len(curve(run, "loss")[0]) for run in runs] == [5] * 6
    assert sum(bool(kinds(run)) for run in runs) <= 1
