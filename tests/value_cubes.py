"""Cubes of one value a run, made of arrays, for tests of statistics."""

import numpy as np
import xarray as xr


def grid_cube(values, seeds=True, **labels):
    """Return a cube in the grid layout of values (*labels, seed); NaN is no run.

    ``seeds`` says whether seeds are labels; else they are numbered replicates.
    """
    values = np.asarray(values, dtype=float)
    dims = (*labels, "seed")
    there = ~np.isnan(values)
    ds = xr.Dataset(
        {
            "curve": ((*dims, "split", "metric", "epoch"), values[..., None, None, None]),
            "logged": ((*dims, "split", "metric", "epoch"), there[..., None, None, None]),
        },
        coords={
            **{name: (name, own, {"hparam": name}) for name, own in labels.items()},
            "seed": ("seed", np.arange(values.shape[-1]), {"hparam": "seed"}),
            "status": (dims, np.where(there, "complete", "absent")),
            "split": ["val"],
            "metric": ["acc"],
            "epoch": [0],
        },
    )
    if not seeds:
        ds["seed"].attrs = {"long_name": "replicate"}
    return ds


def configs_cube(values, seeds=True, **columns):
    """Return a cube in the configs layout of values (config, seed) with columns along config."""
    ds = grid_cube(values, seeds, config=np.arange(len(values)))
    del ds["config"].attrs["hparam"]
    return ds.assign_coords(
        {name: ("config", np.asarray(own), {"hparam": name}) for name, own in columns.items()}
    )
