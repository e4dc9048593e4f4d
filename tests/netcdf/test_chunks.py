"""Chunks past the filters of HDF5: what is written is what every netCDF library reads."""

import zlib

import h5py
import netCDF4
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import runcube as rc
from runcube.netcdf.chunks import FILTERS, ChunkFile, pack

NUMBERS = hnp.arrays(
    st.sampled_from(["f8", "f4", "i1", "u2"]),
    st.integers(1, 300),
    elements=st.sampled_from([0, 1, 3, 100]),
)


def unpacked(data, itemsize):
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(itemsize, -1).T.tobytes()


@given(NUMBERS)
def test_zlib_and_unshuffling_give_the_bytes_back(values):
    assert unpacked(pack(values), values.itemsize) == values.tobytes()


@pytest.mark.parametrize("count", [1, 8191, 8192, 70_000])
def test_noise_is_stored_as_it_is(count):
    noise = np.random.default_rng(0).integers(0, 1 << 63, count, dtype="u8")
    packed = pack(noise)
    assert unpacked(packed, 8) == noise.tobytes()
    assert len(packed) <= noise.nbytes + 8 * 5 * (1 + count // 65535) + 11


def test_what_repeats_or_is_regular_shrinks():
    curve = np.random.default_rng(0).random(1000)
    assert len(pack(np.tile(curve, 16))) < 2 * curve.nbytes
    assert len(pack(np.round(np.tile(curve, 16), 2))) < curve.nbytes


def new_file(path, shape, chunk, dtype="f8"):
    with netCDF4.Dataset(path, "w") as file:
        dims = [f"d{i}" for i in range(len(shape))]
        for dim, size in zip(dims, shape, strict=True):
            file.createDimension(dim, size)
        options = {**FILTERS, "chunksizes": chunk} if shape else {}
        file.createVariable("curve", dtype, dims, fill_value=np.nan, **options)
        file.createVariable("logged", "i1", dims, fill_value=0, **options)


@pytest.mark.parametrize(
    ("shape", "chunk"), [((), ()), ((1,), (1,)), ((5, 7), (2, 3)), ((4, 3, 10), (4, 1, 10))]
)
@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_netcdf_reads_what_was_put(tmp_path, shape, chunk, dtype):
    new_file(tmp_path / "a.nc", shape, chunk, dtype)
    values = np.random.default_rng(0).normal(size=shape).astype(dtype)
    mask = np.asarray(values > 0)
    values = np.where(mask, values, np.nan)
    with ChunkFile(tmp_path / "a.nc") as file:
        file.put(tuple(map(slice, [0] * len(shape), shape)), values, mask)
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        file.set_auto_mask(False)
        np.testing.assert_array_equal(file["curve"][...], values)
        np.testing.assert_array_equal(file["logged"][...], mask)
    new_file(tmp_path / "b.nc", shape, chunk, dtype)
    if shape:
        with ChunkFile(tmp_path / "a.nc", "r") as old, ChunkFile(tmp_path / "b.nc") as file:
            file.copy(old, tuple(map(slice, [0] * len(shape), shape)))
        with netCDF4.Dataset(tmp_path / "b.nc") as file:
            file.set_auto_mask(False)
            np.testing.assert_array_equal(file["curve"][...], values)


def test_chunks_of_nothing_take_no_room(tmp_path):
    new_file(tmp_path / "a.nc", (40, 100), (1, 100))
    values = np.full((40, 100), np.nan)
    values[3] = 1.0
    with ChunkFile(tmp_path / "a.nc") as file:
        file.put((slice(0, 40), slice(0, 100)), values, ~np.isnan(values))
    with h5py.File(tmp_path / "a.nc") as file:
        assert file["curve"].id.get_num_chunks() == 1
        assert file["logged"].id.get_num_chunks() == 1
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        file.set_auto_mask(False)
        np.testing.assert_array_equal(file["curve"], values)
        np.testing.assert_array_equal(file["logged"], ~np.isnan(values))


def make_runs(logs, shift=0.0, seeds=(0, 1, 2, 3)):
    for seed in seeds:
        (logs / f"{seed}").mkdir(parents=True, exist_ok=True)
        (logs / f"{seed}" / "log.jsonl").unlink(missing_ok=True)
        with rc.RunLogger(logs / f"{seed}" / "log.jsonl", {"lr": 0.1, "seed": seed}) as log:
            for epoch in range(9_000):
                log.log("val", {"loss": np.sin(epoch * (seed + 1)) / 3 + shift}, epoch=epoch)


@pytest.fixture
def archived(tmp_path):
    make_runs(tmp_path / "logs")
    rc.archive_runs(tmp_path / "logs", tmp_path / "sweep.nc")
    return tmp_path / "sweep.nc"


def test_a_flipped_bit_in_a_stored_plane_is_found(archived):
    with h5py.File(archived) as file:
        chunk = file["curve"].id.get_chunk_info(0)
    with archived.open("r+b") as file:
        file.seek(chunk.byte_offset + 50)
        byte = file.read(1)[0]
        file.seek(-1, 1)
        file.write(bytes([byte ^ 1]))
    assert "damaged" in set(rc.verify_archive(archived)["kind"])


def with_checksums(path):
    """Lay the cube out as earlier versions did: with a checksum of HDF5 in each chunk."""
    with h5py.File(path, "r+") as file:
        for name in ("curve", "logged"):
            file.move(name, "old")
            old = file["old"]
            options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            options.set_chunk(old.chunks)
            options.set_fill_value(np.array(old.fillvalue, old.dtype))
            options.set_fletcher32()
            options.set_shuffle()
            options.set_deflate(1)
            spelled, kind, space = name.encode(), old.id.get_type(), old.id.get_space()
            new = h5py.Dataset(h5py.h5d.create(file.id, spelled, kind, space, options))
            new[...] = old[...]
            for key, value in old.attrs.items():
                new.attrs.create(key, value, dtype=old.attrs.get_id(key).dtype)
            del file["old"]


def test_chunks_of_an_earlier_version_are_made_anew(archived):
    with_checksums(archived)
    logs = archived.parent / "logs"
    make_runs(logs, shift=1.0, seeds=[2])
    rc.update_archive(archived)
    with rc.open_archive(archived) as ds:
        assert ds.curve.identical(rc.load_runs(logs).curve)
    with h5py.File(archived) as file:
        assert not file["curve"].fletcher32
