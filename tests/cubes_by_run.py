"""What a cube in the layout ``configs`` has of each run."""

import json

import numpy as np


def values_by_run(ds):
    """What each run logged, by path and run id: split, metric and x to value."""
    found = {}
    for index, path in np.ndenumerate(ds.path.transpose("config", "seed").values):
        if path:
            cell = ds.isel(config=index[0], seed=index[1])
            values = cell.curve.to_series()[cell.logged.to_series()]
            found[str(path), str(cell.run_id.values)] = {at: repr(v) for at, v in values.items()}
    return found


def keys_by_run(ds):
    """Keys of the configuration that a cube has of each run, wherever they stand."""
    coords = {c.attrs["hparam"] for c in ds.coords.values() if "hparam" in c.attrs}
    coords |= json.loads(ds.attrs["constant_hparams"]).keys()
    return {
        str(path): coords | json.loads(config).keys()
        for path, config in zip(ds.path.values.flat, ds.run_config.values.flat, strict=True)
        if path
    }
