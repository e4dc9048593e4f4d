"""Which files the JSONL reader takes for logs."""

import json
import pickle

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonl_logs import epochs, write

import runcube as rc
from runcube.core import DEFAULT_LIMITS
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl import Options, open_log
from runcube.readers.jsonl.claims import begins_training, looks_like_training
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.table import Part


@pytest.mark.parametrize(
    "lines",
    [
        [{"run_id": "a", "step": 9, "acc": 1.0}, {"run_id": "b", "step": 9, "acc": 2.0}],
        [{"name": "x", "count": 1}, {"name": "y", "count": 2}],
        ["{", '"step": 1', "}"],
        ["hello"],
        ["version https://git-lfs.github.com/spec/v1"],
        ["[1, 2]"],
    ],
)
def test_what_is_no_training_log_is_not_claimed(tmp_path, lines):
    write(tmp_path / "a.jsonl", lines)
    write(tmp_path / "a.json", lines)
    assert list(JsonlReader().find(Tree(list_files(tmp_path)))) == []


def test_a_log_that_lacks_the_named_x_is_not_claimed(tmp_path):
    write(tmp_path / "a.jsonl", epochs(3))
    assert list(JsonlReader(x="step").find(Tree(list_files(tmp_path)))) == []


def test_the_reader_can_be_pickled_and_has_a_name():
    reader = JsonlReader(config=["a"], metrics=["loss"], name="ours")
    assert pickle.loads(pickle.dumps(reader)) == reader
    assert reader.name == "ours"


def test_what_is_called_like_the_logs_is_one_though_it_tells_nothing(tmp_path):
    telling = [{"epoch": e, "val_loss": e / 7} for e in range(3)]
    for name, rows in {"a": telling, "b": telling, "c": [{"note": "x", "loss": 0}] * 2}.items():
        write(tmp_path / name / "log.jsonl", rows)
    sources = JsonlReader().find(Tree(list_files(tmp_path)))
    assert [s.path for s in sources] == [f"{name}/log.jsonl" for name in "abc"]


def test_a_table_of_results_is_no_log_but_by_name(tmp_path):
    rows = [{"config": {"lr": lr, "seed": s}, "test_acc": lr + s} for lr in (1, 2) for s in (0, 1)]
    write(tmp_path / "results.jsonl", rows)
    with pytest.raises(rc.NoRunsError, match="JsonlReader"):
        rc.load_runs(tmp_path)
    ds = rc.load_runs(tmp_path, reader=JsonlReader(config="config"))
    assert ds.curve.sel(split="test", metric="acc").squeeze().values.tolist() == [[1, 2], [2, 3]]


def any_record(keys):
    values = st.integers(-1, 3) | st.floats(0, 2) | st.sampled_from(["train", "x", True, None, {}])
    nested = st.dictionaries(st.sampled_from(["lr", "loss"]), values, max_size=2)
    return st.dictionaries(st.sampled_from(keys), values | nested, max_size=4)


NAMES = ["step", "epochs", "epoch", "loss", "x", "run", "split", "config", "args", "time", "text"]


@given(st.lists(any_record(NAMES), max_size=6), st.lists(any_record(NAMES), max_size=6))
@example([{"step": 0, "x": 0.5, "args": {"x": 1}}, {"step": 1, "args": {"x": 2}}], [])
@example([{"step": 1, "x": 0.5}, {"step": 2, "run": "a"}, {"step": 3, "run": "b"}], [])
@example([{"epochs": 1, "x": 0.5}, {"epochs": 1, "x": 0.25}], [{"text": "a"}])
def test_what_the_first_records_show_the_whole_head_does(first, later):
    data = b"".join(json.dumps(record).encode() + b"\n" for record in (*first, *later))
    if begins_training(data, DEFAULT_LIMITS):
        assert looks_like_training(open_log([Part("log.jsonl", data)], Options()))


@pytest.mark.parametrize(
    ("is_shown", "lines"),
    [
        (True, [{"config": {"lr": 0.1}}, {"step": 0, "loss": 0.5}, {"step": 1, "loss": 0.2}]),
        (True, [{"step": 0, "args": {"lr": 1}}, {"step": 0, "args": {"lr": 1}, "loss": 0.5}]),
        (False, [{"step": 0, "args": {"lr": 1}}, {"step": 1, "args": {"lr": 2}, "loss": 0.5}]),
        (False, [{"step": 0, "loss": 0.5}, {"run": "a", "step": 1, "loss": 0.5}]),
        (False, [{"step": 0, "loss": 0.5}, {"loss": 0.5}, {"step": 1, "loss": 0.5}]),
        (False, [{"epochs": 9, "loss": 0.5}, {"epochs": 9, "loss": 0.5}]),
        (False, [{"step": 0, "loss": 1}, {"step": 1, "loss": 2}]),
        (False, [{"step": 1, "loss": 0.5}, {"step": 0, "loss": 0.5}]),
    ],
)
def test_first_records_show_a_log_by_a_count_that_goes_on_beside_a_fraction(lines, is_shown):
    data = b"".join(json.dumps(record).encode() + b"\n" for record in lines)
    assert begins_training(data, DEFAULT_LIMITS) == is_shown
