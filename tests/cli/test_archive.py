"""archive, update and verify."""

import json
import signal
import subprocess
import sys

import numpy as np
import sweeps
import xarray as xr
from shell import fails, ok, quietly_loaded, rows, run

import runcube as rc


def test_an_archive_opens_without_runcube(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    with xr.open_dataset(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))
        assert back.curve.dtype == np.float64
    with rc.open_archive(out, messages=True) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs, messages=True))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_archive_is_replaced_only_by_force(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out, "--metrics", "loss")
    before = out.read_bytes()
    assert "exists; --force replaces it" in fails("archive", logs, "-o", out)
    assert out.read_bytes() == before
    (told,) = rows("archive", logs, "-o", out, "--force")
    counts = {"runs": 11, "complete": 10, "incomplete": 1, "failed": 0}
    assert told == {"path": str(out), **counts, "bytes": out.stat().st_size}
    assert out.read_bytes() != before


def test_what_is_no_archive_is_not_replaced_even_by_force(logs, tmp_path):
    out = tmp_path / "thesis.txt"
    out.write_text("mine")
    assert "is no netCDF file" in fails("archive", logs, "-o", out, "--force")
    assert out.read_text() == "mine"


def test_the_commands_read_an_archive_in_place_of_logs(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    for command in (
        ("table",),
        ("problems",),
        ("missing",),
        ("show", "--metric", "loss", "--split", "val", "--final", "--over", "seed"),
    ):
        assert rows(command[0], out, *command[1:]) == rows(command[0], logs, *command[1:])
    assert "--dims is for logs" in run("table", out, "--dims", "lr").stderr
    assert "this command reads logs" in fails("explain", out)


def test_update_reads_what_is_new_and_verify_finds_what_is_wrong(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    assert run("verify", out, logs).exit_code == 0
    sweeps.write_run(
        logs / "more", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 7, "epochs": 3}
    )
    result = run("verify", out, logs, "--json")
    assert result.exit_code == 1
    (found,) = map(json.loads, result.stdout.splitlines())
    assert (found["path"], found["kind"]) == ("more/json_out.jsonl", "new_log")
    (told,) = rows("update", out)
    assert told["runs"] == 12
    assert run("verify", out, logs).exit_code == 0
    assert "no such file" in fails("update", tmp_path / "no.nc")


def test_watch_keeps_an_archive_fresh_and_tells_the_best_run(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    looks = rows("watch", logs, out, "--times", "2", "--every", "0.1", "--metric", "acc1")
    assert [look["complete"] for look in looks] == [10, 10]
    # The values grow with the configuration and the seed.
    assert looks[0]["best"]["seed"] == 2
    assert (looks[0]["best"]["metric"], looks[0]["best"]["split"]) == ("acc1", "val")
    assert looks[0]["best"]["mode"] == "max"
    shown = ok("watch", logs, out, "--times", "1")
    assert "best val acc1" in shown
    assert ", the highest at the end of a run (" in shown
    asked = ok("watch", logs, out, "--times", "1", "--metric", "acc1", "--lowest")
    assert ", the lowest at the end of a run (" in asked
    with rc.open_archive(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))


def test_watch_that_is_interrupted_leaves_a_whole_archive(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    command = [sys.executable, "-m", "runcube", "watch", logs, out, "--every", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert b"is whole" in process.stderr.read()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "sweep.nc"]
    with rc.open_archive(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))


def test_an_archive_needs_a_directory(logs, tmp_path):
    assert "directory" in fails("archive", logs, "-o", tmp_path / "no" / "sweep.nc")
    assert "directory" in fails("archive", logs, "-o", tmp_path)


def test_a_failed_archive_leaves_nothing_behind(logs, tmp_path, monkeypatch):
    def full(self, store, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "dump_to_store", full)
    assert "No space left" in fails("archive", logs, "-o", tmp_path / "sweep.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
