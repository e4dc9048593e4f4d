"""Runs of loggers that write whole JSON files: by every road the cube is the same."""

import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest
from archives import quietly

import runcube as rc

DATA = Path(__file__).parents[1] / "data"
LOGS = {"sacred": DATA / "sacred" / "runs", "hf-trainer": DATA / "hf-trainer"}
# What is there at first, and is replaced by what is whole: a run in the middle of its training.
EARLY = {
    "sacred": {"1/metrics.json": 900, "1/run.json": None, "8/metrics.json": 0},
    "hf-trainer": {
        "others/resumed/trainer_state.json": None,
        "others/resumed/checkpoint-24/trainer_state.json": 2000,
    },
}


def load(root, **options):
    return quietly(rc.load_runs, root, **({"layout": "configs", "parallel": False} | options))


def _remote(name, tmp_path):
    memory = fsspec.filesystem("memory")
    memory.put(str(LOGS[name]), f"memory://roads-{name}", recursive=True)
    return load(f"memory://roads-{name}")


def _archived(name, tmp_path):
    quietly(rc.archive_runs, LOGS[name], tmp_path / "runs.nc", layout="configs")
    return rc.open_archive(tmp_path / "runs.nc").load()


def _updated(name, tmp_path):
    logs, own = LOGS[name], tmp_path / "logs"
    shutil.copytree(logs, own)
    for path, size in EARLY[name].items():
        data = (logs / path).read_bytes()
        if size is None:
            (own / path).unlink()
        else:
            (own / path).write_bytes(data[:size])
    quietly(rc.archive_runs, own, tmp_path / "runs.nc", layout="configs")
    before = rc.open_archive(tmp_path / "runs.nc").load()
    for path in EARLY[name]:
        shutil.copy(logs / path, own / path)
    quietly(rc.update_archive, tmp_path / "runs.nc", own)
    updated = rc.open_archive(tmp_path / "runs.nc").load()
    assert int(before.logged.sum()) < int(updated.logged.sum())
    return updated


ROADS = {
    "named": lambda name, tmp_path: load(LOGS[name], reader=name),
    "threads": lambda name, tmp_path: load(LOGS[name], parallel="threads"),
    "processes": lambda name, tmp_path: load(LOGS[name], parallel="processes"),
    "opened": lambda name, tmp_path: quietly(
        rc.open_runs, LOGS[name], layout="configs", cache=tmp_path / "cache"
    ).load(),
    "remote": _remote,
    "archived": _archived,
    "updated": _updated,
}


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize("name", LOGS)
def test_by_every_road_the_cube_is_the_same(name, road, tmp_path):
    expected, got = load(LOGS[name]), ROADS[road](name, tmp_path)
    assert got.curve.equals(expected.curve)
    assert got.logged.equals(expected.logged)
    for coord in ("status", "path", "run_config", "train_time", "problems"):
        np.testing.assert_array_equal(got[coord].values, expected[coord].values, err_msg=coord)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sacred", ("config.json", "step: by its name; wall_time: a clock, beside x")),
        ("hf-trainer", ("trainer_state.json; training_args.json", "logging_nan_inf_filter")),
    ],
)
def test_explain_says_how_the_files_were_read(name, said):
    text = quietly(rc.scan, LOGS[name]).explain()
    assert all(part in text for part in said)
