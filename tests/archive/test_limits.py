"""Digits that are not kept, and what cannot be updated."""

import subprocess
import sys
from textwrap import dedent

import pytest
import xarray as xr
from archives import archive, assert_archived, assert_same, assert_up_to_date, hidden, load
from odd_logs import (
    jsonl,
    write,
)
from sweeps import write_run

import runcube as rc

LOSSY = [
    {"dtype": "float32"},
    {"significant_digits": 3},
    {"dtype": "float32", "significant_digits": 2},
]


@pytest.mark.parametrize("storage", LOSSY, ids="-".join)
def test_digits_that_are_not_kept_are_the_same_after_an_update(grid, path, storage):
    exact = load(grid)
    made = archive(grid, path, **storage)
    assert_same(made.assign(curve=exact.curve.astype(made.curve.dtype)), exact.astype(made.dtypes))
    write_run(grid / "new", {"optim": {"lr": 1 / 3}, "seed": 0, "epochs": 5}, epochs=5)
    assert_up_to_date(path, grid, **storage)
    log = grid / "002" / "json_out.jsonl"
    log.write_text(log.read_text().replace('"loss": 1', '"loss": 3'))
    assert_up_to_date(path, grid, **storage)


@pytest.mark.parametrize("storage", LOSSY, ids="-".join)
def test_values_that_differ_in_digits_that_are_not_kept_still_differ(root, path, storage):
    for seed in range(3):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": 0, "val_loss": 1 + i * 1e-12} for i in range(3)]
        jsonl(root / f"{seed}.jsonl", rows)
    assert archive(root, path, **storage).sizes["epoch"] == 3
    rows = [{"config": {"seed": 3}}, *({"epoch": e, "val_loss": e} for e in range(5))]
    jsonl(root / "3.jsonl", rows)
    assert_up_to_date(path, root, **storage)


def test_a_value_that_is_too_large_for_single_precision_leaves_the_archive(grid, path):
    archive(grid, path, dtype="float32")
    before = path.read_bytes()
    write(grid, "new", {"optim": {"lr": 0.1}, "seed": 5, "epochs": 3}, [1e300])
    with pytest.raises(rc.ArchiveError, match=r"1e\+300 is out of its range"):
        rc.update_archive(path)
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


def test_an_archive_that_was_saved_from_a_cube_cannot_be_updated(grid, path):
    rc.save_archive(load(grid), path)
    before = path.read_bytes()
    with pytest.raises(rc.ArchiveError, match=r"archive_runs\(logs, path\) makes an archive"):
        rc.update_archive(path)
    with pytest.raises(rc.ArchiveError, match=r"archive_runs\(logs, path\) makes an archive"):
        rc.update_archive(path, grid)
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


@pytest.mark.parametrize("save", [lambda ds, path: ds.to_netcdf(path), rc.save_archive])
def test_an_archive_that_was_saved_from_an_archive_cannot_be_updated(grid, path, save):
    archive(grid, path)
    with rc.open_archive(path) as ds:
        save(ds, path.with_name("copy.nc"))
    with pytest.raises(rc.ArchiveError, match="remembers no logs"):
        rc.update_archive(path.with_name("copy.nc"))


def test_what_is_no_archive_cannot_be_updated(path, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"sweep\.nc"):
        rc.update_archive(path)
    path.write_text("text")
    with pytest.raises(rc.ArchiveError, match="no netCDF file"):
        rc.update_archive(path)
    with pytest.raises(rc.ArchiveError, match="directory"):
        rc.update_archive(tmp_path)
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc")
    with pytest.raises(rc.ArchiveError, match=r"other\.nc"):
        rc.update_archive(tmp_path / "other.nc")
    assert hidden(tmp_path) == hidden(path.parent) == []


def test_a_wrong_directory_leaves_the_archive_as_it_was(grid, path, tmp_path):
    archive(grid, path)
    before = path.stat()
    (tmp_path / "empty").mkdir()
    jsonl(tmp_path / "else" / "manifest.json", [{"what": "a manifest"}])
    with pytest.raises(FileNotFoundError, match="nowhere"):
        rc.update_archive(path, tmp_path / "nowhere")
    for name in ("empty", "else"):
        with pytest.raises(rc.NoRunsError, match=name):
            rc.update_archive(path, tmp_path / name)
    assert path.stat() == before
    assert hidden(path.parent) == []


HOLD = """
    import sys
    from pathlib import Path
    from runcube.files import locked
    with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
"""


def test_while_another_process_writes_an_archive_it_is_not_updated(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    command = [sys.executable, "-B", "-c", dedent(HOLD), str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout.readline() == "held\n"
        for call in (lambda: rc.update_archive(path), lambda: rc.archive_runs(grid, path)):
            with pytest.raises(rc.ArchiveError, match="another process is writing it"):
                call()
        process.communicate("go\n")
    assert path.read_bytes() == before
    assert_up_to_date(path, grid)


def test_arguments_that_fit_no_log_leave_the_older_archive(grid, path):
    archive(grid, path)
    before = path.read_bytes()
    for options in ({"metrics": "nothing"}, {"rename": {"nothing": "a"}}, {"x": "nothing"}):
        with pytest.raises(rc.UnknownNameError, match="nothing"):
            rc.archive_runs(grid, path, **options)
    with pytest.raises(rc.ArchiveError, match="float16"):
        rc.archive_runs(grid, path, dtype="float16")
    assert path.read_bytes() == before
    assert hidden(path.parent) == []


def test_ten_thousand_files_that_are_no_logs_can_be_named(grid, path):
    folder = grid / ("a rather long name of a directory " * 5)
    for number in range(2000):
        jsonl(folder / f"{number}.json", [{"what": "a manifest"}])
    assert_archived(grid, path)
    write_run(grid / "new", {"optim": {"lr": 0.5}, "seed": 0, "epochs": 3})
    assert_up_to_date(path, grid)
