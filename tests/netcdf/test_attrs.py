"""Values of attrs come back as they were."""

import numpy as np
import pandas as pd
import pytest
from saved_cubes import assert_kept_or_refused, assert_same, there_and_back

import runcube as rc

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
