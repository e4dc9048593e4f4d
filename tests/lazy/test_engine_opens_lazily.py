"""The xarray engine opens lazily."""

import os

import xarray as xr
from lazy_cubes import assert_same, opened

from runcube.engine import RuncubeBackend


def test_the_engine_is_the_same_thing(logs, read, forget):
    want = opened(logs)
    ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={}, cache=False)
    assert ds.curve.chunks == want.curve.chunks
    forget()
    read.clear()
    for seed in (0, [0, 2]):
        part = ds.curve.sel(lr=0.1, seed=seed)
        assert read == []
        part.compute()
        assert sorted(read) == sorted(ds.path.sel(lr=0.1, seed=seed).values.ravel().tolist())
        forget()
        read.clear()
    assert_same(ds, want)


def test_names_that_xarray_gives_change_when_a_file_does(logs):
    def names():
        ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={}, cache=False)
        return ds.curve.data.name, ds.logged.data.name

    before = names()
    assert names() == before
    assert before[0] != before[1]
    log = next(logs.rglob("*.jsonl"))
    os.utime(log, ns=(0, log.stat().st_mtime_ns + 1))
    assert not {*before} & {*names()}
