"""Logs that change: an open cube keeps its values, names of dask arrays tell cubes apart."""

import gc
import os
import pickle
import subprocess
import sys
import tempfile
from pathlib import Path

import dask
import numpy as np
import pytest
from lazy_cubes import assert_same, loaded, opened
from sweeps import write_run

import runcube as rc


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("change", ["grown", "gone", "touched"])
def test_an_open_cube_keeps_the_values_of_when_it_was_opened(logs, tmp_path, change, kept):
    cache = kept and tmp_path / "cache"
    want = loaded(logs, layout="grid")
    ds = opened(logs, cache, layout="grid")
    log = logs / "004" / "json_out.jsonl"
    if change == "gone":
        log.unlink()
    elif change == "touched":
        os.utime(log, ns=(0, 0))
    else:
        with log.open("a") as file:
            file.write('{"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 7.5}}\n')
    now = opened(logs, cache, layout="grid")
    assert_same(now, loaded(logs, layout="grid"))
    assert_same(ds, want)
    assert now.curve.data.name != ds.curve.data.name


def test_a_temporary_archive_goes_with_the_last_of_its_cubes(logs, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ds = opened(logs)
    (made,) = tmp_path.glob("runcube-*")
    part = ds.curve.isel(seed=0).copy(deep=True)
    ds.close()
    del ds
    gc.collect()
    assert made.exists()
    assert part.compute().identical(loaded(logs).curve.isel(seed=0))
    del part
    gc.collect()
    assert not made.exists()


def test_a_temporary_archive_stays_for_who_it_was_sent_to(logs):
    want = loaded(logs)
    sent = pickle.dumps(opened(logs))
    gc.collect()
    assert_same(pickle.loads(sent), want)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_does_not_take_a_temporary_archive_with_it(logs):
    code = f"""
import os, sys, warnings
import runcube as rc
warnings.simplefilter("ignore")
ds = rc.open_runs({str(logs)!r}, cache=False)
if os.fork() == 0:
    sys.exit(0)
os.wait()
print(os.path.exists(ds.curve.encoding["source"]))
"""
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n", done.stderr


def test_a_temporary_archive_goes_with_its_process(logs, tmp_path):
    code = f"""
import runcube as rc
ds = rc.open_runs({str(logs)!r}, cache=False)
print(ds.curve.encoding["source"])
"""
    run = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere they stay")
def test_the_temporary_archive_of_a_killed_process_goes_with_the_next_one(
    logs, tmp_path, monkeypatch
):
    code = f"""
import os, sys
import runcube as rc
ds = rc.open_runs({str(logs)!r}, cache=False)
if "die" in sys.argv:
    os.kill(os.getpid(), 9)
print(flush=True)
sys.stdin.readline()
"""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = [sys.executable, "-W", "ignore", "-c", code]
    (tmp_path / "runcube-another").mkdir()
    living = subprocess.Popen(run, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    living.stdout.readline()
    before = {*tmp_path.glob("runcube-*")}
    assert subprocess.run([*run, "die"], check=False).returncode == -9
    (left,) = {*tmp_path.glob("runcube-*")} - before
    ds = opened(logs)
    assert not left.exists()
    assert before < {*tmp_path.glob("runcube-*")}
    living.communicate(b"\n")
    assert_same(ds, loaded(logs))


@pytest.mark.parametrize("chunks", ["auto", None])
def test_a_worker_that_cannot_open_the_archive_is_told_the_remedy(logs, tmp_path, chunks):
    ds = opened(logs, tmp_path / "cache", chunks=chunks)
    sent = pickle.dumps(ds)
    ds.close()
    (made,) = (tmp_path / "cache").glob("*.nc")
    made.rename(tmp_path / "elsewhere.nc")
    there = pickle.loads(sent)
    with pytest.raises(rc.ArchiveError, match="pass cache= a directory that all of them can read"):
        there.curve.compute()


@pytest.mark.parametrize(
    "chunks",
    [
        *[0, -2, True, 2.5, "10MB", [1], np.ones(2), {"seed": 0}, {"seed": -2}, {"seed": 2.5}],
        *[{"seed": True}, {"seed": "few"}, {"seed": (2.5,)}, {"seed": {}}],
    ],
)
def test_chunks_that_cannot_be_are_told_before_a_log_is_read(logs, chunks):
    seen = []
    with pytest.raises(rc.PlanError, match="chunks="):
        opened(logs, chunks=chunks, progress=lambda *state: seen.append(state))
    assert not seen


@pytest.mark.parametrize(
    "size", [1, np.int64(2), -1, None, "auto", "1 MiB", (1, 2), [3], np.int64(-1)]
)
def test_all_that_dask_takes_as_sizes_is_taken(logs, size):
    assert_same(opened(logs, chunks={"seed": size}), loaded(logs))


@pytest.mark.parametrize("kept", [False, True])
def test_a_relative_path_means_the_same_from_another_directory(tmp_path, monkeypatch, kept):
    """There may be other logs there, of the same size and time."""
    cubes, cache = [], kept and tmp_path / "cache"
    for number in range(2):
        home = tmp_path / f"{number}"
        log = write_run(home / "logs", {"seed": 0}, value=lambda *_, number=number: float(number))
        os.utime(log, (1_700_000_000,) * 2)
        monkeypatch.chdir(home)
        cubes += [opened("logs", cache) for _ in range(1 + kept)]
    monkeypatch.chdir(tmp_path)
    want = [0, 0, 1, 1] if kept else [0, 1]
    assert [float(ds.curve.max()) for ds in cubes] == want
    assert [ds.attrs["source"] for ds in cubes] == ["logs"] * len(want)


def test_dask_names_change_when_a_file_does(logs, tmp_path):
    first, again = (opened(logs) for _ in range(2))
    assert first.curve.data.name == again.curve.data.name != first.logged.data.name
    assert opened(logs, chunks={"seed": 1}).curve.data.name != first.curve.data.name
    changed = logs / "003" / "json_out.jsonl"
    os.utime(changed, ns=(0, 0))
    assert opened(logs).curve.data.name != first.curve.data.name


def test_a_lazy_cube_can_be_sent_to_another_process(logs):
    want = loaded(logs)
    for chunks in ("auto", None):
        ds = opened(logs, chunks=chunks)
        assert_same(pickle.loads(pickle.dumps(ds)), want)
    with dask.config.set(scheduler="processes"):
        assert_same(opened(logs, chunks={"seed": 1}), want)
