"""Which logs a computation reads: those of what is selected, each once."""

import gc
import os
import pickle
import subprocess
import sys
import time
import tracemalloc
import weakref

import dask
import numpy as np
import pytest
import xarray as xr
from lazy_cubes import assert_same, loaded, opened

import runcube as rc
from runcube.lazy import array
from runcube.lazy.variable import _cube
from runcube.readers.native.reader import NativeReader


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


@pytest.mark.parametrize(
    "reduced",
    [
        lambda ds: rc.final(ds.sel(metric="acc1", split="val")),
        lambda ds: rc.final(ds, how="best", mode="max"),
        lambda ds: rc.final(ds, how="mean", last=2),
        lambda ds: rc.at_best(ds, metric="acc1", split="val", mode="max").sel(metric="loss"),
        rc.diverged,
    ],
    ids=["last", "best", "mean", "at_best", "diverged"],
)
def test_the_end_of_selected_runs_reads_their_files_once(logs, read, forget, reduced):
    ds = opened(logs, layout="grid").sel(lr=0.1, seed=0)
    forget()
    read.clear()
    end = reduced(ds)
    assert read == []
    end.compute()
    assert sorted(read) == sorted(ds.path.values.tolist())


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
