"""What `open_runs` opens is what `load_runs` would load."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from lazy_cubes import assert_same, loaded, opened, quietly
from odd_logs import CASES, FURTHER, SWEEPS, jsonl
from sweeps import product_configs, write_sweep

import runcube as rc
from runcube.core.errors import RuncubeError
from runcube.testing import logged_sweeps

DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("chunks", ["auto", None, {"seed": 1}, np.int64(2), {}], ids=str)
@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_what_is_computed_is_what_would_be_loaded(logs, layout, chunks):
    options = {"layout": layout, "messages": True}
    assert_same(opened(logs, chunks=chunks, **options), loaded(logs, **options))


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_coordinates_have_one_order_on_every_road(logs, tmp_path, layout):
    quietly(rc.archive_runs, logs, tmp_path / "sweep.nc", layout=layout)
    want = loaded(logs, layout=layout, messages=True)
    roads = {
        "open_runs": opened(logs, layout=layout, messages=True),
        "open_archive": rc.open_archive(tmp_path / "sweep.nc", messages=True),
        "engine": quietly(
            xr.open_dataset,
            logs,
            engine="runcube",
            layout=layout,
            messages=True,
            cache_directory=False,
        ),
    }
    for road, ds in roads.items():
        assert [*ds.variables] == [*want.variables], road


@settings(deadline=None)
@given(sweep=logged_sweeps(), layout=st.sampled_from(["auto", "grid", "configs"]))
def test_a_written_sweep_is_opened_as_it_is_loaded(tmp_path_factory, sweep, layout):
    root = tmp_path_factory.mktemp("sweep")
    (root / "logs").mkdir()
    sweep.write(root / "logs")
    try:
        want = loaded(root / "logs", layout=layout)
    except RuncubeError as error:
        with pytest.raises(type(error)):
            opened(root / "logs", layout=layout)
        return
    for _ in range(2):  # at once, and from what the first opening kept
        assert_same(opened(root / "logs", root / "cache", layout=layout), want)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{[*o]}" for n, o in CASES])
def test_odd_logs_are_opened_as_they_are_loaded(tmp_path, name, options):
    root = tmp_path / "logs"
    root.mkdir()
    SWEEPS[name][0](root)
    try:
        want = loaded(root, **options)
    except RuncubeError as error:
        with pytest.raises(type(error)):
            opened(root, **options)
        return
    for _ in range(2):
        assert_same(opened(root, tmp_path / "cache", **options), want)


@pytest.mark.parametrize("name", FURTHER)
@pytest.mark.parametrize("step", [1, -1])
def test_what_was_opened_with_other_arguments_changes_nothing(tmp_path, name, step):
    root, cache = tmp_path / "logs", tmp_path / "cache"
    root.mkdir()
    SWEEPS[name][0](root)
    several = [options for of, options in CASES if of == name]
    for options in [*several, {"metrics": "loss"}, {}][::step]:
        try:
            want = loaded(root, **options)
        except RuncubeError as error:
            with pytest.raises(type(error)):
                opened(root, cache, **options)
            continue
        assert_same(opened(root, cache, **options), want)


@pytest.mark.parametrize("step", [1, -1])
def test_what_was_carried_is_no_value_where_it_is_dropped(tmp_path, step):
    for number in range(2):
        rows = [{"config": {"lr": number / 4}}, *({"step": i, "loss": i / 8} for i in range(5))]
        jsonl(
            tmp_path / "logs" / f"{number}" / "metrics.jsonl", [*rows[:3], {"acc": 0.5}, *rows[3:]]
        )
    for missing_x in ("carry", "drop", "carry")[::step]:
        options = {"x": "step", "missing_x": missing_x}
        want = loaded(tmp_path / "logs", **options)
        assert_same(opened(tmp_path / "logs", tmp_path / "cache", **options), want)


OTHER_ARGUMENTS = [
    {"layout": "configs"},
    {"on_duplicate": "last"},
    {"path_keys": None},
    {"align": "order"},
    {},
    {"ignore": "**/README.md"},
    {"seed": None},
    {"exact_labels": True, "expected": 10},
]


@pytest.mark.parametrize("folder", ["csv-loggers", "hydra", "optuna", "wandb"])
def test_logs_of_other_people_are_opened_with_one_argument_after_another(tmp_path, folder):
    for options in OTHER_ARGUMENTS:
        want = loaded(DATA / folder, **options)
        assert_same(opened(DATA / folder, tmp_path / "cache", **options), want)


def test_it_warns_of_what_a_load_warns_of(logs):
    with (logs / "003" / "json_out.jsonl").open("a") as log:
        log.write("{broken\n")
    said = []
    for function, options in ((rc.load_runs, {}), (rc.open_runs, {"cache": False})):
        with pytest.warns(rc.SweepWarning) as caught:
            function(logs, **options)
        said.append([str(w.message) for w in caught])
        assert {w.filename for w in caught} == {__file__}
    assert said[0] == said[1]
    with pytest.raises(rc.LogError):
        rc.open_runs(logs, cache=False, errors="raise")


def write_odd_run(path, config):
    """Write a run with metrics in another order, some of them at some epochs only, and more."""
    log = rc.RunLogger(path, config)
    for epoch in (0, 2, 3, 7):
        log.start_epoch(epoch)
        log.log("val", {"f1": epoch / 3, "acc1": 0.25, "loss": -epoch})
        if epoch != 2:
            log.log("train", {"acc1": epoch / 7, "grad": 2.0 + epoch})
    log.close()


@settings(deadline=None)
@given(data=st.data())
def test_any_selection_is_that_of_the_loaded_cube(tmp_path_factory, data):
    root = tmp_path_factory.getbasetemp() / "selected"
    if not root.exists():
        configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
        write_sweep(root, configs, seeds=(0, 1, 2), killed=[(0, 1)])
        write_odd_run(root / "odd", {"optim": {"lr": 1.0}, "model": {"weights": None}, "seed": 3})
    want = loaded(root, layout="grid")
    lazily = opened(root, layout="grid", chunks=data.draw(st.sampled_from([None, "auto"])))
    picks = {}
    for dim, size in want.curve.sizes.items():
        one = st.integers(-size, size - 1)
        several = st.lists(one, max_size=6).map(lambda v: np.array(v, dtype=int))
        # xarray itself fails on empty slices that go backwards.
        slices = st.slices(size).filter(lambda s, n=size: len(range(*s.indices(n))) > 0)
        if data.draw(st.booleans()):
            picks[dim] = data.draw(st.one_of(one, several, slices))
    vector = [d for d, pick in picks.items() if isinstance(pick, np.ndarray)]
    for dim in vector:
        if data.draw(st.booleans()):
            picks[dim] = picks[dim].tolist()
        elif len(picks[dim]) == 6 and data.draw(st.booleans()):
            picks[dim] = xr.DataArray(picks[dim].reshape(2, 3), dims=(f"{dim}_a", f"{dim}_b"))
    vector = [d for d in vector if isinstance(picks[d], np.ndarray)]
    if data.draw(st.booleans()) and len({len(picks[d]) for d in vector}) == 1:
        picks |= {d: xr.DataArray(picks[d], dims="point") for d in vector}
    for name in ("curve", "logged"):
        xr.testing.assert_identical(lazily[name].isel(picks).compute(), want[name].isel(picks))
