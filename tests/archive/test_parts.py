"""Parts of a cube are saved as they are."""

import numpy as np
import pytest
from saved_cubes import assert_same, plain, there_and_back

import runcube as rc


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
