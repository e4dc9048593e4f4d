"""Cubes of dask arrays are written without being held."""

import pickle

import dask
import netCDF4
import numpy as np
import pytest
from saved_cubes import assert_same, entries, synthetic, there_and_back

import runcube as rc


@pytest.mark.parametrize("chunks", [{}, {"epoch": 1}, {"seed": 1, "metric": 1}, {"lr": 1}])
def test_a_lazy_cube_is_saved_as_it_would_be(cube, path, chunks):
    assert_same(there_and_back(cube.chunk(chunks), path), cube)


def test_a_lazy_cube_is_saved_whatever_its_chunks(path):
    ds = synthetic()
    assert_same(there_and_back(ds.chunk(lr=2, seed=7, epoch=33), path), ds)


@pytest.mark.parametrize("chunks", [{}, "auto", {"lr": -1}])
def test_chunks_are_aligned_with_the_file(path, chunks):
    ds = synthetic()
    rc.save_archive(ds, path)
    with netCDF4.Dataset(path) as file:
        stored = file["curve"].chunking()
        assert file["logged"].chunking() == stored
    assert np.prod(stored) < ds.curve.size
    with rc.open_archive(path, chunks=chunks) as lazy:
        for name in ("curve", "logged"):
            pieces = lazy[name].chunks
            assert pieces is not None
            for sizes, step in zip(pieces, stored, strict=True):
                assert all(size % step == 0 for size in sizes[:-1])
            if chunks == {}:
                assert [sizes[0] for sizes in pieces] == list(stored)
        assert all(lazy[name].chunks is None for name in lazy.coords)
        assert_same(lazy.load(), ds)


def test_chunks_that_do_not_fit_are_not_taken_for_damage(cube, path):
    rc.save_archive(cube, path)
    with pytest.raises(Exception, match="nowhere") as caught:
        rc.open_archive(path, chunks={"nowhere": 2})
    assert "damaged" not in str(caught.value)


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_an_error_while_values_are_computed_leaves_the_old_archive(path, error):
    ds = synthetic().chunk(seed=20)

    def fail(block, block_info=None):
        if block_info and block_info[0]["array-location"][1][0] > 0:
            raise error
        return block

    broken = ds.assign(curve=(ds.curve.dims, ds.curve.data.map_blocks(fail, dtype=float)))
    rc.save_archive(ds, path)
    before = path.read_bytes()
    with dask.config.set(scheduler="synchronous"), pytest.raises(error):
        rc.save_archive(broken, path)
    assert path.read_bytes() == before
    assert entries(path.parent) == ["sweep.nc"]


def test_values_are_computed_in_other_processes(path):
    ds = synthetic()
    rc.save_archive(ds, path)
    with rc.open_archive(path, chunks={}) as lazy:
        found = lazy[["curve", "logged"]].compute(scheduler="processes")
        assert_same(lazy.assign(found), ds)
        moved = pickle.loads(pickle.dumps(lazy))
        assert_same(moved.load(), ds)
