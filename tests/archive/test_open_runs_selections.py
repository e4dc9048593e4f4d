"""Selections of lazy cubes: what they read, and that they are those of the loaded cube."""

import os
import pickle

import dask
import h5py
import numpy as np
import pytest
import xarray as xr
from lazy_cubes import assert_same, loaded, opened
from sweeps import product_configs, write_sweep

import runcube as rc


@pytest.fixture
def partly_damaged(tmp_path):
    """A sweep of long runs, and the chunks of their archive that were damaged: all but some."""

    def open_it(good, **options):
        logs = write_sweep(tmp_path / "logs", product_configs(lr=[0.1, 1.0]), (0, 1), epochs=9000)
        want = loaded(logs)
        opened(logs, tmp_path / "cache").close()
        (kept,) = (tmp_path / "cache").glob("*.nc")
        stat = kept.stat()
        with h5py.File(kept) as file:
            chunks = [
                file[name].id.get_chunk_info(number)
                for name in ("curve", "logged")
                for number in range(file[name].id.get_num_chunks())
            ]
            bad = [chunk for chunk in chunks if not good(chunk.chunk_offset)]
        with kept.open("r+b") as file:
            for chunk in bad:
                file.seek(chunk.byte_offset + chunk.size // 2)
                file.write(b"bad!")
        os.utime(kept, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        return opened(logs, tmp_path / "cache", **options), want

    return open_it


@pytest.mark.parametrize("chunks", ["auto", None, {}])
@pytest.mark.parametrize(
    "pick",
    [
        lambda d: d.curve.isel(lr=1, seed=0, split=1, metric=0),
        lambda d: d.curve.isel(lr=slice(1, 2), seed=0, split=1, metric=0, epoch=slice(2, 9)),
        lambda d: rc.final(d.isel(lr=slice(1, None), seed=0, split=1, metric=0)),
        lambda d: d.curve.isel(split=1, metric=0, lr=slice(1, 2), seed=slice(0, 1)).max("lr"),
    ],
    ids=["one", "some", "final", "max"],
)
def test_a_selection_reads_its_chunks_and_no_others(partly_damaged, chunks, pick):
    ds, want = partly_damaged(lambda at: at[-5:-1] == (1, 0, 1, 0), chunks=chunks)
    assert ds.curve.dims[-5:-1] == ("lr", "seed", "split", "metric")
    with pytest.raises(RuntimeError, match="HDF error"):
        ds.curve.isel(lr=0).compute()
    xr.testing.assert_identical(pick(ds).compute(), pick(want))


@pytest.mark.parametrize(
    "reduced",
    [
        lambda ds: rc.final(ds.sel(metric="acc1", split="val")),
        lambda ds: rc.final(ds, how="best", mode="max"),
        lambda ds: rc.final(ds, how="mean", last=2),
        lambda ds: rc.at_best(ds, metric="acc1", split="val", mode="max").sel(metric="loss"),
        rc.diverged,
    ],
    ids=["last", "best", "mean", "at_best", "diverged"],
)
def test_what_is_taken_of_each_run_is_that_of_the_loaded_cube(logs, reduced):
    ds, want = (opens(logs, layout="grid").sel(lr=0.1, seed=0) for opens in (opened, loaded))
    end = reduced(ds)
    assert dask.is_dask_collection(end), "nothing is read before it is computed"
    xr.testing.assert_identical(end.compute(), reduced(want))


def test_a_list_upon_a_selection_is_that_of_the_loaded_cube(logs):
    ds = opened(logs, layout="grid")
    want = loaded(logs, layout="grid")
    is_high, one_each = ds.lr > 0.5, xr.DataArray([2, 0], dims="run")
    for pick in (
        lambda d: d.curve.sel(metric="loss", split="val").sel(weights="None").isel(seed=[2, 0]),
        lambda d: d.curve.isel(seed=[0, 2]).isel(seed=[1]).sel(lr=[1.0]),
        lambda d: d.curve.where(is_high, drop=True),
        lambda d: d.curve.isel(seed=np.array([True, False, True])).isel(lr=[-1]),
        lambda d: xr.align(d.curve, is_high)[0].isel(seed=[0, 2]),
        lambda d: d.curve.sel(lr=xr.DataArray([0.1, 1.0], dims="run"), seed=one_each, epoch=1),
        lambda d: d.curve.sel(split="val").isel(lr=xr.DataArray([[1, -2]] * 2, dims=("a", "b"))),
        lambda d: d.curve.sortby("seed", ascending=False).sel(seed=[1, 0]).isel(epoch=[-1]),
    ):
        part = pick(ds)
        xr.testing.assert_identical(part.compute(), pick(want))


def test_a_result_is_nothing_but_its_values(logs):
    ds = opened(logs)
    of_one = ds.curve.isel(lr=0, seed=0, weights=0).reset_coords(drop=True)
    results = of_one.compute(), of_one.copy().load(), of_one.isel(epoch=[0]).compute()
    for result in (*results, of_one.persist()):
        sent = pickle.dumps(result)
        assert b"runcube." not in sent
        xr.testing.assert_identical(pickle.loads(sent), result)
    assert type(ds.curve.variable.compute()) is xr.Variable


@pytest.mark.parametrize("chunks", ["auto", {"seed": 1}], ids=str)
@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_another_layout_of_a_lazy_cube_is_lazy(logs, layout, chunks):
    convert = rc.to_configs if layout == "grid" else rc.to_grid
    want = convert(loaded(logs, layout=layout))
    ds = opened(logs, layout=layout, chunks=chunks)
    other = convert(ds)
    back = (rc.to_grid if layout == "grid" else rc.to_configs)(other)
    assert all(d[name].chunks for d in (other, back) for name in ("curve", "logged"))
    assert_same(other, want)
    assert_same(back, loaded(logs, layout=layout))
    if layout == "grid":
        row = other.curve.isel(config=[2, 0], seed=[1]).compute()
        assert row.identical(want.curve.isel(config=[2, 0], seed=[1]))


@pytest.mark.parametrize("pick", [{"lr": [1]}, {"seed": np.array([0])}])
def test_without_dask_lists_and_later_selections_read_their_chunks_too(partly_damaged, pick):
    ds, want = partly_damaged(lambda at: at[-5:-1] == (1, 0, 1, 0), chunks=None)
    picks = {"lr": 1, "seed": 0, "split": 1, "metric": 0} | pick
    part = ds.curve
    for dim, at in picks.items():
        part = part.isel({dim: at})
    xr.testing.assert_identical(part.compute(), want.curve.isel(picks))
