"""Less than every digit, on request alone."""

import json

import numpy as np
import pytest
from saved_cubes import (
    assert_same,
    entries,
    opened,
    plain,
    synthetic,
    there_and_back,
)

import runcube as rc


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
