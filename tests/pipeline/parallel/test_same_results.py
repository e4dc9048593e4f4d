"""Each way of reading in parallel gives the same runs."""

import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dask
import pytest
import xarray as xr
from hypothesis import given, settings
from in_parallel import HERE, assert_same, load, quietly, results, way

import runcube as rc
from runcube.testing import logged_sweeps

DATA = HERE / "data"


MODES = (
    "auto",
    "threads",
    "processes",
    "own threads",
    "own processes",
    "dask sync",
    "dask threads",
    "dask client",
)


@settings(max_examples=30)
@given(sweep=logged_sweeps())
def test_generated_sweeps_load_the_same_in_threads(sweep):
    with tempfile.TemporaryDirectory() as name:
        sweep.write(Path(name))
        try:
            expected = load(name, False)
        except rc.RuncubeError as error:
            with pytest.raises(type(error)):
                load(name, "threads")
        else:
            xr.testing.assert_identical(load(name, "threads"), expected)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("data", ["overfit-init-transfer", "raytune-rllib"])
def test_every_mode_reads_real_logs_alike(data, mode, request):
    with way(mode, request) as asked:
        assert_same(results(DATA / data, asked), results(DATA / data, False))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_gives_the_same_cube(logs, mode, request):
    (logs / "odd").mkdir()
    odd = [
        '{"type": "dict_config", "value": {"seed": 9, "optim": {"lr": 5}}}',
        '{"data_name": "val", "agg_stats": {"loss": NaN, "acc1": null}}',
        '{"data_name": "val", "agg_stats": {"loss": Infinity, "late": 1}}',
        "not json",
        '{"data_name": "val", "agg_st',
    ]
    (logs / "odd" / "json_out.jsonl").write_text("\n".join(odd))
    (logs / "odd" / "empty.jsonl").touch()
    expected = load(logs, False)
    assert expected.n_problems.sum() >= 2
    with way(mode, request) as asked:
        found = load(logs, asked)
        xr.testing.assert_identical(found, expected)
        assert {n: v.dtype for n, v in found.variables.items()} == {
            n: v.dtype for n, v in expected.variables.items()
        }
        tree = quietly(rc.load_tree, logs, parallel=asked)
        assert tree["epoch"].to_dataset().equals(quietly(rc.load_tree, logs)["epoch"].to_dataset())
        assert rc.scan(logs, parallel=asked).statuses == rc.scan(logs, parallel=False).statuses


@pytest.mark.slow
def test_the_processes_of_dask_give_the_same_cube(logs):
    with dask.config.set(scheduler="processes", num_workers=2):
        xr.testing.assert_identical(load(logs, "dask"), load(logs, False))


# What readers of each kind read: JSON lines, event files, tables, databases.
EVERY_KIND = (
    "overfit-init-transfer",
    "raytune-rllib",
    "tensorboard-torch",
    "csv-loggers",
    "optuna",
    "trackio",
    "wandb",
    "swanlab",
)


def test_loads_in_many_threads_at_once_are_all_the_same(logs):
    expected = {name: load(name, False) for name in [logs, *(DATA / name for name in EVERY_KIND)]}
    wanted = [*expected] * 4
    with ThreadPoolExecutor(8) as pool, warnings.catch_warnings():
        # Not in the threads: the filters are those of all of them.
        warnings.simplefilter("ignore", rc.SweepWarning)
        options = {"parallel": "threads", "messages": True}
        found = [*pool.map(lambda name: rc.load_runs(name, **options), wanted)]
    for name, ds in zip(wanted, found, strict=True):
        xr.testing.assert_identical(ds.assign_attrs(created=""), expected[name])
