"""One writer at a time, and readers that see one state or the other."""

import subprocess
import sys
from textwrap import dedent

import numpy as np
import pytest
import xarray as xr
from saved_cubes import assert_same, entries, opened, run, synthetic, there_and_back

import runcube as rc
from runcube.files.atomic import locked

HOLD = """
    import sys
    from pathlib import Path
    from runcube.files import locked
    with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(path):
    command = [sys.executable, "-B", "-c", dedent(HOLD), str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_while_another_process_writes_a_file_nobody_else_does(cube, path, holder):
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(rc.ArchiveError, match=f"{path}: another process is writing it"):
        rc.save_archive(cube, path)
    assert not path.exists()
    rc.save_archive(cube, path.with_name("other.nc"))
    holder.communicate("go\n")
    assert_same(there_and_back(cube, path), cube)
    assert entries(path.parent) == ["other.nc", "sweep.nc"]


def test_the_lock_of_a_killed_process_is_no_lock(cube, path, holder):
    assert holder.stdout.readline()
    holder.kill()
    holder.wait()
    assert_same(there_and_back(cube, path), cube)
    assert entries(path.parent) == ["sweep.nc"]


def test_a_process_locks_itself_out_too(cube, path):
    with locked(path), pytest.raises(rc.ArchiveError, match=f"{path}: another process"):
        rc.save_archive(cube, path)
    assert entries(path.parent) == []
    rc.save_archive(cube, path)


CROWD = """
    import os, sys, time
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as base:
        base.load()
    cubes = [base.assign(curve=base.curve + i) for i in range(3)]
    rc.save_archive(cubes[0], path)
    end = time.monotonic() + 2
    children = []
    for cube in cubes:
        child = os.fork()
        if not child:
            saved = 0
            while time.monotonic() < end or not saved:
                try:
                    rc.save_archive(cube, path)
                    saved += 1
                except rc.ArchiveError as error:
                    if "another process is writing it" not in str(error):
                        print(error, file=sys.stderr, flush=True)
                        os._exit(1)
                except BaseException as error:
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(2)
            os._exit(0)
        children.append(child)
    while time.monotonic() < end:
        with rc.open_archive(path) as ds:
            ds.load()
        assert any(ds.identical(cube) for cube in cubes)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert codes == [0, 0, 0], codes
    assert os.listdir(folder) == ["sweep.nc"], os.listdir(folder)
"""


def test_among_many_writers_the_archive_is_always_whole(tmp_path):
    rc.save_archive(synthetic(seed=4), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    run(CROWD, tmp_path / "source.nc", folder)


@pytest.mark.parametrize(
    "look", [rc.open_archive, xr.open_dataset, lambda p: rc.open_archive(p, chunks={})]
)
def test_who_reads_an_archive_keeps_it_while_another_is_saved(cube, path, look):
    new = cube.assign(curve=cube.curve + 1).isel(seed=[1])
    rc.save_archive(cube, path)
    with look(path) as old:
        rc.save_archive(new, path)
        assert_same(opened(path), new)
        np.testing.assert_array_equal(old.curve.values, cube.curve.values)
        np.testing.assert_array_equal(old.logged.values, cube.logged.values)
        np.testing.assert_array_equal(old.path.values, cube.path.values)
    assert_same(opened(path), new)


def test_a_reader_with_many_files_open_never_mixes_two_archives(cube, path, tmp_path):
    """xarray closes files beyond a number, and opens them by their path when they are needed."""
    rc.save_archive(cube, path)
    for name in "ab":
        rc.save_archive(cube, tmp_path / f"{name}.nc")
    with xr.set_options(file_cache_maxsize=1), rc.open_archive(path) as old:
        for name in "ab":
            opened(tmp_path / f"{name}.nc")
        rc.save_archive(cube.assign(curve=cube.curve + 1), path)
        try:
            values = old.curve.values
        except (rc.ArchiveError, OSError):
            return
        np.testing.assert_array_equal(values, cube.curve.values)
