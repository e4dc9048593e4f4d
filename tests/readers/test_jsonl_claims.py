"""Which files the JSONL reader takes for logs."""

import pickle

import pytest
from jsonl_logs import epochs, write

import runcube as rc
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.reader import JsonlReader


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
