"""Cubes of many short runs and a few long ones: what no run reaches is not in the file."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from archives import archive, assert_same, load, opened, quietly, update
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy_cubes import opened as opened_lazily

import runcube as rc
from runcube.cube import x_dim
from runcube.netcdf import chunk_shape

LONG = 3000
WHOLE_DIGESTS = Path(__file__).parent / "of_before" / "whole-digests.nc"


def write_run(root, lr, seed, epochs, *, first=0):
    with rc.RunLogger(root / f"{lr}_{seed}", {"lr": lr, "seed": seed}) as log:
        for epoch in range(first, epochs):
            log.start_epoch(epoch)
            log.log("val", {"loss": lr + epoch, "acc": seed / (1 + epoch)})
            if epoch % 100 == 0:
                log.log("train", {"loss": -epoch})


@pytest.fixture(scope="module")
def ragged(tmp_path_factory):
    root = tmp_path_factory.mktemp("ragged") / "logs"
    for lr in (0.1, 0.2, 0.3, 0.4):
        for seed in range(6):
            write_run(root, lr, seed, 3 + seed)
    shutil.rmtree(root / "0.3_2")
    write_run(root, 0.2, 6, LONG)
    return root


def values_in_chunks(path):
    with h5py.File(path) as file:
        return file["curve"].id.get_num_chunks() * np.prod(file["curve"].chunks)


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_a_ragged_cube_is_archived_as_it_is_loaded_in_little_room(ragged, tmp_path, layout):
    want = load(ragged, layout=layout)
    assert_same(archive(ragged, tmp_path / "runs.nc", layout=layout), want)
    rc.save_archive(want, tmp_path / "saved.nc")
    assert_same(opened(tmp_path / "saved.nc"), want)
    for path in (tmp_path / "runs.nc", tmp_path / "saved.nc"):
        assert values_in_chunks(path) < want.curve.size / 2
        assert len(rc.verify_archive(path)) == 0
    assert_same(opened_lazily(ragged, layout=layout, messages=True), want)


@pytest.mark.parametrize(
    "selected",
    [{"split": "val"}, {"metric": "loss"}, {"split": "train", "metric": "loss"}],
    ids=str,
)
def test_a_selection_of_a_ragged_cube_is_saved(ragged, tmp_path, selected):
    quietly(rc.archive_runs, ragged, tmp_path / "runs.nc")
    with rc.open_archive(tmp_path / "runs.nc") as ds:
        part = ds.sel(selected)
        rc.save_archive(part, tmp_path / "saved.nc")
        assert not part["logged"].variable._in_memory, "it is read block by block"
        assert_same(rc.open_archive(tmp_path / "saved.nc").load(), part.load())
    assert values_in_chunks(tmp_path / "saved.nc") < part.curve.size


@pytest.mark.parametrize("dim", ["lr", "seed", "split", "metric", "epoch"])
def test_a_ragged_cube_without_labels_of_a_dim_is_saved(ragged, tmp_path, dim):
    nothing = load(ragged).isel({dim: slice(0)})
    rc.save_archive(nothing, tmp_path / "saved.nc")
    assert_same(opened(tmp_path / "saved.nc"), nothing)


def test_plain_xarray_reads_what_was_not_written_as_not_logged(ragged, tmp_path):
    want = load(ragged)
    rc.save_archive(want, tmp_path / "saved.nc")
    with xr.open_dataset(tmp_path / "saved.nc") as ds:
        assert ds.logged.dtype == bool
        assert "_FillValue" not in ds.logged.encoding
        np.testing.assert_array_equal(ds.logged, want.logged)
        np.testing.assert_array_equal(ds.curve, want.curve)


def test_a_ragged_archive_is_updated_as_it_is_made_anew(ragged, tmp_path):
    root, path = tmp_path / "logs", tmp_path / "runs.nc"
    shutil.copytree(ragged, root)
    archive(root, path)
    write_run(root, 0.1, 6, 20)  # beside short ones
    shutil.rmtree(root / "0.2_3")
    write_run(root, 0.2, 3, 40)  # another log
    with (root / "0.4_5" / "json_out.jsonl").open("a") as log:
        log.write('{"type": "str", "value": "a word more"}\n')
    for _ in range(2):
        assert_same(update(path), load(root))
        assert len(rc.verify_archive(path, root)) == 0
    write_run(root, 0.4, 6, LONG + 500)  # x is longer
    assert_same(update(path), load(root))
    assert len(rc.verify_archive(path, root)) == 0


def test_pieces_change_no_block_of_open_runs(ragged):
    ds = opened_lazily(ragged)
    assert ds.curve.chunksizes[x_dim(ds)] == (LONG,)


def test_curves_that_go_on_to_the_end_stay_whole(tmp_path):
    for seed in range(3):
        write_run(tmp_path / "logs", 0.1, seed, 1500 + seed)
    quietly(rc.archive_runs, tmp_path / "logs", tmp_path / "runs.nc")
    with h5py.File(tmp_path / "runs.nc") as file:
        assert file["curve"].chunks[-1] == 1502


@given(
    size=st.integers(1, 1 << 22),
    ends=st.lists(st.floats(0, 1), min_size=1, max_size=50),
)
@settings(deadline=None)
def test_pieces_hold_little_that_no_run_reaches(size, ends):
    reach = np.maximum(1, (np.array(ends) * size).astype(np.int64))
    shape = (len(ends), 1, 1, size)
    curve = xr.DataArray(np.broadcast_to(0.0, shape), dims=("seed", "split", "metric", "step"))
    status = xr.DataArray(np.full(len(ends), "complete"), dims="seed")
    ds = xr.Dataset({"curve": curve, "logged": curve > 0}, {"status": status})
    *_, piece = chunk_shape(ds, reach)
    held = (-(-reach // piece) * piece).sum()
    assert piece == size or piece >= 512
    assert held <= 2 * reach.sum() or piece < 1024


def test_the_hash_of_a_cell_that_archives_of_before_have_is_understood(tmp_path):
    assert len(rc.verify_archive(WHOLE_DIGESTS)) == 0
    path = tmp_path / "changed.nc"
    shutil.copy(WHOLE_DIGESTS, path)
    with h5py.File(path, "r+") as file:
        values = file["curve"][:]
        values[np.isfinite(values)] += 1
        file["curve"][:] = values
    assert set(rc.verify_archive(path)["kind"]) == {"changed_values"}
