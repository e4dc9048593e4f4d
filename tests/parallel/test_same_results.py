"""Each way of reading in parallel gives the same runs."""

import tempfile
from pathlib import Path

import dask
import pytest
import xarray as xr
from hostile import (
    FailingReader,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from in_parallel import HERE, assert_same, load, quietly, results, way
from sweeps import write_run

import runcube as rc
from runcube.core.model import Request
from runcube.pipeline.discover import discover
from runcube.pipeline.transport import ReadLogs
from runcube.testing import logged_sweeps

DATA = HERE / "data"


MODES = ("processes", "threads", "own processes", "dask sync", "dask threads", "dask client")


@settings(max_examples=60)
@given(sweep=logged_sweeps(), in_file=st.booleans())
def test_what_is_packed_comes_back(sweep, in_file):
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        sweep.write(root / "logs")
        (root / "logs").mkdir(exist_ok=True)
        (root / "logs" / "broken.jsonl").write_bytes(b'{"loss": 1, "epoch"\n\xff\n{}\n')
        try:
            jobs = discover(root / "logs", "auto", None).jobs
        except rc.NoRunsError:
            return
        tasks = [(job, Request(messages=True)) for job in jobs]
        work = ReadLogs()
        packed = work.pack(work.sent(tasks), name if in_file else None)
        assert isinstance(packed[0], str) is in_file
        assert_same(work.unpack(tasks, packed), [work.run(task) for task in tasks])
        assert [path.name for path in root.iterdir()] == ["logs"]


@settings(max_examples=15)
@given(sweep=logged_sweeps())
def test_generated_sweeps_load_the_same_in_processes(sweep):
    with tempfile.TemporaryDirectory() as name:
        sweep.write(Path(name))
        try:
            expected = load(name, False)
        except rc.RuncubeError as error:
            with pytest.raises(type(error)):
                load(name, "processes")
        else:
            xr.testing.assert_identical(load(name, "processes"), expected)


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


def test_equal_arrays_of_a_batch_are_one_array(logs):
    tasks = [(job, Request()) for job in discover(logs, "auto", None).jobs]
    work = ReadLogs()
    read = work.unpack(tasks, work.pack(work.sent(tasks), None))
    curves = [part for (log,), _ in read for part in log.curves if len(part.lines) == 3]
    assert len({id(part.x["epoch"]) for part in curves}) == 1
    assert len({id(part.logged) for part in curves}) == 1
    assert len({id(part.lines) for part in curves}) == 2  # one for each split
    assert len({id(part.values) for part in curves}) == len(curves)


def test_without_room_for_files_results_come_through_the_pipe(logs, tmp_path):
    tasks = [(job, Request()) for job in discover(logs, "auto", None).jobs]
    work = ReadLogs()
    packed = work.pack(work.sent(tasks), str(tmp_path / "is not there"))
    assert isinstance(packed[0], bytes)
    assert_same(work.unpack(tasks, packed), [work.run(task) for task in tasks])


def test_a_relative_path_is_relative_to_where_the_caller_is(logs, monkeypatch):
    expected = load(logs, False)
    monkeypatch.chdir(logs.parent)
    found = load("logs", "processes")
    assert found.curve.identical(expected.curve)
    assert found.attrs["source"] == "logs"


def test_exceptions_of_a_reader_are_problems_of_the_file(logs):
    write_run(logs / "bad", {"seed": 0, "note": "DEADLY", "epochs": 3})
    reader = FailingReader()
    found, expected = (load(logs, mode, reader=reader) for mode in ("processes", False))
    xr.testing.assert_identical(found, expected)
    assert "reader_error" in set(rc.problems(found).kind)


def test_the_first_problem_is_raised_alike(logs):
    with (logs / "001" / "json_out.jsonl").open("a") as stream:
        stream.write("no json\n")
    said = []
    for mode in (False, "processes"):
        with pytest.raises(rc.LogError) as caught:
            load(logs, mode, errors="raise")
        said.append(str(caught.value))
    assert said[0] == said[1]
