"""``ds.sweep``: statistics are the functions of ``runcube``, and completeness is a table."""

import inspect

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from value_cubes import configs_cube, grid_cube

import runcube as rc


@pytest.fixture
def ds():
    y = np.random.default_rng(0).normal(size=(3, 2, 4))
    y[0, 1, 2] = np.nan
    return grid_cube(y, lr=[1, 2, 3], wd=[0.0, 0.1])


HOW = {"metric": "acc", "mode": "max", "rng": 0}
ARGUMENTS = {
    "balanced": ((), {}),
    "summarize": ((), {"statistic": "median", "rng": 0}),
    "select": ((), HOW | {"report": "val"}),
    "rank": ((), HOW),
    "importance": ((), HOW | {"n_resamples": 9}),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_method_is_the_function(ds, name):
    args, how = ARGUMENTS[name]
    before = ds.copy(deep=True)
    method, function = getattr(ds.sweep, name), getattr(rc, name)
    xr.testing.assert_identical(method(*args, **how), function(ds, *args, **how))
    xr.testing.assert_identical(ds, before)
    own = list(inspect.signature(function).parameters)
    assert list(inspect.signature(method).parameters) == own[1:]
    assert inspect.getdoc(method) == inspect.getdoc(function)


def test_compare_is_with_another_selection(ds):
    one, other = ds.sel(lr=1), ds.sel(lr=3)
    xr.testing.assert_identical(one.sweep.compare(other, rng=0), rc.compare(one, other, rng=0))


def test_completeness_is_configurations_by_seeds(ds):
    table = ds.sweep.completeness()
    assert table.shape == (6, 4)
    assert table.index.names == ["lr", "wd"]
    assert table.loc[(1, 0.1)].tolist() == ["complete", "complete", "absent", "complete"]
    y = ds.curve.values.reshape(6, 4)
    rows = configs_cube(y, lr=np.repeat([1, 2, 3], 2), wd=np.tile([0.0, 0.1], 3))
    pd.testing.assert_frame_equal(rows.sweep.completeness(), table)


def test_completeness_of_one_key_and_of_none(ds):
    assert ds.sel(wd=0.1, drop=True).sweep.completeness().index.name == "lr"
    # Two rows that nothing tells apart, with seeds that were set, are a run and its rerun.
    assert configs_cube(np.ones((2, 3))).sweep.completeness().index.tolist() == [0]
    assert configs_cube(np.ones((2, 3)), seeds=False).sweep.completeness().index.tolist() == [0, 1]
    with pytest.raises(rc.PlanError, match="not a runcube cube"):
        xr.Dataset().sweep.completeness()
