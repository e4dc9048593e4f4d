"""Names of variables, dims and attrs come back, or are refused by name."""

import numpy as np
import pytest
from saved_cubes import assert_kept_or_refused, assert_same, plain, there_and_back

NAMES = {
    "slash": "top/k5",
    "space": "f1 score",
    "digit first": "1st",
    "trailing space": "lr ",
    "empty": "",
    "decomposed": "e\u0301te\u0301",
    "compatibility character": "\u212bngstrom",
    "jamo": "\u1100\u1161",
    "not latin": "学習率",
    "NUL": "a\0b",
    "surrogate": "\udc80",
    "long": "x" * 300,
    "long and odd": "x/" * 100,
    "name of text dims": "string1",
    "name of a group": "text",
    "name of the schema": "runcube_archive",
    "name of a class": "CLASS",
}


names = pytest.mark.parametrize("name", [pytest.param(n, id=k) for k, n in NAMES.items()])


@names
def test_a_coordinate_of_any_name_is_kept(cube, path, name):
    ds = cube.assign_coords({name: ("lr", [1.5, np.nan])})
    assert_same(there_and_back(ds, path), ds)
    shown = plain(path)
    new = next(n for n in shown.coords if n not in cube.coords)
    np.testing.assert_array_equal(shown[new].values, [1.5, np.nan])
    assert shown[new].dims == ("lr",)


@names
def test_a_dim_of_any_name_is_kept(cube, path, name):
    ds = cube.rename(lr=name)
    assert_same(there_and_back(ds, path), ds)
    shown = plain(path)
    assert sorted(shown.sizes.values()) == sorted(ds.sizes.values())
    np.testing.assert_array_equal(shown[shown.curve.dims[0]].values, cube.lr.values)


@names
def test_an_attr_of_any_name_is_kept(cube, path, name):
    ds = cube.assign_attrs({name: "here"})
    for variable in ("lr", "problems", "curve", "logged"):
        ds[variable].attrs[name] = f"on {variable}"
    assert_same(there_and_back(ds, path), ds)
    np.testing.assert_array_equal(plain(path).curve.values, ds.curve.values)


def test_odd_names_that_are_spelled_alike_stay_apart(cube, path):
    alike = ["a b", "a_x20_b", "a_x20_b_", "a/b", "_1", "1", "_"]
    ds = cube.assign_coords({name: ("lr", [i, i + 1]) for i, name in enumerate(alike)})
    assert_same(there_and_back(ds, path), ds)


@pytest.mark.parametrize("other", ["text", "q_sizes", "q_rows", "q_bytes", "messages"])
def test_coordinates_may_be_called_as_the_archive_calls_its_own(cube, path, other):
    odd = np.array(["a\0b", "x" * 2000], dtype=object)
    ds = cube.assign_coords({"q": ("lr", odd), other: ("lr", odd[::-1])})
    assert_same(there_and_back(ds, path), ds)


def test_a_name_that_is_no_text_is_refused_or_kept(cube, path):
    assert_kept_or_refused(cube.assign_coords({5: ("lr", [1, 2])}), path, "5")


MEANINGFUL = [
    "_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "dtype",
    "calendar", "grid_mapping", "_Unsigned", "bounds", "_Encoding", "_Netcdf4Dimid",
    "_Netcdf4Coordinates", "_NCProperties", "_nc3_strict", "_Format", "_ChunkSizes",
    "_ARRAY_DIMENSIONS", "_QuantizeBitRoundNumberOfSignificantBits", "least_significant_digit",
    "DIMENSION_LIST", "REFERENCE_LIST", "NAME", "valid_min", "units",
]  # fmt: skip


@pytest.mark.parametrize("name", MEANINGFUL)
def test_an_attr_that_means_something_to_netcdf_is_only_an_attr(cube, path, name):
    ds = cube.assign_attrs({name: "x"})
    ds = ds.assign_coords(whole=("lr", [1, 2]), words=("lr", ["a", "b"]))
    for variable in ("lr", "whole", "words", "problems", "curve", "logged"):
        ds[variable].attrs[name] = "x"
    assert_same(there_and_back(ds, path), ds)
    shown = plain(path)
    for variable in ("lr", "whole", "words", "problems", "curve", "logged"):
        np.testing.assert_array_equal(shown[variable].values, ds[variable].values)


@pytest.mark.parametrize("units", ["s", "days", "seconds since 2000-01-01", "since 2000"])
@pytest.mark.parametrize(
    "values",
    [
        pytest.param([1.0, 2.5], id="float"),
        pytest.param(["1", "2"], id="text"),
        pytest.param(np.array([1, 2], "m8[ns]"), id="timedelta"),
        pytest.param(np.array(["2020-01-01", "2021-01-01"], "M8[ns]"), id="datetime"),
    ],
)
def test_units_are_only_an_attr(cube, path, units, values):
    ds = cube.assign_coords(q=("lr", values, {"units": units}))
    assert_same(there_and_back(ds, path), ds)
    np.testing.assert_array_equal(plain(path).q.values, ds.q.values)


@pytest.mark.parametrize("units", ["seconds", "seconds since 2000-01-01", "since the start"])
def test_units_of_the_values_are_only_an_attr(cube, path, units):
    ds = cube.copy(deep=True)
    ds.curve.attrs["units"] = ds.logged.attrs["units"] = units
    assert_same(there_and_back(ds, path), ds)
    np.testing.assert_array_equal(plain(path).curve.values, ds.curve.values)
