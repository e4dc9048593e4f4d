"""SwanLab's own files: what was logged is what comes out, whole, cut, resumed and damaged."""

import json
import math
import random
import shutil
import struct
import warnings
from pathlib import Path

import fsspec
import numpy as np
import pytest
import wandb_files as made

import runcube as rc
from runcube.core.model import Request
from runcube.files.tree import Tree, list_files
from runcube.readers.swanlab import SwanLabReader

DATA = Path(__file__).parents[1] / "data" / "swanlab"
LOGS = DATA / "logs"
TRUTH = json.loads((DATA / "truth.json").read_text())
HEAD = b":SWL\xd6\xe1\x02"
NAMES = {"train/loss": ("train", "loss"), "val/acc": ("val", "acc")}


def load(path, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(path, **arguments)


def framed(records):
    return HEAD + made.framed(records)[len(made.HEAD) :]


def time(seconds, nanos=0):
    return made.field(1, seconds) + (made.field(2, nanos) if nanos else b"")


def double(number):
    return b"" if number == 0 else b"\x09" + struct.pack("<d", number)


def scalar(key, value, step=0):
    own = (
        made.field(1, key) + (made.field(2, step) if step else b"") + made.field(4, time(step + 1))
    )
    return made.field(13, own + made.field(5, double(value)))


def finish(state=1, error=""):
    return made.field(11, made.field(1, state) + (made.field(2, error) if error else b""))


def write(root, records, run_id="abc", moment="20260101_000000", config="lr:\n  value: 0.1\n"):
    folder = root / f"run-{moment}-{run_id}"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "config.yaml").write_text(config)
    (folder / f"run-{run_id}.swanlab").write_bytes(framed(records))
    return folder / f"run-{run_id}.swanlab"


def curve(ds, split="all", metric="loss"):
    own = ds.curve.sel(split=split, metric=metric).squeeze()
    own = own[ds.logged.sel(split=split, metric=metric).squeeze()]
    return dict(zip(own.step.values.tolist(), own.values.tolist(), strict=True))


def kinds(ds):
    return sorted(rc.problems(ds).kind)


def test_every_value_and_hyperparameter_that_was_logged_comes_out():
    ds = load(LOGS)
    assert dict(ds.sizes) == {"lr": 3, "seed": 2, "split": 2, "metric": 2, "step": 183}
    for key, curves in TRUTH.items():
        lr, seed = map(float, key.split())
        own = ds.sel(lr=lr, seed=int(seed))
        for name, (split, metric) in NAMES.items():
            wanted = {int(s): float(v) for s, v in curves[name].items() if int(s) < 183}
            found = curve(own, split, metric)
            assert found.keys() == wanted.keys()
            np.testing.assert_array_equal([*found.values()], [*wanted.values()])
        tokens = own.tokens.values[~np.isnan(own.tokens)]
        assert tokens.tolist() == [float(v) for v in curves["tokens"].values()][: len(tokens)]
    constant = json.loads(ds.attrs["constant_hparams"])
    assert {
        "amp": True,
        "optim.name": "adam",
        "optim.betas": [0.9, 0.99],
    }.items() <= constant.items()


def test_status_is_as_the_run_ended():
    ds = load(LOGS)
    assert ds.status.sel(lr=0.2, seed=0) == "failed"
    assert ds.status.sel(lr=0.3, seed=0) == "incomplete"
    assert (ds.status == "complete").sum() == 4


def test_a_nan_is_logged():
    own = load(LOGS).sel(lr=0.2, seed=1, split="train", metric="loss")
    assert np.isnan(own.curve.sel(step=5))
    assert own.logged.sel(step=5)


def test_what_is_no_number_is_named_and_messages_are_kept():
    ds = load(LOGS, messages=True)
    assert kinds(ds) == ["left_out", "superseded_rows", "superseded_rows", "truncated_tail"]
    assert "boom" in ds.messages.sel(lr=0.2, seed=0).item()


def test_zero_is_a_value_though_it_is_not_written(tmp_path):
    write(tmp_path, [scalar("loss", 0.0, s) for s in range(3)])
    assert curve(load(tmp_path)) == {0: 0.0, 1: 0.0, 2: 0.0}


def test_a_key_twice_at_one_step_begins_another_row_and_the_last_counts(tmp_path):
    own = [scalar("loss", 1.5), scalar("loss", 2.5), scalar("acc", 0.5), scalar("loss", 4.5, 1)]
    write(tmp_path, own)
    ds = load(tmp_path)
    assert curve(ds) == {0: 2.5, 1: 4.5}
    assert curve(ds, metric="acc") == {0: 0.5}
    assert "repeated_x" in kinds(ds)


def test_keys_that_are_called_like_the_step_are_metrics(tmp_path):
    write(
        tmp_path, [scalar(k, s + 0.5, s) for s in range(3) for k in ("loss", "step", "timestamp")]
    )
    ds = load(tmp_path)
    assert ds.step.values.tolist() == [0, 1, 2]
    assert curve(ds, metric="timestamp") == {0: 0.5, 1: 1.5, 2: 2.5}


def test_measurements_of_the_machine_are_no_metrics(tmp_path):
    column = made.field(12, made.field(1, 2) + made.field(3, "cpu"))
    write(tmp_path, [column, scalar("cpu", 9.0), scalar("loss", 1.5)])
    assert load(tmp_path).metric.values.tolist() == ["loss"]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        ([], "incomplete"),
        ([finish(1)], "complete"),
        ([finish(2)], "failed"),
        ([finish(3)], "incomplete"),
        ([finish(1), scalar("loss", 1.5, 9)], "incomplete"),
    ],
)
def test_the_last_record_says_how_it_ended(end, status, tmp_path):
    write(tmp_path, [*(scalar("loss", 0.5, s) for s in range(4)), *end])
    assert load(tmp_path).status.item() == status


def test_a_run_that_was_killed_before_anything_was_written_is_a_run(tmp_path):
    write(tmp_path, [scalar("loss", 1.5)], "one")
    write(tmp_path, [], "two", config="lr:\n  value: 0.2\n").write_bytes(b"")
    ds = load(tmp_path)
    assert ds.lr.values.tolist() == [0.1, 0.2]
    assert ds.status.sel(lr=0.2).item() == "failed"


def test_files_of_older_versions_are_named(tmp_path):
    write(tmp_path, [scalar("loss", 1.5)])
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "backup.swanlab").write_bytes(b":SWL\xd6\xe1\x01" + bytes(40))
    (skipped,) = json.loads(load(tmp_path).attrs["skipped"])
    assert (skipped["kind"], skipped["path"]) == ("not_read", "old/backup.swanlab")


@pytest.mark.parametrize("size", range(7, 900, 61))
def test_of_a_file_that_was_cut_the_whole_records_are_read(size, tmp_path):
    path = write(tmp_path, [scalar("loss", s / 7, s) for s in range(40)])
    path.write_bytes(path.read_bytes()[:size])
    ds = load(tmp_path)
    found = curve(ds) if ds.sizes["metric"] else {}
    assert found == {s: s / 7 for s in range(len(found))}
    assert "truncated_tail" in kinds(ds) or len(found) in (0, 40) or size % 7


def mutated(data, rng):
    data = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(7, max(8, len(data)))
        what = rng.randrange(3)
        if what == 0:
            data[at : at + 1] = rng.randbytes(1)
        elif what == 1:
            del data[at : at + rng.randint(1, 40)]
        else:
            data[at:at] = rng.randbytes(rng.randint(1, 40))
    return bytes(data)


def check_mutations(tmp_path, count, seed):
    """No mutation raises, or makes a value that was not logged with a checksum."""
    path = write(tmp_path, [scalar(k, s / 7, s) for s in range(30) for k in ("loss", "val/acc")])
    whole = path.read_bytes()
    reader, rng = SwanLabReader(), random.Random(seed)
    for _ in range(count):
        path.write_bytes(mutated(whole, rng))
        for source in reader.find(Tree(list_files(tmp_path))):
            (log,) = reader.read(source, Request(messages=True))
            for curves in log.curves:
                if "step" in curves.x and len(curves.lines):
                    wanted = np.broadcast_to(curves.x["step"] / 7, curves.values.shape)
                    np.testing.assert_array_equal(
                        curves.values[curves.logged], wanted[curves.logged]
                    )


def test_mutated_files_raise_nothing_and_hold_no_other_values(tmp_path):
    check_mutations(tmp_path, 300, 0)


def test_mutated_records_raise_nothing(tmp_path):
    rng = random.Random(1)
    records = [scalar("loss", 0.5, 3), finish(2, "x"), made.field(12, made.field(3, "a"))]
    for _ in range(300):
        own = [mutated(bytes(7) + rng.choice(records), rng)[7:] for _ in range(5)]
        folder = tmp_path / "one"
        shutil.rmtree(folder, ignore_errors=True)
        write(folder, own)
        for source in SwanLabReader().find(Tree(list_files(folder))):
            SwanLabReader().read(source, Request(messages=True))


def test_a_mutated_run_changes_no_other(tmp_path):
    rng = random.Random(2)
    before = load(LOGS)
    for _ in range(20):
        shutil.rmtree(tmp_path / "logs", ignore_errors=True)
        logs = shutil.copytree(LOGS, tmp_path / "logs")
        (path,) = (p for p in logs.rglob("*.swanlab") if "mrbj16d0" in p.name)
        path.write_bytes(mutated(path.read_bytes(), rng))
        ds = load(logs).sel(step=slice(0, 182))
        for lr, seed in ((0.1, 1), (0.2, 0), (0.2, 1), (0.3, 0), (0.3, 1)):
            for split, metric in NAMES.values():
                own = [curve(d.sel(lr=lr, seed=seed), split, metric) for d in (ds, before)]
                assert {k: v for k, v in own[0].items() if not math.isnan(v)} == {
                    k: v for k, v in own[1].items() if not math.isnan(v)
                }


def archived(tmp_path):
    rc.archive_runs(LOGS, tmp_path / "sweep.nc")
    return rc.open_archive(tmp_path / "sweep.nc")


def updated(tmp_path):
    logs = shutil.copytree(LOGS, tmp_path / "logs")
    (path,) = (p for p in logs.rglob("*.swanlab") if "klwcsjxo" in p.name)
    whole = path.read_bytes()
    path.write_bytes(whole[:9000])
    rc.archive_runs(logs, tmp_path / "sweep.nc")
    path.write_bytes(whole)
    rc.update_archive(tmp_path / "sweep.nc")
    return rc.open_archive(tmp_path / "sweep.nc")


def lazily(tmp_path):
    return rc.open_runs(LOGS, cache=tmp_path / "cache")


def in_processes(tmp_path):
    return load(LOGS, parallel="processes")


def remote(tmp_path):
    files = fsspec.filesystem("memory")
    for path in LOGS.rglob("*"):
        if path.is_file():
            files.pipe(f"/swan/{path.relative_to(LOGS).as_posix()}", path.read_bytes())
    try:
        return load("memory://swan")
    finally:
        files.rm("/swan", recursive=True)


@pytest.mark.parametrize("road", [archived, updated, lazily, in_processes, remote])
@pytest.mark.filterwarnings("ignore::runcube.SweepWarning")
def test_every_road_gives_the_same_cube(road, tmp_path):
    ds, found = load(LOGS), road(tmp_path).load()
    for name in ("curve", "logged", "status", "run_id", "problems", "timestamp"):
        np.testing.assert_array_equal(ds[name].values, found[name].values, err_msg=name)


def test_explain_says_how_the_files_were_read():
    text = str(rc.scan(LOGS).explain())
    assert "one in 2 files, joined" in text
    assert "config.yaml" in text
