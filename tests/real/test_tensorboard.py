"""Event files that PyTorch wrote, and trees of runs by every road that reads them."""

import shutil
from pathlib import Path

import fsspec
import numpy as np
import pytest
from tensorboard_logs import curve, kinds, load, scalar, session_start, write_events
from tensorboardX.proto.event_pb2 import Event

import runcube as rc

DATA = Path(__file__).parents[1] / "data" / "tensorboard-torch"
NAME = "events.out.tfevents.1700000000.host.1.0"


def events(path):
    """The scalars of a file by the protobuf classes of tensorboardX: (tag, step, value)."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        event = Event.FromString(data[at + 12 : at + 12 + size])
        at += 16 + size
        for value in event.summary.value:
            yield value.tag, event.step, value.simple_value


def test_what_pytorch_wrote_is_what_comes_out():
    ds = load(DATA, path_keys="run_{run}", ignore=["resumed/*"])
    assert ds.run.values.tolist() == [1, 2, 3]
    for run in (1, 2, 3):
        (path,) = DATA.glob(f"run_{run}/events*")
        truth = {step: value for _, step, value in events(path)}
        assert len(truth) == 100
        assert curve(ds, "all", "strict/foo", run=run) == truth
    assert kinds(ds) == []


def test_where_pytorch_went_on_at_an_earlier_step_the_later_values_count():
    ds = load(DATA / "resumed")
    (path,) = (DATA / "resumed").glob("events*")
    for tag in ("dup_steps/foo", "dup_steps/bar"):
        truth = {step: value for name, step, value in events(path) if name == tag}
        assert curve(ds, "all", tag) == truth
    assert kinds(ds) == ["superseded_rows"]
    assert "10 rows" in rc.problems(ds).message.item()


def test_event_files_beside_json_lines_are_a_second_record_of_the_run(tmp_path):
    rows = [f'{{"step": {s}, "loss": {s / 7}}}\n' for s in range(9)]
    (tmp_path / "metrics.jsonl").write_text("".join(rows))
    write_events(tmp_path / NAME, [scalar("loss", s / 7, s) for s in range(9)])
    ds = load(tmp_path)
    assert ds.path.values.ravel().tolist() == ["metrics.jsonl"]
    assert kinds(ds) == ["not_read"]
    assert "second record" in rc.problems(ds).message.item()
    assert load(tmp_path, reader="tensorboard").path.item() == "."


@pytest.fixture
def tree(tmp_path):
    """Six runs: one crashed, one resumed, one with a NaN."""
    for lr in (0.1, 0.2, 0.3):
        for seed in (0, 1):
            run = tmp_path / "logs" / f"{lr}_{seed}"
            steps = 5 if (lr, seed) == (0.3, 1) else 20
            own = [scalar("loss/val", lr * s + seed, s) for s in range(steps)]
            if (lr, seed) == (0.2, 0):
                own[7:9] = [scalar("loss/val", float("nan"), s) for s in (7, 8)]
            write_events(run / NAME, [session_start({"lr": lr, "seed": seed}), *own])
            if (lr, seed) == (0.1, 1):
                more = [scalar("loss/val", 9.0, s, 1_700_001_000.0 + s) for s in range(15, 25)]
                write_events(run / NAME.replace("17", "16", 1), more, 1_700_001_000.0)
    return tmp_path / "logs"


def same(one, other):
    for name in ("curve", "logged", "status", "wall_time", "run_id", "problems"):
        np.testing.assert_array_equal(one[name].values, other[name].values, err_msg=name)


def archived(tree, load):
    rc.archive_runs(tree, tree.parent / "sweep.nc")
    return rc.open_archive(tree.parent / "sweep.nc")


def updated(tree, load):
    kept = shutil.copytree(tree, tree.parent / "kept")
    shutil.rmtree(tree / "0.1_1")
    (tree / "0.2_0" / NAME).write_bytes((kept / "0.2_0" / NAME).read_bytes()[:900])
    rc.archive_runs(tree, tree.parent / "sweep.nc")
    shutil.copytree(kept, tree, dirs_exist_ok=True)
    rc.update_archive(tree.parent / "sweep.nc")
    return rc.open_archive(tree.parent / "sweep.nc")


def lazily(tree, load):
    return rc.open_runs(tree, cache=tree.parent / "cache")


def in_processes(tree, load):
    return load(tree, parallel="processes")


def remote(tree, load):
    files = fsspec.filesystem("memory")
    for path in tree.rglob("*"):
        if path.is_file():
            files.pipe(f"/tb/{path.relative_to(tree).as_posix()}", path.read_bytes())
    try:
        return load("memory://tb")
    finally:
        files.rm("/tb", recursive=True)


@pytest.mark.parametrize("road", [archived, updated, lazily, in_processes, remote])
@pytest.mark.filterwarnings("ignore::runcube.SweepWarning")
def test_every_road_gives_the_same_cube(road, tree):
    ds = load(tree)
    assert dict(ds.sizes) == {"lr": 3, "seed": 2, "split": 1, "metric": 1, "step": 25}
    assert ds.status.sel(lr=0.3, seed=1) == "incomplete"
    assert np.isnan(ds.curve.sel(lr=0.2, seed=0, step=7)).all()
    assert ds.logged.sel(lr=0.2, seed=0, step=7).all()
    assert ds.curve.sel(lr=0.1, seed=1, step=slice(15, 24)).values.ravel().tolist() == [9.0] * 10
    found = road(tree, load)
    same(ds, found.load())
    assert "float32" in found.attrs["values"]


def test_explain_says_how_runs_were_read(tree):
    text = rc.scan(tree).explain()
    assert "hyperparameters in the events" in text
    assert "one in 2 files, joined" in text
    assert "in the names of metrics: val" in text
