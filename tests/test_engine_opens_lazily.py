"""The xarray engine opens lazily."""

import os
import pickle

import pytest
import xarray as xr
from lazy_cubes import assert_same, opened
from sweeps import product_configs, write_sweep

from runcube.engine import RuncubeBackend


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, seeds=(0, 1, 2))


def test_the_engine_is_the_same_thing(logs):
    want = opened(logs)
    ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={})
    assert ds.curve.chunks == want.curve.chunks
    assert_same(ds, want)
    assert all(type(v) is not RuncubeBackend for v in ds.variables.values())


def test_coordinates_stay_in_memory(logs):
    ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={})
    assert [name for name, v in ds.variables.items() if v.chunks] == ["curve", "logged"]


def test_what_is_sent_to_others_is_plain_xarray(logs):
    ds = xr.open_dataset(logs, engine=RuncubeBackend)
    for array in (ds.curve.isel(seed=0).compute(), ds.isel(seed=[1]).load().curve):
        sent = pickle.dumps(array.reset_coords(drop=True))
        assert b"runcube.engine" not in sent
        xr.testing.assert_identical(pickle.loads(sent), array.reset_coords(drop=True))


def test_names_that_xarray_gives_change_when_a_file_does(logs):
    def names():
        ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={})
        return ds.curve.data.name, ds.logged.data.name

    before = names()
    assert names() == before
    assert before[0] != before[1]
    log = next(logs.rglob("*.jsonl"))
    os.utime(log, ns=(0, log.stat().st_mtime_ns + 1))
    assert not {*before} & {*names()}
