"""Arguments of an archive: where the logs are, and how they are read again."""

import shutil

import numpy as np
import pytest
from archives import archive, assert_archived, assert_same, assert_up_to_date, load, quietly, update
from odd_logs import (
    lines,
)
from sweeps import write_run

import runcube as rc


def test_one_log_of_several_is_archived_and_updated_alone(grid, path):
    log = grid / "002" / "json_out.jsonl"
    shutil.copy(grid / "003" / "json_out.jsonl", grid / "002" / "other.jsonl")
    assert_archived(log, path)
    with log.open("a") as stream:
        stream.write(lines({"type": "str", "value": "afterwards"}))
    assert_up_to_date(path, log)


def test_an_archive_finds_its_logs_from_anywhere(grid, path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    quietly(rc.archive_runs, "logs", "archives/sweep.nc")
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    monkeypatch.chdir(path.parent)
    assert_same(update("sweep.nc"), load(grid), but=["source"])


def test_logs_may_have_moved(grid, path):
    archive(grid, path)
    moved = grid.rename(grid.with_name("moved"))
    with pytest.raises(FileNotFoundError, match="logs"):
        rc.update_archive(path)
    assert_same(update(path, moved), load(moved))
    rc.update_archive(path)


def test_logs_that_were_committed_meanwhile_are_of_that_commit(grid, path):
    archive(grid, path)
    (grid / ".git").mkdir()
    (grid / ".git" / "HEAD").write_text("0123456789abcdef\n")
    assert_up_to_date(path, grid)


def test_errors_that_raise_raise_in_an_update_as_well(grid, path):
    rc.archive_runs(grid, path, errors="raise")
    assert_up_to_date(path, grid, errors="raise")
    with (grid / "003" / "json_out.jsonl").open("a") as log:
        log.write("{broken\n")
    assert_up_to_date(path, grid, errors="raise")


@pytest.mark.parametrize(
    "options",
    [
        {"relabel": {"lr": {0.1: None, 1.0: float("inf")}}},
        {"relabel": {"lr": {np.float64(0.1): np.float32(0.5), 1.0: np.int64(3)}}},
        {"relabel": {"seed": {0: True, 1: False}}},
        {"dims": ("lr",), "exclude": ["epochs"]},
        {"metrics": np.array(["loss"]), "splits": ("val", "train")},
        {"expected": 2.5},
    ],
)
def test_arguments_of_any_type_come_back(grid, path, options):
    assert_archived(grid, path, **options)
    write_run(grid / "new", {"optim": {"lr": 0.1}, "seed": 0, "epochs": 4}, epochs=4)
    assert_up_to_date(path, grid, **options)
