"""The archive: what is saved is what is opened, by runcube and by plain xarray, come what may."""

import json
import os
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import dask
import netCDF4
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.files.atomic import locked
from runcube.testing import logged_sweeps

LONG = {"dtype": "S1", "zlib": True}


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


def spelled(one):
    """Attrs as Python spells them: 1 is not True, and no list is a tuple."""
    return {name: repr(value) for name, value in one.attrs.items()}


def assert_same(one, other):
    """Identical, with dtypes, encodings, the Python types of attrs and the signs of zeros."""
    xr.testing.assert_identical(one, other)
    assert spelled(one) == spelled(other)
    for name, variable in other.variables.items():
        mine = one.variables[name]
        assert mine.dtype == variable.dtype, name
        assert spelled(mine) == spelled(variable), name
        if variable.encoding:
            assert mine.encoding == variable.encoding, name
        if variable.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(mine.values), np.signbit(variable.values))


def opened(path, **options):
    with rc.open_archive(path, **options) as ds:
        return ds.load()


def plain(path, **options):
    with xr.open_dataset(path, **options) as ds:
        return ds.load()


def there_and_back(ds, path, **options):
    rc.save_archive(ds, path, **options)
    return opened(path)


def assert_kept_or_refused(ds, path, name):
    """What netCDF cannot hold may be refused by its name, but never come back as another."""
    try:
        rc.save_archive(ds, path)
    except rc.ArchiveError as error:
        said = str(error)
    else:
        assert_same(opened(path), ds)
        return
    assert name in said
    assert entries(path.parent) == []


def run(script, *arguments, prefix=()):
    command = [*prefix, sys.executable, "-B", "-c", dedent(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def entries(folder):
    return sorted(p.name for p in Path(folder).iterdir())


def synthetic(value=0.0, lr=3, seed=40, epoch=400):
    dims = ("lr", "seed", "split", "metric", "epoch")
    shape = (lr, seed, 2, 2, epoch)
    values = value + np.arange(np.prod(shape), dtype=float).reshape(shape)
    values[..., 5:7] = np.nan
    return xr.Dataset(
        {"curve": (dims, values), "logged": (dims, np.isfinite(values))},
        {
            "lr": np.arange(lr) / 8,
            "seed": np.arange(seed),
            "split": ["train", "val"],
            "metric": ["loss", "acc1"],
            "epoch": np.arange(epoch),
            "status": (dims[:2], np.full(shape[:2], "complete")),
        },
    )


@pytest.fixture(scope="module")
def cube(tmp_path_factory):
    """Two hyperparameters, with a run that is missing and one that was killed."""
    configs = product_configs(optim__lr=[0.1, 1.0], data__aug=["é", "b"])
    root = tmp_path_factory.mktemp("sweep")
    write_sweep(root, configs, seeds=(0, 1), leave_out={(1, 1)}, killed={(2, 0)})
    return load(root, layout="grid")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "sweep.nc"


# What is logged


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


# Parts of a cube


def ways_to_cut(dims=("lr", "aug", "seed", "split", "metric", "epoch")):
    for dim in dims:
        yield f"no {dim}", lambda ds, d=dim: ds.isel({d: slice(0, 0)})
        yield f"one {dim}", lambda ds, d=dim: ds.isel({d: 0})
    yield "nothing", lambda ds: ds.isel(dict.fromkeys(ds.dims, slice(0, 0)))
    yield "one seed, dropped", lambda ds: ds.isel(seed=0, drop=True)
    yield "one value", lambda ds: ds.isel(dict.fromkeys(ds.dims, 0))
    yield "by label", lambda ds: ds.sel(lr=0.1, aug="é", metric="acc1")
    yield "one metric", lambda ds: ds.sel(metric="acc1")
    yield "metrics", lambda ds: ds.sel(metric=["acc1"])
    yield "configs", rc.to_configs
    yield "transposed", lambda ds: ds.transpose()
    yield "backwards", lambda ds: ds.isel(epoch=slice(None, None, -1))
    yield "no epochs' labels", lambda ds: ds.drop_vars("epoch")
    yield "a new dim", lambda ds: ds.expand_dims(fold=[1, 2])
    yield "a run_id that is data", lambda ds: ds.reset_coords("run_id")
    yield "a logged that is a coordinate", lambda ds: ds.set_coords("logged")
    yield "in another order", lambda ds: ds[sorted(ds.variables)]
    yield "single precision", lambda ds: ds.assign(curve=ds.curve.astype("f4"))


@pytest.mark.parametrize("cut", [pytest.param(f, id=name) for name, f in ways_to_cut()])
def test_any_part_of_a_cube_is_kept(cube, path, cut):
    ds = cut(cube)
    assert_same(there_and_back(ds, path), ds)
    shown = plain(path)
    np.testing.assert_array_equal(shown.curve.values, ds.curve.values)
    assert dict(shown.sizes) == dict(ds.sizes)


@pytest.mark.parametrize("first", ["aug", "seed", "epoch"])
def test_curve_and_logged_may_have_their_dims_in_different_order(cube, path, first):
    """Dims of equal size could be mixed up in silence: lr, aug and seed are two each."""
    ds = cube.assign(curve=cube.curve.transpose(first, ...))
    assert_same(there_and_back(ds, path), ds)


def test_a_cube_whose_logged_is_no_longer_true_or_false_is_refused(cube, path):
    with pytest.raises(rc.RuncubeError, match="logged"):
        rc.save_archive(cube.where(cube.aug == "b"), path)
    assert not path.exists()


def test_what_is_no_cube_is_refused(cube, path):
    with pytest.raises(rc.PlanError, match="ask the cube before it"):
        rc.save_archive(cube.mean("seed"), path)
    assert not path.exists()


# Names

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


# Names of attrs that mean something to netCDF, CF or xarray

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


# Values of attrs

ATTRS = {
    "true": True,
    "false": False,
    "none": None,
    "list": [1, "a", None, 2.5, [True]],
    "dict": {"a": [1], "b": {"c": None}},
    "ints": np.arange(3),
    "matrix": np.arange(6, dtype=np.float32).reshape(2, 3),
    "nan array": np.array([np.nan, np.inf]),
    "texts": np.array(["a", "é"]),
    "empty matrix": np.zeros((0, 3)),
    "scalar array": np.array(5),
    "empty": "",
    "int": 3,
    "least int": -(2**63),
    "big int": 2**63,
    "huge int": 2**70,
    "nan": float("nan"),
    "infinity": float("-inf"),
    "nan in a list": [float("nan")],
    "NUL": "a\0b",
    "surrogate": "\udc80",
    "surrogate in a list": ["\udc80"],
    "decomposed": "e\u0301",
    "long": "x" * 100_000,
}


@pytest.mark.parametrize("value", [pytest.param(v, id=k) for k, v in ATTRS.items()])
def test_an_attr_is_kept_with_its_type(cube, path, value):
    ds = cube.assign_attrs(mine=value)
    for variable in ("lr", "problems", "curve", "logged"):
        ds[variable].attrs["mine"] = value
    assert_same(there_and_back(ds, path), ds)


@pytest.mark.parametrize(
    "value", [np.int32(5), np.uint64(2**64 - 1), np.float32(0.1), np.float64(0.1), np.True_]
)
def test_a_number_of_numpy_is_kept_as_a_number(cube, path, value):
    assert there_and_back(cube.assign_attrs(mine=value), path).attrs["mine"] == value


HARD_ATTRS = {
    "object": object(),
    "bytes": b"a",
    "set": {1},
    "complex": 1j,
    "timestamp": pd.Timestamp("2020-01-01"),
    "array in a list": [np.arange(2)],
    "float16": np.float16(0.1),
    "longdouble": np.longdouble(0.1),
    "datetime64": np.datetime64("2020-01-01", "ns"),
    "timedelta64": np.timedelta64(1, "ns"),
    "datetimes": np.array(["2020-01-01"], "M8[us]"),
    "complexes": np.array([1j]),
    "bytes array": np.array([b"a"]),
    "objects": np.array([object()]),
    "records": np.array([(1, 2.5)], dtype="i4,f8"),
    "tuple": (1, 2),
    "tuple in a list": [(1, 2)],
    "dict by int": {1: "a"},
    "dict by bool": {True: "a"},
    "dict that looks like an array": {"__ndarray__": [1], "dtype": "<i8"},
}


@pytest.mark.parametrize("value", [pytest.param(v, id=k) for k, v in HARD_ATTRS.items()])
def test_an_attr_that_cannot_be_kept_is_refused_by_name(cube, path, value):
    assert_kept_or_refused(cube.assign_attrs(mine=value), path, "mine")


def test_an_attr_of_a_variable_is_refused_with_its_variable(cube, path):
    for variable in ("lr", "problems", "curve"):
        ds = cube.copy(deep=True)
        ds[variable].attrs["mine"] = object()
        with pytest.raises(rc.ArchiveError, match=f"attr 'mine' of {variable}"):
            rc.save_archive(ds, path)


def test_an_attr_without_a_textual_name_is_refused(cube, path):
    with pytest.raises(rc.ArchiveError, match="attr 5 of the Dataset"):
        rc.save_archive(cube.assign_attrs({5: "a"}), path)


# Text

TEXTS = {
    "NUL": ["a\0b", "x"],
    "surrogate": ["\udc80", "caf\udce9"],
    "emoji": ["😀", "👩‍🔬"],
    "None": ["None", ""],
    "nan": ["nan", "NaN"],
    "empty": ["", ""],
    "decomposed": ["e\u0301", "é"],
    "escaped alike": ["a\\x00b", "a\0b"],
    "white space": [" a ", "\t\n"],
    "long": ["x" * 5000, "é" * 5000],
    "as long as is shown": ["x" * 999, "x" * 1000],
    "just too long": ["é" * 1001, "x" * 1001],
}
texts = pytest.mark.parametrize("words", [pytest.param(t, id=k) for k, t in TEXTS.items()])


def as_objects(words):
    """Text as objects; where pandas uses pyarrow, xarray takes none that is no Unicode."""
    try:
        pd.Series(words)
    except UnicodeEncodeError:
        return np.array(words)
    return np.array(words, dtype=object)


@texts
def test_any_text_is_kept(cube, path, words):
    short, long = np.array(words), as_objects(words)
    ds = cube.assign_coords(words=("lr", short), word=((), short[0]), long=("lr", long))
    ds = ds.assign(said=("lr", short), all=("lr", long), last=((), long[1]))
    assert_same(there_and_back(ds, path), ds)


@texts
def test_any_text_is_a_label(cube, path, words):
    ds = cube.assign_coords(split=("split", words), metric=("metric", as_objects(words)))
    back = there_and_back(ds, path)
    assert_same(back, ds)
    if words[0] != words[1]:
        one = {"metric": words[1], "split": words[0]}
        xr.testing.assert_identical(back.sel(one), ds.sel(one))


def test_plain_xarray_shows_odd_text_readably(cube, path):
    long = "epoch 1: " + "x" * 5000
    values = np.array([long, "short"], dtype=object)
    ds = cube.assign_coords(said=("lr", values), metric=["a\0b", "caf\udce9"])
    rc.save_archive(ds, path)
    shown = plain(path)
    assert shown.metric.values.tolist() == ["a\\x00b", "caf\\udce9"]
    cut, whole = shown.said.values.tolist()
    assert whole == "short"
    assert long.startswith(cut[:-1])
    assert cut[-1] == "…"
    assert len(cut) == 1000


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
any_text = st.text(st.characters(exclude_categories=()), max_size=6)


@given(
    coords=st.dictionaries(any_text, st.tuples(any_text, any_text), max_size=3),
    attrs=st.dictionaries(any_text, json_like, max_size=3),
    dim=any_text,
    long=st.booleans(),
)
def test_names_texts_and_attrs_of_any_characters_are_kept(
    tmp_path_factory, cube, coords, attrs, dim, long
):
    assume(not {dim, *coords} & set(cube.variables) and dim not in coords)
    kind = object if long else str
    ds = cube.rename(lr=dim).assign_attrs(attrs)
    try:
        ds = ds.assign_coords({n: (dim, np.array(t, kind), attrs) for n, t in coords.items()})
    except (TypeError, UnicodeEncodeError):
        # Where pandas uses pyarrow, xarray cannot make a cube with half a pair of surrogates.
        assume(find_spec("pyarrow") is None)
        raise
    assert_same(there_and_back(ds, tmp_path_factory.mktemp("any") / "sweep.nc"), ds)


# Dtypes

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


# Dask


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


# Less than everything, on request


def recorded(path):
    return json.loads(plain(path).attrs["runcube_archive"])


def test_by_default_every_digit_is_kept(cube, path):
    rc.save_archive(cube, path)
    assert recorded(path)["dtype"] == "float64"
    assert recorded(path).get("significant_digits") is None
    assert opened(path).curve.dtype == np.float64


def test_single_precision_is_stored_on_request_and_recorded(cube, path):
    back = there_and_back(cube, path, dtype="float32")
    assert recorded(path)["dtype"] == "float32"
    assert plain(path).curve.dtype == np.float32
    assert_same(back, cube.assign(curve=cube.curve.astype(np.float32)))


def test_infinity_is_not_too_large_for_single_precision(cube, path):
    ds = cube.copy(deep=True)
    ds.curve.values[0, 0, 0, 0, 0] = [np.inf, -np.inf, np.nan]
    back = there_and_back(ds, path, dtype="float32")
    np.testing.assert_array_equal(back.curve.values, ds.curve.values.astype(np.float32))


def test_a_value_too_large_for_single_precision_leaves_no_file(cube, path):
    ds = cube.copy(deep=True)
    ds.curve.values[0, 0, 0, 0, 0, 0] = 1e300
    with pytest.raises(rc.ArchiveError, match=r"float32.*1e\+300.*float64"):
        rc.save_archive(ds, path, dtype="float32")
    assert entries(path.parent) == []
    rc.save_archive(cube, path)
    before = path.read_bytes()
    with pytest.raises(rc.ArchiveError, match="float32"):
        rc.save_archive(ds, path, dtype="float32")
    assert path.read_bytes() == before
    assert entries(path.parent) == ["sweep.nc"]


def with_values(ds, values):
    ds = ds.copy(deep=True)
    ds.curve.values.flat[: len(values)] = values
    ds.logged.values.flat[: len(values)] = True
    return ds


def worst(ds, path, values, **options):
    """Largest relative error of the values that were saved."""
    back = there_and_back(with_values(ds, values), path, **options)
    got = back.curve.values.ravel()[: len(values)].astype(float)
    with np.errstate(invalid="ignore"):
        return np.max(np.abs(got / values - 1))


DIGITS = np.array([1, np.pi, 9.99999, 1.2345678, 1 / 3, 2 / 3, 1.0000001, 9.5])


@pytest.mark.parametrize("scale", [1.0, -1.0, 1e-300, 1e300, 1e-30, 1e30])
def test_significant_digits_are_kept(cube, path, scale):
    assert worst(cube, path, DIGITS * scale, significant_digits=4) <= 1e-4


@pytest.mark.parametrize("digits", [1, 6, 7, 15])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_any_number_of_digits_goes_with_either_dtype(cube, path, dtype, digits):
    values = DIGITS.astype(dtype).astype(float)
    allowed = max(10.0**-digits, np.finfo(dtype).eps)
    assert worst(cube, path, values, significant_digits=digits, dtype=dtype) <= allowed


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_makes_no_number_infinite(cube, path, dtype):
    largest = float(np.finfo(dtype).max)
    values = np.array([largest, -largest])
    assert worst(cube, path, values, dtype=dtype, significant_digits=4) <= 1e-4


def test_rounding_makes_no_number_zero(cube, path):
    values = np.array([5e-324, -1e-322, 1e-310])
    assert worst(cube, path, values, significant_digits=4) <= 1e-4


def test_rounding_leaves_alone_what_has_no_digits(cube, path):
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, -np.nan])
    odd[5:] = np.frombuffer(b"\xff" * 7 + b"\x7f", "<f8")
    ds = with_values(cube, odd)
    got = there_and_back(ds, path, significant_digits=4).curve.values.ravel()[: len(odd)]
    np.testing.assert_array_equal(got, odd)
    np.testing.assert_array_equal(np.signbit(got[3:5]), [False, True])


def test_rounding_is_recorded_and_touches_nothing_but_the_values(cube, path):
    back = there_and_back(cube, path, significant_digits=4)
    assert recorded(path)["significant_digits"] == 4
    np.testing.assert_allclose(back.curve.values, cube.curve.values, rtol=1e-4)
    assert back.curve.attrs == cube.curve.attrs
    assert_same(back.drop_vars("curve"), cube.drop_vars("curve"))


def test_rounded_values_need_less_room(path):
    ds = synthetic()
    ds = ds.assign(curve=np.sqrt(ds.curve))
    rc.save_archive(ds, path)
    whole = path.stat().st_size
    rc.save_archive(ds, path, significant_digits=4)
    assert path.stat().st_size < whole / 2


@pytest.mark.parametrize("dtype", ["float16", "int64", "", np.float32, np.dtype("float32")])
def test_a_dtype_that_is_not_named_is_refused(cube, path, dtype):
    with pytest.raises(rc.ArchiveError, match=r"dtype=.*expected 'float64' or 'float32'"):
        rc.save_archive(cube, path, dtype=dtype)
    assert entries(path.parent) == []


@pytest.mark.parametrize("digits", [0, -1, 16, 2.5, "4"])
def test_digits_that_cannot_be_kept_are_refused(cube, path, digits):
    with pytest.raises(rc.ArchiveError, match=r"significant_digits=.*expected 1 to 15"):
        rc.save_archive(cube, path, significant_digits=digits)
    assert entries(path.parent) == []


# Runs that said too much

MEASURE = """
    import resource, sys
    import xarray as xr
    with xr.open_dataset(sys.argv[1]) as ds:
        ds.load()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def megabytes_to_load(path):
    # What exec replaces counts in ru_maxrss: the shell stands between this process and that one.
    return float(run(MEASURE, path, prefix=("sh", "-c", '"$@"; exit $?', "sh")))


def test_a_megabyte_of_message_and_bad_lines_burden_no_plain_reader(tmp_path):
    root = tmp_path / "logs"
    write_sweep(root, product_configs(optim__lr=[0.1, 1.0]), seeds=range(10))
    rc.save_archive(load(root), tmp_path / "light.nc")
    message = "x" * 1_000_000
    logs = sorted(root.glob("*/*.jsonl"))
    with logs[0].open("a") as log:
        log.write(json.dumps({"type": "str", "value": message}) + "\n")
    with logs[-1].open("a") as log:
        log.writelines(f'{{"title": "agg_val", bad {i}\n' for i in range(10_000))
    heavy = load(root, messages=True)
    assert heavy.n_problems.max() >= 10_000
    assert any(message in said for said in heavy.messages.values.flat)
    assert_same(there_and_back(heavy, tmp_path / "heavy.nc"), heavy)
    assert (tmp_path / "heavy.nc").stat().st_size < 1_000_000
    light, used = (megabytes_to_load(tmp_path / f"{name}.nc") for name in ("light", "heavy"))
    assert used < light + 50


# Paths that cannot be


def test_a_path_may_be_a_text_and_relative(cube, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rc.save_archive(cube, "sweep.nc")
    with rc.open_archive("sweep.nc") as ds:
        assert_same(ds.load(), cube)
    assert entries(".") == ["sweep.nc"]


def test_a_path_may_begin_with_the_home_directory(cube, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    rc.save_archive(cube, "~/sweep.nc")
    assert entries(tmp_path) == ["sweep.nc"]
    assert_same(opened("~/sweep.nc"), cube)


@pytest.mark.parametrize("name", ["[1]*?.nc", "a #1 é%20.nc", "no ending", ".hidden", "{}.nc"])
def test_a_file_may_have_any_name_and_is_alone_afterwards(cube, tmp_path, name):
    left = [f".{name}.123.tmp", f".{name}.lock"]
    for litter in left:
        (tmp_path / litter).write_bytes(b"of a writer that was killed")
    (tmp_path / "1x.nc.1.tmp").write_bytes(b"of somebody else")
    (tmp_path / ".1x.nc.1.tmp").write_bytes(b"of somebody else")
    assert_same(there_and_back(cube, tmp_path / name), cube)
    assert entries(tmp_path) == sorted([name, "1x.nc.1.tmp", ".1x.nc.1.tmp"])


def test_where_no_archive_is_nothing_is_opened(path):
    with pytest.raises(FileNotFoundError, match=str(path)):
        rc.open_archive(path)
    with pytest.raises(FileNotFoundError, match=str(path / "below")):
        rc.open_archive(path / "below")


def test_a_directory_is_no_archive(cube, tmp_path):
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}: is a directory"):
        rc.save_archive(cube, tmp_path)
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}: is a directory"):
        rc.open_archive(tmp_path)
    assert entries(tmp_path) == []


def test_a_directory_that_does_not_exist_is_not_made(cube, tmp_path):
    with pytest.raises(rc.ArchiveError, match=f"{tmp_path}/no: no such directory"):
        rc.save_archive(cube, tmp_path / "no" / "sweep.nc")
    assert entries(tmp_path) == []


def test_a_name_that_is_too_long_is_refused(cube, tmp_path):
    for length in (248, 253, 300):
        name = "x" * (length - 3) + ".nc"
        with pytest.raises((rc.ArchiveError, OSError), match=str(tmp_path)):
            rc.save_archive(cube, tmp_path / name)
    assert entries(tmp_path) == []


@pytest.mark.parametrize("content", [b"precious", b"{}", b"PK\3\4", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_archive_is_neither_opened_nor_replaced(cube, path, content):
    path.write_bytes(content)
    with pytest.raises(rc.ArchiveError, match=f"{path}: exists and is no netCDF file"):
        rc.save_archive(cube, path)
    assert path.read_bytes() == content
    assert entries(path.parent) == ["sweep.nc"]
    with pytest.raises(rc.ArchiveError, match=f"{path}: not a netCDF file"):
        rc.open_archive(path)


def test_an_empty_file_is_replaced_but_not_opened(cube, path):
    path.touch()
    with pytest.raises(rc.ArchiveError, match=str(path)):
        rc.open_archive(path)
    assert_same(there_and_back(cube, path), cube)


def test_what_is_no_regular_file_is_not_replaced(cube, path):
    os.mkfifo(path)
    with pytest.raises(rc.ArchiveError, match=str(path)):
        rc.save_archive(cube, path)
    assert path.is_fifo()


def test_another_netcdf_file_is_not_an_archive(path):
    xr.Dataset({"wind": ("x", [1.0])}).to_netcdf(path)
    with pytest.raises(rc.ArchiveError, match=f"{path}: not a runcube archive.*'wind'"):
        rc.open_archive(path)


def test_an_archive_of_a_later_runcube_says_so(cube, path):
    rc.save_archive(cube, path)
    with netCDF4.Dataset(path, "a") as file:
        schema = json.loads(file.getncattr("runcube_archive"))
        file.setncattr("runcube_archive", json.dumps(schema | {"format": schema["format"] + 1}))
    with pytest.raises(rc.ArchiveError, match=rf"{path}: archive format \d+.*upgrade"):
        rc.open_archive(path)


READ_ONLY = """
    import os, sys
    import runcube as rc
    folder, other = sys.argv[1:]
    with rc.open_archive(f"{folder}/sweep.nc") as ds:
        ds.load()
    rc.save_archive(ds, f"{other}/warm.nc")  # imports what it needs, as root
    os.setuid(65534)
    with rc.open_archive(f"{folder}/sweep.nc") as again:
        assert again.load().identical(ds)
    for path in (f"{folder}/sweep.nc", f"{folder}/new.nc"):
        try:
            rc.save_archive(ds, path)
        except rc.ArchiveError as error:
            print(error)
    for ask in (rc.open_archive, lambda path: rc.save_archive(ds, path)):
        try:
            ask(f"{folder}/secret.nc")
        except (rc.ArchiveError, PermissionError) as error:
            print(error)
"""


@pytest.mark.skipif(getattr(os, "getuid", lambda: 1)() != 0, reason="root alone becomes another")
def test_a_read_only_directory_can_be_read(cube, tmp_path):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rc.save_archive(cube, folder / "sweep.nc")
        rc.save_archive(cube, folder / "secret.nc")
        (folder / "sweep.nc").chmod(0o444)
        (folder / "secret.nc").chmod(0o000)
        folder.chmod(0o555)
        before = (folder / "sweep.nc").read_bytes()
        said = run(READ_ONLY, folder, tmp_path).splitlines()
        assert said[:2] == [f"{folder}: cannot be written: permission denied"] * 2
        assert len(said) == 4
        assert f"{folder}/secret.nc" in said[2]
        assert str(folder) in said[3]
        assert (folder / "sweep.nc").read_bytes() == before
        assert entries(folder) == ["secret.nc", "sweep.nc"]


# Damage


def test_a_file_that_was_cut_short_says_so(cube, path, tmp_path):
    ds = cube.assign_coords(said=("lr", np.array(["a\0b", "x" * 5000], dtype=object)))
    rc.save_archive(ds, path)
    content = path.read_bytes()
    cut = tmp_path / "cut.nc"
    for size in [0, 1, 4, 7, 8, 9, 100, *np.linspace(101, len(content) - 1, 60, dtype=int)]:
        cut.write_bytes(content[:size])
        with pytest.raises(rc.ArchiveError, match=str(cut)):
            opened(cut)
    cut.write_bytes(content)
    assert_same(opened(cut), ds)


DAMAGE = """
    import random, sys
    from collections import Counter
    from pathlib import Path
    import runcube as rc
    path, target = map(Path, sys.argv[1:])
    content, dice, seen = path.read_bytes(), random.Random(7), Counter()
    for _ in range(100):
        damaged = bytearray(content)
        at = dice.randrange(len(content))
        damaged[at : at + 4] = dice.randbytes(len(damaged[at : at + 4]))
        target.write_bytes(damaged)
        try:
            rc.open_archive(target).close()
        except rc.ArchiveError as error:
            seen["ArchiveError" if str(target) in str(error) else str(error)] += 1
        except Exception as error:
            seen[f"at {at}: {type(error).__name__}: {error}"] += 1
        else:
            seen["opened"] += 1
    print(*seen, sep="\\n")
"""


def test_damage_to_any_byte_is_an_archive_error_at_most(cube, path, tmp_path):
    ds = cube.assign_coords(said=("lr", np.array(["a\0b", "x" * 5000], dtype=object)))
    rc.save_archive(ds, path)
    assert set(run(DAMAGE, path, tmp_path / "damaged.nc").splitlines()) <= {
        "ArchiveError",
        "opened",
    }


FULL_DISK = """
    import os, resource, signal, sys
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as ds:
        ds.load()
    rc.save_archive(ds, path)
    new = ds.assign(curve=ds.curve + 0.1)
    rc.save_archive(new, folder.parent / "size.nc")
    size = (folder.parent / "size.nc").stat().st_size
    before = path.read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in [0, 1, 100, 2000, *range(5000, size, size // 16), size - 1]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            rc.save_archive(new, path)
        except rc.ArchiveError as error:
            said = "refused" if str(path) in str(error) else str(error)
        except BaseException as error:
            said = f"{type(error).__name__}: {error}"
        else:
            said = "saved"
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        same = path.read_bytes() == before
        print(said, "same" if same else "changed", sorted(os.listdir(folder)), "at", limit)
    rc.save_archive(new, path)
    with rc.open_archive(path) as ds:
        print(ds.load().identical(new), os.listdir(folder))
"""


def test_a_full_disk_leaves_the_old_archive_and_no_litter(tmp_path):
    rc.save_archive(synthetic(seed=10), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    *told, last = run(FULL_DISK, tmp_path / "source.nc", folder).splitlines()
    assert len(told) > 15
    assert {line.partition(" at ")[0] for line in told} == {"refused same ['sweep.nc']"}
    assert last == "True ['sweep.nc']"


# Forks, for a start of Python takes longer than a save.
KILLED = """
    import os, random, signal, sys, time
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as one:
        one.load()
    other = one.assign(curve=one.curve + 1)
    rc.save_archive(one, path)
    dice, littered = random.Random(3), 0
    for _ in range(10):
        child = os.fork()
        if not child:
            while True:
                rc.save_archive(other, path)
                rc.save_archive(one, path)
        time.sleep(dice.uniform(0.01, 0.3))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        littered += len(os.listdir(folder)) > 1
        with rc.open_archive(path) as ds:
            ds.load()
        assert ds.identical(one) or ds.identical(other)
        rc.save_archive(other, path)
        assert os.listdir(folder) == ["sweep.nc"], os.listdir(folder)
        with rc.open_archive(path) as ds:
            assert ds.load().identical(other)
    print(littered)
"""


def test_a_killed_writer_leaves_a_whole_archive(tmp_path):
    rc.save_archive(synthetic(seed=10), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    assert int(run(KILLED, tmp_path / "source.nc", folder)) > 0


# Writers and readers at once

HOLD = """
    import sys
    from pathlib import Path
    from runcube.files import locked
    with locked(Path(sys.argv[1])):
        print("held", flush=True)
        sys.stdin.readline()
"""


@pytest.fixture
def holder(path):
    command = [sys.executable, "-B", "-c", dedent(HOLD), str(path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        try:
            yield process
        finally:
            process.kill()


def test_while_another_process_writes_a_file_nobody_else_does(cube, path, holder):
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(rc.ArchiveError, match=f"{path}: another process is writing it"):
        rc.save_archive(cube, path)
    assert not path.exists()
    rc.save_archive(cube, path.with_name("other.nc"))
    holder.communicate("go\n")
    assert_same(there_and_back(cube, path), cube)
    assert entries(path.parent) == ["other.nc", "sweep.nc"]


def test_the_lock_of_a_killed_process_is_no_lock(cube, path, holder):
    assert holder.stdout.readline()
    holder.kill()
    holder.wait()
    assert_same(there_and_back(cube, path), cube)
    assert entries(path.parent) == ["sweep.nc"]


def test_a_process_locks_itself_out_too(cube, path):
    with locked(path), pytest.raises(rc.ArchiveError, match=f"{path}: another process"):
        rc.save_archive(cube, path)
    assert entries(path.parent) == []
    rc.save_archive(cube, path)


CROWD = """
    import os, sys, time
    from pathlib import Path
    import runcube as rc
    source, folder = map(Path, sys.argv[1:])
    path = folder / "sweep.nc"
    with rc.open_archive(source) as base:
        base.load()
    cubes = [base.assign(curve=base.curve + i) for i in range(3)]
    rc.save_archive(cubes[0], path)
    end = time.monotonic() + 2
    children = []
    for cube in cubes:
        child = os.fork()
        if not child:
            saved = 0
            while time.monotonic() < end or not saved:
                try:
                    rc.save_archive(cube, path)
                    saved += 1
                except rc.ArchiveError as error:
                    if "another process is writing it" not in str(error):
                        print(error, file=sys.stderr, flush=True)
                        os._exit(1)
                except BaseException as error:
                    print(repr(error), file=sys.stderr, flush=True)
                    os._exit(2)
            os._exit(0)
        children.append(child)
    while time.monotonic() < end:
        with rc.open_archive(path) as ds:
            ds.load()
        assert any(ds.identical(cube) for cube in cubes)
    codes = [os.waitpid(child, 0)[1] for child in children]
    assert codes == [0, 0, 0], codes
    assert os.listdir(folder) == ["sweep.nc"], os.listdir(folder)
"""


def test_among_many_writers_the_archive_is_always_whole(tmp_path):
    rc.save_archive(synthetic(seed=4), tmp_path / "source.nc")
    folder = tmp_path / "out"
    folder.mkdir()
    run(CROWD, tmp_path / "source.nc", folder)


@pytest.mark.parametrize(
    "look", [rc.open_archive, xr.open_dataset, lambda p: rc.open_archive(p, chunks={})]
)
def test_who_reads_an_archive_keeps_it_while_another_is_saved(cube, path, look):
    new = cube.assign(curve=cube.curve + 1).isel(seed=[1])
    rc.save_archive(cube, path)
    with look(path) as old:
        rc.save_archive(new, path)
        assert_same(opened(path), new)
        np.testing.assert_array_equal(old.curve.values, cube.curve.values)
        np.testing.assert_array_equal(old.logged.values, cube.logged.values)
        np.testing.assert_array_equal(old.path.values, cube.path.values)
    assert_same(opened(path), new)


def test_a_reader_with_many_files_open_never_mixes_two_archives(cube, path, tmp_path):
    """xarray closes files beyond a number, and opens them by their path when they are needed."""
    rc.save_archive(cube, path)
    for name in "ab":
        rc.save_archive(cube, tmp_path / f"{name}.nc")
    with xr.set_options(file_cache_maxsize=1), rc.open_archive(path) as old:
        for name in "ab":
            opened(tmp_path / f"{name}.nc")
        rc.save_archive(cube.assign(curve=cube.curve + 1), path)
        try:
            values = old.curve.values
        except (rc.ArchiveError, OSError):
            return
        np.testing.assert_array_equal(values, cube.curve.values)
