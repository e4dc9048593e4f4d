"""Archives made in parallel are those made in one process."""

import shutil

import pytest
import xarray as xr
from in_parallel import quietly, way
from sweeps import write_run

import runcube as rc


@pytest.mark.parametrize("mode", ["threads", "processes", "dask sync", "own threads"])
def test_archives_are_the_same(logs, tmp_path, mode, request):
    made = {}
    with way(mode, request) as asked:
        for name, chosen in (("here", False), ("elsewhere", asked)):
            made[name] = tmp_path / f"{name}.nc"
            quietly(rc.archive_runs, logs, made[name], parallel=chosen)
        write_run(logs / "new", {"seed": 7, "epochs": 3, "optim": {"lr": 0.1}})
        shutil.rmtree(logs / "002")
        assert_same_archives(*made.values(), without="created")
        for name, chosen in (("here", False), ("elsewhere", asked)):
            quietly(rc.update_archive, made[name], parallel=chosen)
    assert_same_archives(*made.values(), without="created")
    (logs / "002").mkdir()  # what is gone is named by verify_archive, and nothing else
    assert set(rc.verify_archive(made["elsewhere"], logs).kind) == {"missing_log"}
    assert rc.verify_archive(made["elsewhere"]).empty


def assert_same_archives(left, right, without):
    with rc.open_archive(left, messages=True) as a, rc.open_archive(right, messages=True) as b:
        a.attrs.pop(without)
        b.attrs.pop(without)
        xr.testing.assert_identical(a, b)
    assert rc.verify_archive(right).empty


def test_an_archive_whose_logs_were_read_elsewhere_verifies(logs, tmp_path):
    quietly(rc.archive_runs, logs, tmp_path / "a.nc", parallel="threads")
    assert rc.verify_archive(tmp_path / "a.nc", logs).empty
