"""Every dtype comes back, or is refused by name."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from saved_cubes import assert_kept_or_refused, assert_same, plain, synthetic, there_and_back

import runcube as rc

NUMBERS = {
    "int8": np.array([-128, 127], np.int8),
    "uint16": np.array([0, 65535], np.uint16),
    "int64": np.array([-(2**63), 2**63 - 1]),
    "uint64": np.array([0, 2**64 - 1], np.uint64),
    "float32": np.array([0.1, np.nan], np.float32),
    "float64": np.array([-0.0, np.inf]),
    "fill value of netCDF": np.array([9.969209968386869e36, np.nan]),
    "bool": np.array([True, False]),
    "big endian": np.array([1.5, 2.5], ">f8"),
    "bytes": np.array([b"abc", b"d"]),
    "datetime": np.array(["2020-01-01T00:00:00.123456789", "NaT"], "M8[ns]"),
    "datetime in seconds": np.array(["2020-01-01", "1969-01-01"], "M8[s]"),
    "timedelta": np.array([1, "NaT"], "m8[ns]"),
    "timedelta in ms": np.array([1, -5], "m8[ms]"),
}


numbers = pytest.mark.parametrize("values", [pytest.param(v, id=k) for k, v in NUMBERS.items()])


@numbers
def test_a_coordinate_of_any_dtype_is_kept(cube, path, values):
    ds = cube.assign_coords(q=("lr", values), one=((), values[0]), none=("nowhere", values[:0]))
    assert_same(there_and_back(ds, path), ds)
    shown = plain(path)
    for name in ("q", "one"):
        np.testing.assert_array_equal(shown[name].values, ds[name].values)


@numbers
def test_labels_of_any_dtype_are_kept(cube, path, values):
    ds = cube.assign_coords(lr=("lr", values))
    assert_same(there_and_back(ds, path), ds)


def test_further_data_variables_are_kept_as_such(cube, path):
    ds = cube.assign({name: (f"{name} dim", values) for name, values in NUMBERS.items()})
    ds = ds.assign({f"one {name}": ((), values[0]) for name, values in NUMBERS.items()})
    ds = ds.assign(best=("lr", [1.5, 2.5]))
    assert_same(there_and_back(ds, path), ds)


def test_plain_xarray_tells_coordinates_from_data_variables(cube, path):
    ds = cube.assign(best=("lr", [1.5, 2.5]), words=("seed", ["a", "b"])).reset_coords("path")
    rc.save_archive(ds, path)
    shown = plain(path)
    assert set(shown.data_vars) == set(ds.data_vars)
    assert set(shown.coords) == set(ds.coords)


def test_a_large_coordinate_is_kept(path):
    ds = synthetic()
    ds = ds.assign_coords(step=(ds.curve.dims, np.arange(ds.curve.size).reshape(ds.curve.shape)))
    assert_same(there_and_back(ds, path), ds)
    assert path.stat().st_size < ds.nbytes


HARD_VALUES = {
    "float16": np.array([0.1, 0.2], np.float16),
    "longdouble": np.array([0.1, 0.2], np.longdouble),
    "complex": np.array([1j, 2]),
    "records": np.array([(1, 2.5), (3, 4.5)], dtype="i4,f8"),
    "wide datetimes": np.array(["1700-01-01T00:00:00.123456789", "2262-01-01"], "M8[ns]"),
    "ancient datetimes": np.array(["0001-01-01", "9999-01-01"], "M8[us]"),
    "StringDType": np.array(["a", "b"], np.dtypes.StringDType()),
    "categories": pd.Categorical(["a", "b"]),
    "nullable ints": pd.array([1, None], dtype="Int64"),
    "intervals": pd.interval_range(0, 2),
}


@pytest.mark.parametrize("values", [pytest.param(v, id=k) for k, v in HARD_VALUES.items()])
def test_values_that_netcdf_cannot_hold_are_refused_by_name(cube, path, values):
    assert_kept_or_refused(cube.assign_coords({"my values": ("lr", values)}), path, "my values")


@pytest.mark.parametrize("odd", [None, 0, False, 1.5, (), {}, b"a", ["a"]], ids=repr)
def test_an_object_that_is_no_text_is_refused_by_name(cube, path, odd):
    values = np.empty(2, dtype=object)
    values[:] = ["text", odd]
    ds = cube.assign_coords({"my values": xr.Variable("lr", values)})
    with pytest.raises(rc.ArchiveError, match=r"my values: holds .*expected text alone"):
        rc.save_archive(ds, path)
    assert not path.exists()


def test_a_multiindex_is_refused_by_name(cube, path):
    with pytest.raises(rc.ArchiveError, match=r"both: part of a MultiIndex.*reset_index"):
        rc.save_archive(cube.stack(both=("lr", "aug")), path)
    ds = cube.stack(both=("lr", "aug")).reset_index("both")
    assert_same(there_and_back(ds, path), ds)
