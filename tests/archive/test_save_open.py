"""What is saved is what is opened: values, and the files that plain xarray reads."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from saved_cubes import assert_same, load, opened, plain, there_and_back

import runcube as rc
from runcube.testing import logged_sweeps

LONG = {"dtype": "S1", "zlib": True}


@given(
    sweep=logged_sweeps(),
    layout=st.sampled_from(["auto", "grid", "configs"]),
    messages=st.booleans(),
)
def test_a_loaded_sweep_is_the_opened_one(tmp_path_factory, sweep, layout, messages):
    assume(sweep.runs)
    root = tmp_path_factory.mktemp("sweep")
    sweep.write(root)
    ds = load(root, layout=layout, messages=messages)
    target = root / "sweep.nc"
    assert_same(there_and_back(ds, target), ds)
    shown = plain(target)
    assert set(shown.coords) == set(ds.coords)
    assert set(shown.data_vars) == set(ds.data_vars)
    assert shown.logged.dtype == bool
    for name in ds.variables:
        assert shown[name].dims == ds[name].dims, name
    np.testing.assert_array_equal(shown.curve.values, ds.curve.values)
    np.testing.assert_array_equal(shown.logged.values, ds.logged.values)
    assert "runcube_archive" in shown.attrs


def test_a_whole_sweep_is_opened_as_it_was_loaded(digits_cube, path):
    assert_same(there_and_back(digits_cube, path), digits_cube)
    assert_same(opened(path), digits_cube)
    with rc.open_archive(path) as ds:
        assert_same(rc.to_grid(rc.to_configs(ds)), digits_cube)


def test_every_long_text_keeps_its_encoding(cube, path):
    back = there_and_back(cube, path)
    long = [name for name in back.variables if back[name].dtype.kind == "O"]
    assert "problems" in long
    assert all(back[name].encoding == cube[name].encoding == LONG for name in long)


def test_curve_waits_until_it_is_needed(cube, path):
    rc.save_archive(cube, path)
    with rc.open_archive(path) as ds:
        assert not ds.variables["curve"]._in_memory
        assert not ds.variables["logged"]._in_memory
        part = ds.sel(metric="acc1", split="val").load()
        assert not ds.variables["curve"]._in_memory
    assert_same(part, cube.sel(metric="acc1", split="val"))


@pytest.mark.parametrize("engine", ["netcdf4", "h5netcdf"])
def test_every_reader_of_netcdf_sees_the_values_and_their_labels(cube, path, engine):
    rc.save_archive(cube, path)
    shown = plain(path, engine=engine)
    assert set(shown.coords) == set(cube.coords)
    for name, variable in cube.variables.items():
        np.testing.assert_array_equal(shown[name].values, variable.values, err_msg=name)
    assert shown.attrs | cube.attrs == shown.attrs
    assert shown.lr.attrs == cube.lr.attrs


def test_an_archive_of_an_archive_is_the_same(cube, path, tmp_path):
    rc.save_archive(cube, path)
    with rc.open_archive(path) as ds:
        rc.save_archive(ds, tmp_path / "again.nc")
    assert_same(opened(tmp_path / "again.nc"), cube)


def test_an_archive_can_be_saved_over_itself(cube, path):
    rc.save_archive(cube, path)
    with rc.open_archive(path) as ds:
        rc.save_archive(ds.isel(seed=[1]), path)
    assert_same(opened(path), cube.isel(seed=[1]))


def test_what_plain_xarray_saved_is_opened_too(cube, path):
    cube.to_netcdf(path)
    assert_same(opened(path), cube)


def test_what_plain_xarray_saved_keeps_its_further_variables(cube, path):
    ds = cube.assign(best=("lr", [1.5, 2.5]))
    ds.to_netcdf(path)
    assert_same(opened(path), ds)
