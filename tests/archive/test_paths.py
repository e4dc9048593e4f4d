"""Paths where no archive can be written are refused, and nothing is left there."""

import json
import os
import tempfile
from pathlib import Path

import netCDF4
import pytest
import xarray as xr
from saved_cubes import (
    assert_same,
    entries,
    opened,
    run,
    there_and_back,
)

import runcube as rc


def test_a_path_may_be_a_text_and_relative(cube, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rc.save_archive(cube, "sweep.nc")
    with rc.open_archive("sweep.nc") as ds:
        assert_same(ds.load(), cube)
    assert entries(".") == ["sweep.nc"]


def test_a_path_may_begin_with_the_home_directory(cube, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    rc.save_archive(cube, "~/sweep.nc")
    assert entries(tmp_path) == ["sweep.nc"]
    assert_same(opened("~/sweep.nc"), cube)


@pytest.mark.parametrize("name", ["[1]*?.nc", "a #1 é%20.nc", "no ending", ".hidden", "{}.nc"])
def test_a_file_may_have_any_name_and_is_alone_afterwards(cube, tmp_path, name):
    left = [f".{name}.123.tmp", f".{name}.lock"]
    for litter in left:
        (tmp_path / litter).write_bytes(b"of a writer that was killed")
    (tmp_path / "1x.nc.1.tmp").write_bytes(b"of somebody else")
    (tmp_path / ".1x.nc.1.tmp").write_bytes(b"of somebody else")
    assert_same(there_and_back(cube, tmp_path / name), cube)
    assert entries(tmp_path) == sorted([name, "1x.nc.1.tmp", ".1x.nc.1.tmp"])


def test_where_no_archive_is_nothing_is_opened(path):
    with pytest.raises(FileNotFoundError, match=str(path)):
        rc.open_archive(path)
    with pytest.raises(FileNotFoundError, match=str(path / "below")):
        rc.open_archive(path / "below")


def test_a_directory_is_no_archive(cube, tmp_path):
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}: is a directory"):
        rc.save_archive(cube, tmp_path)
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}: is a directory"):
        rc.open_archive(tmp_path)
    assert entries(tmp_path) == []


def test_a_directory_that_does_not_exist_is_not_made(cube, tmp_path):
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}/no: no such directory"):
        rc.save_archive(cube, tmp_path / "no" / "sweep.nc")
    assert entries(tmp_path) == []


def test_a_name_that_is_too_long_is_refused(cube, tmp_path):
    for length in (248, 253, 300):
        name = "x" * (length - 3) + ".nc"
        with pytest.raises((rc.ArchiveError, OSError), match=str(tmp_path)):
            rc.save_archive(cube, tmp_path / name)
    assert entries(tmp_path) == []


@pytest.mark.parametrize("content", [b"precious", b"{}", b"PK\3\4", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_archive_is_neither_opened_nor_replaced(cube, path, content):
    path.write_bytes(content)
    with pytest.raises(rc.ArchiveError, match=f"{path}: exists and is no netCDF file"):
        rc.save_archive(cube, path)
    assert path.read_bytes() == content
    assert entries(path.parent) == ["sweep.nc"]
    with pytest.raises(rc.ArchiveError, match=f"{path}: not a netCDF file"):
        rc.open_archive(path)


def test_an_empty_file_is_replaced_but_not_opened(cube, path):
    path.touch()
    with pytest.raises(rc.ArchiveError, match=str(path)):
        rc.open_archive(path)
    assert_same(there_and_back(cube, path), cube)


def test_what_is_no_regular_file_is_not_replaced(cube, path):
    os.mkfifo(path)
    with pytest.raises(rc.ArchiveError, match=str(path)):
        rc.save_archive(cube, path)
    assert path.is_fifo()


def test_another_netcdf_file_is_not_an_archive(path):
    xr.Dataset({"wind": ("x", [1.0])}).to_netcdf(path)
    with pytest.raises(rc.ArchiveError, match=f"{path}: not a runcube archive.*'wind'"):
        rc.open_archive(path)


def test_an_archive_of_a_later_runcube_says_so(cube, path):
    rc.save_archive(cube, path)
    with netCDF4.Dataset(path, "a") as file:
        schema = json.loads(file.getncattr("runcube_archive"))
        file.setncattr("runcube_archive", json.dumps(schema | {"format": schema["format"] + 1}))
    with pytest.raises(rc.ArchiveError, match=rf"{path}: archive format \d+.*upgrade"):
        rc.open_archive(path)


READ_ONLY = """
    import os, sys
    import runcube as rc
    folder, other = sys.argv[1:]
    with rc.open_archive(f"{folder}/sweep.nc") as ds:
        ds.load()
    rc.save_archive(ds, f"{other}/warm.nc")  # imports what it needs, as root
    os.setuid(65534)
    with rc.open_archive(f"{folder}/sweep.nc") as again:
        assert again.load().identical(ds)
    for path in (f"{folder}/sweep.nc", f"{folder}/new.nc"):
        try:
            rc.save_archive(ds, path)
        except rc.ArchiveError as error:
            print(error)
    for ask in (rc.open_archive, lambda path: rc.save_archive(ds, path)):
        try:
            ask(f"{folder}/secret.nc")
        except (rc.ArchiveError, PermissionError) as error:
            print(error)
"""


@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="root alone becomes another")
def test_a_read_only_directory_can_be_read(cube, tmp_path):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rc.save_archive(cube, folder / "sweep.nc")
        rc.save_archive(cube, folder / "secret.nc")
        (folder / "sweep.nc").chmod(0o444)
        (folder / "secret.nc").chmod(0o000)
        folder.chmod(0o555)
        before = (folder / "sweep.nc").read_bytes()
        said = run(READ_ONLY, folder, tmp_path).splitlines()
        assert said[:2] == [f"{folder}: cannot be written: permission denied"] * 2
        assert len(said) == 4
        assert f"{folder}/secret.nc" in said[2]
        assert str(folder) in said[3]
        assert (folder / "sweep.nc").read_bytes() == before
        assert entries(folder) == ["secret.nc", "sweep.nc"]
