"""Lazy cubes: what is computed is what would be loaded, and no file is read that is not needed."""

import gc
import os
import pickle
import shutil
import stat
import subprocess
import sys
import time
import tracemalloc
import warnings
import weakref

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from odd_logs import CASES, SWEEPS
from sweeps import product_configs, write_run, write_sweep

import runcube as rc
from runcube.core.errors import RuncubeError
from runcube.engine import RuncubeBackend
from runcube.files.tree import list_files
from runcube.lazy import array, schema_cache, value_cache
from runcube.lazy.variable import _cube
from runcube.readers.native.reader import NativeReader
from runcube.testing import logged_sweeps

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


@pytest.fixture(autouse=True)
def parsed(monkeypatch):
    """Values of logs that are kept in memory: none at the beginning."""
    cache = value_cache.ValueCache()
    for module in (array, value_cache, schema_cache):
        monkeypatch.setattr(module, "VALUES", cache)
    return cache


@pytest.fixture
def forget(parsed):
    """Forget what was parsed."""

    return parsed.clear


@pytest.fixture
def logs(tmp_path):
    configs = product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return write_sweep(tmp_path / "logs", configs, seeds=(0, 1, 2))


# Equal to a load


@pytest.mark.parametrize("chunks", ["auto", None, {"seed": 1}, np.int64(2), {}], ids=str)
@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_what_is_computed_is_what_would_be_loaded(logs, layout, chunks):
    options = {"layout": layout, "messages": True}
    assert_same(opened(logs, chunks=chunks, **options), loaded(logs, **options))


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
        assert_same(opened(root / "logs", root / "schema", layout=layout), want)


@pytest.mark.parametrize(("name", "options"), CASES, ids=[f"{n}-{[*o]}" for n, o in CASES])
def test_odd_logs_are_opened_as_they_are_loaded(tmp_path, forget, name, options):
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
        assert_same(opened(root, tmp_path / "schema", **options), want)
        forget()


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


# What is read


@pytest.mark.parametrize(
    ("chunks", "picks"),
    [
        ("auto", {"lr": 0.1, "seed": 0}),
        ("auto", {"lr": 0.1, "seed": slice(1, 2)}),
        ("auto", {"weights": "None", "metric": "loss", "epoch": 1}),
        (None, {"lr": 0.1, "seed": [0, 2]}),
        ({"seed": 1}, {"lr": 0.1, "seed": [0, 2]}),
        ("auto", {"lr": 0.1, "seed": [0, 2]}),
        ("auto", {"lr": [1.0, 0.1], "seed": [2, 0], "weights": ["None"]}),
        ({"seed": (1, 2)}, {"lr": 0.1, "seed": [2, 0], "metric": ["acc1"]}),
    ],
    ids=str,
)
def test_a_selection_reads_its_files_and_no_others(logs, read, forget, chunks, picks):
    ds = opened(logs, layout="grid", chunks=chunks)
    forget()
    read.clear()
    part = ds.curve.sel(picks)
    if chunks is not None:
        (part.mean() - 1).sum()
    assert read == []
    cells = {dim: pick for dim, pick in picks.items() if dim in ds.path.dims}
    paths = ds.path.sel(cells).values.ravel().tolist()
    part.compute()
    assert sorted(read) == sorted(paths)


def test_a_list_upon_a_selection_reads_its_files_and_no_others(logs, read, forget):
    ds = opened(logs, layout="grid")
    want = loaded(logs, layout="grid")
    is_high, one_each = ds.lr > 0.5, xr.DataArray([2, 0], dims="run")
    for pick in (
        lambda d: d.curve.sel(metric="loss", split="val").sel(weights="None").isel(seed=[2, 0]),
        lambda d: d.curve.isel(seed=[0, 2]).isel(seed=[1]).sel(lr=[1.0]),
        lambda d: d.curve.where(is_high, drop=True),
        lambda d: d.curve.isel(seed=np.array([True, False, True])).isel(lr=[-1]),
        lambda d: xr.align(d.curve, is_high)[0].isel(seed=[0, 2]),
        lambda d: d.curve.sel(lr=xr.DataArray([0.1, 1.0], dims="run"), seed=one_each, epoch=1),
        lambda d: d.curve.sel(split="val").isel(lr=xr.DataArray([[1, -2]] * 2, dims=("a", "b"))),
        lambda d: d.curve.sortby("seed", ascending=False).sel(seed=[1, 0]).isel(epoch=[-1]),
    ):
        forget()
        read.clear()
        part = pick(ds)
        assert read == []
        xr.testing.assert_identical(part.compute(), pick(want))
        assert sorted(read) == sorted(set(part.path.values.ravel().tolist()))


def test_draws_read_each_file_once(logs, read, forget, parsed):
    """Of a bootstrap; also where only a few files fit in memory."""
    draws = np.random.default_rng(0).integers(1, 3, (40, 3))
    ds, want = (opens(logs, layout="grid") for opens in (opened, loaded))
    parsed._limit = 1000
    draws[0] = [-1, 1, -2]
    for indexer in (draws.ravel(), xr.DataArray(draws, dims=("draw", "of"))):
        for rest in ({}, {"split": 0, "epoch": [-1, 0, 0]}):
            forget()
            read.clear()
            part = ds.curve.isel(seed=indexer, **rest)
            xr.testing.assert_identical(part.compute(), want.curve.isel(seed=indexer, **rest))
            assert sorted(read) == sorted(ds.path.isel(seed=[1, 2]).values.ravel().tolist())


def test_what_stays_in_memory_is_not_read_again(logs, read, forget):
    ds, want = (opens(logs, layout="grid") for opens in (opened, loaded))
    kept = ds.persist()
    forget()
    read.clear()
    for picks in ({"seed": [2, 0]}, {"lr": xr.DataArray([0], dims="point")}, {"seed": 1}):
        xr.testing.assert_identical(kept.curve.isel(picks).compute(), want.curve.isel(picks))
    assert read == []


def test_a_result_is_nothing_but_its_values(logs):
    ds = opened(logs)
    of_one = ds.curve.isel(lr=0, seed=0, weights=0).reset_coords(drop=True)
    results = of_one.compute(), of_one.copy().load(), of_one.isel(epoch=[0]).compute()
    for result in (*results, of_one.persist()):
        sent = pickle.dumps(result)
        assert b"runcube" not in sent
        xr.testing.assert_identical(pickle.loads(sent), result)
    assert type(ds.curve.variable.compute()) is xr.Variable
    origins = weakref.ref(_cube(ds.curve.variable._lazy._data).origins)
    of_one = of_one.compute()
    del ds, result, results
    gc.collect()
    assert origins() is None


def added(*arrays):
    return xr.apply_ufunc(np.add, *arrays, dask="parallelized", output_dtypes=[float])


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.curve + 1,
        lambda d: pickle.loads(pickle.dumps(d.curve)),
        lambda d: d.curve.copy(deep=True),
        lambda d: d.curve.chunk({"seed": 2}).persist(),
        lambda d: d.curve.load(),
        lambda d: d.curve.transpose(),
        lambda d: d.curve.rename(lr="weights", weights="lr"),
        lambda d: d.curve.isel(seed=[1, 2, 0]).rename(lr="weights", weights="lr"),
        lambda d: added(d.curve, d.curve.max()),
        lambda d: added(d.curve.isel(seed=[2, 0, 1]), d.curve.mean("seed")),
        lambda d: d.where(d.curve > 0.5).curve,
    ],
)
def test_a_list_of_what_was_calculated_is_that(logs, change):
    want, ds = (change(opens(logs, layout="grid")) for opens in (loaded, opened))
    for picks in (
        {"seed": [2, 0], "epoch": [1]},
        {"lr": xr.DataArray([1, 0], dims="point"), "seed": xr.DataArray([2, 1], dims="point")},
    ):
        xr.testing.assert_identical(ds.isel(picks).compute(), want.isel(picks))


def test_a_list_of_what_was_assigned_to_is_that(logs):
    ds, want = (opens(logs, layout="grid") for opens in (opened, loaded))
    for each in (ds, want):
        each["curve"][{"seed": 0}] = 7.0
    for picks in ({"seed": [0, 2]}, {"seed": xr.DataArray([0, 2], dims="point")}):
        xr.testing.assert_identical(ds.curve.isel(picks).compute(), want.curve.isel(picks))


@pytest.mark.parametrize("pick", [slice(0, 1), [0, 1], xr.DataArray([1, 0], dims="point")])
def test_a_selection_has_the_attrs_and_the_encoding_of_today(logs, pick):
    ds = rc.open_runs(logs)
    ds.curve.attrs["units"] = "nats"
    ds.curve.encoding["dtype"] = "float32"
    chosen = ds.isel(lr=pick).curve
    assert chosen.attrs == {"long_name": "logged value", "units": "nats"}
    assert chosen.encoding["dtype"] == "float32"
    assert ds.curve.assign_attrs(units="bits").isel(lr=pick).attrs["units"] == "bits"


def test_what_was_put_in_blocks_stays_what_it_was(logs):
    want = loaded(logs, layout="grid").curve
    for change in ("add", "load", "set"):
        ds = opened(logs, layout="grid", chunks=None)
        chunked = ds.chunk()
        if change == "add":
            ds["curve"] += 100
        else:
            ds.load()
            if change == "set":
                ds.curve.values[:] = 0
        for picks in ({"seed": 0}, {"seed": [0, 2]}):
            xr.testing.assert_identical(chunked.curve.isel(picks).compute(), want.isel(picks))


def test_points_may_have_the_name_of_a_dim(logs):
    ds, want = (opens(logs, layout="grid").curve for opens in (opened, loaded))
    for seed, epoch in (([0, 0, 1], [2, 1]), ([0, 0, 1], [2, 1, 0]), ([2, 1], [0, 0, 1])):
        picks = {"seed": xr.Variable("draw", seed), "epoch": xr.Variable("seed", epoch)}
        got = ds.variable.isel(picks).compute()
        assert got.identical(want.variable.isel(picks))


def test_dask_may_plan_queries(logs):
    """Told so when it is imported, it makes other graphs, and fails at lists by itself."""
    code = f"""
import runcube as rc
ds = rc.open_runs({str(logs)!r}, cache=False)
for seed in (0, slice(0, 2)):
    part, want = ds.curve.isel(seed=seed), rc.load_runs({str(logs)!r}).curve.isel(seed=seed)
    assert part.compute().identical(want), seed
"""
    env = os.environ | {"DASK_ARRAY__QUERY_PLANNING": "True"}
    options = {"capture_output": True, "text": True, "env": env}
    import_it = [sys.executable, "-c", "import dask.array"]
    if subprocess.run(import_it, check=False, **options).returncode:
        pytest.skip("this dask needs dask-expr for it")
    done = subprocess.run([sys.executable, "-c", code], check=False, **options)
    assert done.returncode == 0, done.stderr


def test_a_small_type_of_number_will_do(tmp_path):
    log = rc.RunLogger(tmp_path, {"seed": 0})
    for epoch in range(200):
        log.start_epoch(epoch)
        log.log("train", {"loss": float(epoch)})
    log.close()
    chosen = opened(tmp_path).curve.isel(epoch=np.array([-1, 5, 5], dtype=np.int8))
    assert chosen.values.ravel().tolist() == [199, 5, 5]


def test_equal_selections_have_equal_names_and_no_others(logs):
    ds = opened(logs, layout="grid")
    one, again = ds.curve, opened(logs, layout="grid").curve
    for picks in ({"seed": [0, 1]}, {"seed": xr.DataArray([0, 1], dims="point")}):
        assert one.isel(picks).data.name == again.isel(picks).data.name
    names = {one.isel(seed=pick).data.name for pick in ([0, 1], [1, 0], [0], [0, 2])}
    assert len(names | {one.data.name, one.isel(lr=[0, 1]).data.name}) == 6
    for picks in ({"seed": [0, 1]}, {"seed": xr.DataArray([0, 1], dims="point")}):
        of = (ds.logged, one, one.isel(lr=[0]), one.isel(lr=[1]), one.isel(lr=0), one.isel(lr=1))
        assert len({array.isel(picks).data.name for array in of}) == len(of)


@pytest.mark.parametrize("wrong", [[0, 3], [-4], [True, False]], ids=str)
def test_a_list_out_of_bounds_is_an_error_at_once(logs, wrong):
    variable = opened(logs, layout="grid").curve.variable
    with pytest.raises(IndexError, match=r"axis 2|Boolean array size 2"):
        variable[{"seed": wrong}]
    with pytest.raises(IndexError):
        variable.isel(seed=wrong)


def test_what_was_logged_is_known_without_reading(logs, read, forget):
    ds = opened(logs)
    forget()
    read.clear()
    assert ds.logged.compute().all()
    assert read == []


@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_a_file_is_read_once_for_all_of_a_cube(logs, read, forget, scheduler):
    ds = opened(logs, chunks={"seed": 1})
    forget()
    read.clear()
    with dask.config.set(scheduler=scheduler):
        ds.compute()
    assert sorted(read) == sorted(ds.path.values.ravel().tolist())


@pytest.mark.parametrize("chunks", ["auto", {"seed": 1}], ids=str)
@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_another_layout_of_a_lazy_cube_is_lazy(logs, read, forget, layout, chunks):
    convert = rc.to_configs if layout == "grid" else rc.to_grid
    want = convert(loaded(logs, layout=layout))
    ds = opened(logs, layout=layout, chunks=chunks)
    forget()
    read.clear()
    other = convert(ds)
    back = (rc.to_grid if layout == "grid" else rc.to_configs)(other)
    assert all(d[name].chunks for d in (other, back) for name in ("curve", "logged"))
    assert read == []
    assert_same(other, want)
    assert_same(back, loaded(logs, layout=layout))
    if layout == "grid":
        forget()
        read.clear()
        row = other.curve.isel(config=[2, 0], seed=[1]).compute()
        assert row.identical(want.curve.isel(config=[2, 0], seed=[1]))
        assert sorted(read) == sorted(path for path in row.path.values.ravel().tolist() if path)


def test_threads_parse_in_turn(logs, forget, monkeypatch):
    ds = opened(logs, chunks={"seed": 1, "weights": 1})
    forget()
    busy, most = [0], [0]
    read = NativeReader.read

    def reading(self, source, request):
        busy[0] += 1
        most[0] = max(most[0], busy[0])
        time.sleep(0.01)
        try:
            return read(self, source, request)
        finally:
            busy[0] -= 1

    monkeypatch.setattr(NativeReader, "read", reading)
    with dask.config.set(scheduler="threads", num_workers=4):
        ds.curve.mean("seed").compute()
    assert most[0] == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_is_forked_while_a_log_is_parsed_goes_on(logs):
    """In a process of its own: who forks inherits all that the tests have running."""
    code = f"""
import multiprocessing, threading, time
import runcube as rc
from runcube.lazy import value_cache
from runcube.readers.native import NativeReader

ds = rc.open_runs({str(logs)!r}, cache=False, chunks=None)
value_cache.VALUES.clear()
read, busy, go_on = NativeReader.read, threading.Event(), threading.Event()

def reading(self, source, request):
    busy.set()
    go_on.wait()
    return read(self, source, request)

def in_child():
    NativeReader.read = read
    ds.curve.isel(seed=1).values

NativeReader.read = reading
thread = threading.Thread(target=lambda: ds.curve.isel(seed=slice(0, 2)).values)
thread.start()
busy.wait()
child = multiprocessing.get_context("fork").Process(target=in_child)
child.start()
child.join(20)
print(child.exitcode)
child.kill()
go_on.set()
thread.join()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0\n", done.stderr


def test_values_in_memory_are_bounded(logs, read):
    array.VALUES._limit = 1000
    ds = opened(logs)
    ds.compute()
    assert array.VALUES._bytes <= 1000
    assert array.VALUES._bytes == sum(size for _, size in array.VALUES._held.values())
    array.VALUES._limit = 10**9
    for _ in range(2):
        ds.compute()
    assert not array.VALUES._busy


def test_a_point_takes_no_memory_of_a_whole_cell(tmp_path):
    for seed, every in enumerate([1, 1000]):
        log = rc.RunLogger(tmp_path / str(seed), {"seed": seed})
        for epoch in range(0, 5_000 * every, every):
            log.start_epoch(epoch)
            log.log("train", {f"loss{i}": epoch / 2 for i in range(20)})
        log.close()
    ds = opened(tmp_path)
    cell = ds.curve.isel(seed=0).nbytes
    points = ds.curve.isel(epoch=[-1], metric=0)
    points.compute()  # the values stay in memory
    tracemalloc.start()
    points.compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < cell / 4


# What is kept between two openings


def test_the_second_opening_reads_what_has_changed_and_nothing_else(logs, tmp_path, read, forget):
    cache = tmp_path / "deep" / "schema"
    opened(logs, cache)
    read.clear()
    opened(logs, cache)
    assert read == []
    changed = logs / "003" / "json_out.jsonl"
    changed.write_text(changed.read_text().replace("0.01", "0.02"))
    write_run(logs / "new", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 7})
    shutil.rmtree(logs / "004")
    ds = opened(logs, cache)
    assert read == ["003/json_out.jsonl", "new/json_out.jsonl"]
    assert_same(ds, loaded(logs))


def test_messages_are_read_where_they_were_not_kept(logs, tmp_path, read):
    opened(logs, tmp_path / "schema")
    read.clear()
    ds = opened(logs, tmp_path / "schema", messages=True)
    assert len(read) == 12
    assert_same(ds, loaded(logs, messages=True))
    read.clear()
    assert_same(opened(logs, tmp_path / "schema"), loaded(logs))


@pytest.mark.parametrize("damage", [b"", b"runcube cache\nno schema", None], ids=str)
def test_a_cache_that_is_damaged_is_none(logs, tmp_path, damage):
    cache = tmp_path / "schema"
    opened(logs, cache)
    data = cache.read_bytes()
    (result,) = tmp_path.glob("schema.*.cube")
    result.unlink()
    cache.write_bytes(data[: len(data) // 2] if damage is None else damage)
    assert_same(opened(logs, cache), loaded(logs))
    assert cache.read_bytes() == data


@pytest.mark.parametrize("kind", ["log", "archive", "notes", "link", "socket"])
def test_nothing_but_a_cache_is_replaced(logs, tmp_path, kind):
    other = tmp_path / "other"
    if kind == "log":
        other = next(logs.rglob("*.jsonl"))
    elif kind == "archive":
        rc.save_archive(loaded(logs), other)
    elif kind == "notes":
        other.write_text("what I want to do next")
    elif kind == "link":
        other.symlink_to(tmp_path / "nowhere")
    else:
        os.mknod(other, stat.S_IFSOCK | 0o600)
    before = os.lstat(other)
    with pytest.raises(rc.PlanError, match="is no cache"):
        opened(logs, other)
    now = os.lstat(other)
    assert (now.st_ino, now.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_of_another_kind_where_the_cache_is_by_itself_is_replaced(
    logs, tmp_path, monkeypatch
):
    monkeypatch.setenv("RUNCUBE_CACHE", str(tmp_path / "home"))
    opened(logs, True)
    (kept,) = (tmp_path / "home").rglob("*.schema")
    data = kept.read_bytes()
    kept.write_bytes(b"of an earlier version")
    for cube in kept.parent.glob("*.cube"):
        cube.unlink()
    assert_same(opened(logs, True), loaded(logs))
    assert kept.read_bytes() == data


def test_a_cache_of_growing_logs_stays_small(logs, tmp_path):
    first, last = (logs / name / "json_out.jsonl" for name in ("001", "003"))
    lines = [line for line in last.read_text().splitlines() if "agg_stats" in line][:2]
    cache = tmp_path / "schema"
    for _ in range(100):
        with first.open("a") as file:
            file.write("\n".join(lines) + "\n")
        opened(logs, cache)
    assert_same(opened(logs, cache), loaded(logs))
    fresh = tmp_path / "fresh"
    assert_same(opened(logs, fresh), loaded(logs))
    arrays = [
        len(schema_cache.SchemaCache(made, list_files(logs))._table.rows) for made in (cache, fresh)
    ]
    assert arrays[0] <= 2 * arrays[1] + 64


def test_a_cache_that_cannot_be_written_is_done_without(logs, tmp_path):
    (tmp_path / "file").write_text("")
    assert_same(opened(logs, tmp_path / "file" / "schema"), loaded(logs))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "logs"]


def test_the_cache_is_where_the_environment_says(logs, tmp_path, monkeypatch):
    for name, home in (("XDG_CACHE_HOME", "xdg"), ("RUNCUBE_CACHE", "ours")):
        monkeypatch.setenv("RUNCUBE_CACHE", "")
        monkeypatch.setenv(name, str(tmp_path / home))
        quietly(rc.open_runs, logs)
        assert len(list((tmp_path / home / "runcube").glob("*.schema"))) == 1
    before = sorted(tmp_path.rglob("*"))
    opened(logs)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"chunks": "big"}, "expected 'auto', a number"),
        ({"chunks": True}, "expected 'auto', a number"),
        ({"chunks": 0}, "-1 is the whole dim"),
        ({"chunks": {"seed": -2}}, "-1 is the whole dim"),
        ({"chunks": {"sed": 1}}, "no dim 'sed'"),
        ({"cache": "."}, "is a directory"),
        ({"cache": None}, "expected True, False or a file"),
        ({"parallel": 4}, "expected 'auto', False"),
    ],
    ids=str,
)
def test_a_wrong_argument_is_told_from_a_right_one(logs, options, said):
    with pytest.raises(RuncubeError, match=said):
        rc.open_runs(logs, **({"cache": False} | options))


# Logs that change, names that say so


@pytest.mark.parametrize("change", ["grown", "gone", "touched"])
def test_a_log_that_has_changed_since_is_an_error(logs, forget, change):
    ds = opened(logs, layout="grid")
    forget()
    path = str(ds.path.sel(lr=0.1, weights="None", seed=1).item())
    log = logs / path
    if change == "gone":
        log.unlink()
    elif change == "touched":
        os.utime(log, ns=(0, 0))
    else:
        with log.open("a") as file:
            file.write('{"type": "str", "value": "more"}\n')
    with pytest.raises(rc.LogError, match=rf"{path}.*open it again"):
        ds.curve.compute()
    want = loaded(logs, layout="grid").curve if change == "grown" else None
    others = {"lr": 1.0}
    if want is not None:
        np.testing.assert_array_equal(ds.curve.sel(others).values, want.sel(others).values)


@pytest.mark.parametrize("kept", [False, True])
def test_a_relative_path_means_the_same_from_another_directory(tmp_path, monkeypatch, kept):
    """There may be other logs there, of the same size and time."""
    cubes, cache = [], kept and tmp_path / "cache"
    for number in range(2):
        home = tmp_path / f"{number}"
        log = write_run(home / "logs", {"seed": 0}, value=lambda *_, number=number: float(number))
        os.utime(log, (1_700_000_000,) * 2)
        monkeypatch.chdir(home)
        cubes += [opened("logs", cache) for _ in range(1 + kept)]
    monkeypatch.chdir(tmp_path)
    want = [0, 0, 1, 1] if kept else [0, 1]
    assert [float(ds.curve.max()) for ds in cubes] == want
    assert [ds.attrs["source"] for ds in cubes] == ["logs"] * len(want)


def test_dask_names_change_when_a_file_does(logs, tmp_path):
    first, again = (opened(logs) for _ in range(2))
    assert first.curve.data.name == again.curve.data.name != first.logged.data.name
    assert opened(logs, chunks={"seed": 1}).curve.data.name != first.curve.data.name
    changed = logs / "003" / "json_out.jsonl"
    os.utime(changed, ns=(0, 0))
    assert opened(logs).curve.data.name != first.curve.data.name


def test_a_lazy_cube_can_be_sent_to_another_process(logs):
    want = loaded(logs)
    for chunks in ("auto", None):
        sent = pickle.loads(pickle.dumps(opened(logs, chunks=chunks)))
        assert_same(sent, want)
    with dask.config.set(scheduler="processes"):
        assert_same(opened(logs, chunks={"seed": 1}), want)


# The engine


def test_the_engine_is_the_same_thing(logs, read, forget):
    want = opened(logs)
    ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={}, cache=False)
    assert ds.curve.chunks == want.curve.chunks
    forget()
    read.clear()
    for seed in (0, [0, 2]):
        part = ds.curve.sel(lr=0.1, seed=seed)
        assert read == []
        part.compute()
        assert sorted(read) == sorted(ds.path.sel(lr=0.1, seed=seed).values.ravel().tolist())
        forget()
        read.clear()
    assert_same(ds, want)


def test_names_that_xarray_gives_change_when_a_file_does(logs):
    def names():
        ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={}, cache=False)
        return ds.curve.data.name, ds.logged.data.name

    before = names()
    assert names() == before
    assert before[0] != before[1]
    log = next(logs.rglob("*.jsonl"))
    os.utime(log, ns=(0, log.stat().st_mtime_ns + 1))
    assert not {*before} & {*names()}
