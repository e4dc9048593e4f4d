"""Lazy cubes beside loaded ones, for the tests."""

import warnings

import numpy as np
import xarray as xr

import runcube as rc

MADE = ("created", "command")


def quietly(function, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return function(*arguments, **options)


def opened(root, cache=False, **options):
    return quietly(rc.open_runs, root, cache=cache, **options)


def loaded(root, **options):
    return quietly(rc.load_runs, root, **options)


def assert_same(one, other):
    one, other = (ds.compute().assign_attrs(dict.fromkeys(MADE, "")) for ds in (one, other))
    xr.testing.assert_identical(one, other)
    for name, variable in other.variables.items():
        assert one[name].dtype == variable.dtype, name
        if variable.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(one[name].values), np.signbit(variable.values))
