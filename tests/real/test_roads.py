"""All roads to a cube agree on logs as others write them: scan, load, open, archive, update."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hostile_jsonl import sweeps, write, write_lines
from hypothesis import given, settings

import runcube as rc

DATA = Path(__file__).parents[1] / "data"
SETS = [p for name in ("muon-norm-cap", "reported-logs") for p in sorted((DATA / name).iterdir())]
PLAIN = [{"epoch": e, "train_loss": e / 7, "val_acc": e / 3} for e in range(3)]


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def assert_same(one, other):
    """Compare cubes by all but what depends on the moment."""
    assert one.sizes == other.sizes
    assert set(one.coords) == set(other.coords)
    for name in (*one.coords, "logged"):
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=str(name))
    np.testing.assert_array_equal(one.curve.values, other.curve.values)
    for name in ("constant_hparams", "excluded_hparams", "skipped", "grid"):
        assert one.attrs[name] == other.attrs[name]


def assert_roads_agree(root, path):
    loaded = quietly(rc.load_runs, root, messages=True)
    assert_same(quietly(rc.open_runs, root, cache=False, messages=True).compute(), loaded)
    quietly(rc.archive_runs, root, path)
    with quietly(rc.open_archive, path, messages=True) as archived:
        assert_same(archived.load(), loaded)
    sweep = quietly(rc.scan, root)
    grid = json.loads(loaded.attrs["grid"])
    assert [axis.name for axis in sweep.axes] == [dim["name"] for dim in grid["dims"]]
    assert sweep.layout == loaded.attrs["layout"]
    return loaded


@pytest.mark.parametrize("root", [p for p in SETS if p.is_dir()], ids=lambda root: root.name)
def test_the_roads_agree_on_real_logs(root, tmp_path):
    assert_roads_agree(root, tmp_path / "sweep.nc")


@settings(derandomize=True, max_examples=25)
@given(logs=sweeps())
def test_the_roads_agree_on_hostile_logs(tmp_path_factory, logs):
    root = tmp_path_factory.mktemp("sweep")
    write_lines(root / "logs" / "plain.jsonl", [{"config": {"lr": 0.125}}, *PLAIN])
    write(root / "logs", logs)
    assert_roads_agree(root / "logs", root / "sweep.nc")


@settings(derandomize=True, max_examples=25)
@given(logs=sweeps())
def test_an_update_after_hostile_logs_is_a_fresh_archive(tmp_path_factory, logs):
    root = tmp_path_factory.mktemp("sweep")
    write_lines(root / "logs" / "plain.jsonl", [{"config": {"lr": 0.125}}, *PLAIN])
    quietly(rc.archive_runs, root / "logs", root / "sweep.nc")
    write(root / "logs", logs)
    quietly(rc.update_archive, root / "sweep.nc")
    loaded = quietly(rc.load_runs, root / "logs", messages=True)
    with quietly(rc.open_archive, root / "sweep.nc", messages=True) as updated:
        assert_same(updated.load(), loaded)
