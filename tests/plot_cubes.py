"""Cubes made of arrays, for tests of figures."""

import numpy as np
import xarray as xr


def made(values, logged, labels, splits, metrics):
    """Return a cube of values (*labels, seed, split, metric, epoch)."""
    cells = (*labels, "seed")
    dims = (*cells, "split", "metric", "epoch")
    has_run = logged.any(axis=(-3, -2, -1))
    return xr.Dataset(
        {"curve": (dims, values), "logged": (dims, logged)},
        coords={
            **{name: (name, own, {"hparam": name}) for name, own in labels.items()},
            "seed": ("seed", np.arange(has_run.shape[-1]), {"hparam": "seed"}),
            "status": (cells, np.where(has_run, "complete", "absent")),
            "run_id": (cells, np.where(has_run, "run", "")),
            "path": (cells, np.where(has_run, "run", "")),
            "split": splits,
            "metric": metrics,
            "epoch": np.arange(values.shape[-1]),
        },
    )
