"""Cubes that are saved and opened, for the tests."""

import subprocess
import sys
import warnings
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import xarray as xr
from sweeps import product_configs, write_sweep

import runcube as rc


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
