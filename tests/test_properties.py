"""Claims over generated sweeps: what was written is what is loaded, whatever happened to it."""

import json
import re
import warnings

import numpy as np
import xarray as xr
from hypothesis import assume, given
from hypothesis import strategies as st

import runcube as rc
from runcube.plan.values import flatten
from runcube.testing import logged_sweeps


def load(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


def cells(ds):
    """Directory of each run that is in a cell, with that cell."""
    for index, path in np.ndenumerate(ds.path.values):
        if path:
            yield path.rpartition("/")[0], ds.isel(dict(zip(ds.path.dims, index, strict=True)))


def assert_same(one, other):
    xr.testing.assert_identical(one, other)
    for name in other.variables:
        assert one[name].dtype == other[name].dtype, name


def check(ds, sweep):
    """Every run stands in a cell of its configuration with its values, or is named in skipped."""
    runs = {run.path: run for run in sweep.runs}
    found = dict(cells(ds))
    skipped = {p["path"].rpartition("/")[0] for p in json.loads(ds.attrs["skipped"])}
    assert found.keys() | skipped == runs.keys()
    assert not found.keys() & skipped
    for path, cell in found.items():
        values, logged = sweep.expected(runs[path])
        got = np.full(values.shape, np.nan)
        got_logged = np.zeros(values.shape, bool)
        for s, split in enumerate(sweep.splits):
            for m, metric in enumerate(sweep.metrics):
                if split in ds.split.values and metric in ds.metric.values:
                    here = cell.sel(split=split, metric=metric)
                    mine = here.epoch.values < values.shape[2]
                    assert not here.logged.values[~mine].any()
                    at = here.epoch.values[mine]
                    got[s, m, at] = here.curve.values[mine]
                    got_logged[s, m, at] = here.logged.values[mine]
        np.testing.assert_array_equal(got_logged, logged)
        np.testing.assert_array_equal(got, values)
        check_labels(cell, runs[path])


def spelt(value):
    """The number that a text spells, where others of its key are numbers or spell some too."""
    try:
        return float(json.loads(value)) if isinstance(value, str) else value
    except (ValueError, TypeError):
        return value


def check_labels(cell, run):
    for key, value in flatten(run.config).items():
        names = [n for n in cell.coords if cell[n].attrs.get("hparam") == key]
        if "seed_value" in names:  # the seed itself is then the number of the replicate
            names.remove("seed")
        for name in names:
            label = cell[name].values[()]
            if name.endswith("_value"):
                assert label == spelt(value) or np.isnan(label)
            elif isinstance(value, str):
                texts = {value, json.dumps(value, ensure_ascii=False)}
                assert label in texts or label == spelt(value) or "\\" in label
            elif value is None:
                assert label == "None"
            else:
                assert label == value or str(label) in {repr(value), repr(float(value))}


@given(sweep=logged_sweeps(), layout=st.sampled_from(["auto", "grid", "configs"]))
def test_a_written_sweep_is_the_loaded_sweep(tmp_path_factory, sweep, layout):
    assume(sweep.runs)
    root = tmp_path_factory.mktemp("sweep")
    sweep.write(root)
    ds = load(root, layout=layout)
    check(ds, sweep)
    ds.to_netcdf(root / "sweep.nc")
    with xr.open_dataset(root / "sweep.nc") as back:
        assert_same(back.load(), ds)
    if layout == "grid" or ds.attrs["layout"] == "grid":
        assert_same(rc.to_grid(rc.to_configs(ds)), ds)


def superseded_by(ds):
    """The run that stays in the cell of each one that was superseded, by their directories."""
    named = [p for p in json.loads(ds.attrs["skipped"]) if p["kind"] == "duplicate_run"]
    same = [
        (p["path"], re.match("same configuration and seed as (.*?) \\(", p["message"]))
        for p in named
    ]
    return {path.rpartition("/")[0]: m[1].rpartition("/")[0] for path, m in same if m}


@given(sweep=logged_sweeps(), data=st.data())
def test_damage_to_one_log_changes_no_other_run(tmp_path_factory, sweep, data):
    assume(len(sweep.runs) > 1)
    root = tmp_path_factory.mktemp("sweep")
    sweep.write(root)
    before = dict(cells(load(root)))
    victim = data.draw(st.sampled_from(sweep.runs), "victim")
    log = root / victim.path / "json_out.jsonl"
    content = bytearray(log.read_bytes())
    start = data.draw(st.integers(0, max(0, len(content) - 1)), "start")
    noise = data.draw(st.binary(max_size=60), "noise")
    length = data.draw(st.integers(0, 200), "length")
    content[start : start + length] = noise
    log.write_bytes(bytes(content))
    ds = load(root)
    others = tuple(r for r in sweep.runs if r.path != victim.path and r.path in before)
    found = dict(cells(ds))
    rivals = superseded_by(ds)
    configs = {run.path: flatten(run.config) for run in sweep.runs}
    for run in others:
        # Of two runs of one configuration the better one stays, and the damage may have made one.
        rival = rivals.get(run.path, run.path)
        if rival != run.path and (rival == victim.path or configs[rival] == configs[run.path]):
            continue
        values, logged = sweep.expected(run)
        cell = found[run.path]
        for s, split in enumerate(sweep.splits):
            for m, metric in enumerate(sweep.metrics):
                if not logged[s, m].any():
                    continue
                here = cell.sel(split=split, metric=metric)
                shown = here.epoch.values[here.logged.values]
                np.testing.assert_array_equal(shown, np.flatnonzero(logged[s, m]))
                np.testing.assert_array_equal(
                    here.curve.values[here.logged.values], values[s, m, logged[s, m]]
                )
