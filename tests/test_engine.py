"""The xarray engine ``runcube``."""

import errno
import inspect
import io
import os
import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import sweeps
import xarray as xr

import runcube as rc
from runcube.archive import build
from runcube.engine import RuncubeBackend


@pytest.fixture
def logs(tmp_path):
    configs = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])
    return sweeps.write_sweep(tmp_path / "logs", configs, [0, 1])


def test_the_engine_loads_what_load_runs_loads(logs):
    ds = xr.open_dataset(logs, engine="runcube")
    expected = rc.load_runs(logs)
    xr.testing.assert_equal(ds, expected)
    assert {n: v.dtype for n, v in ds.variables.items()} == {
        n: v.dtype for n, v in expected.variables.items()
    }
    assert ds.attrs["source"] == str(logs)


def test_xarray_lists_the_engine():
    backend = xr.backends.list_engines()["runcube"]
    assert "logs" in backend.description
    assert backend.url.startswith("https://")


@pytest.mark.parametrize("spell", [str, Path, lambda path: f"{path}/"])
def test_a_path_is_a_text_or_a_path(logs, spell):
    assert xr.open_dataset(spell(logs), engine=RuncubeBackend).sizes["seed"] == 2


def test_keywords_of_load_runs_reach_it(logs):
    ds = xr.open_dataset(
        logs,
        engine=RuncubeBackend,
        layout="configs",
        metrics="acc1",
        splits=["val"],
        rename={"model.weights": "init"},
        relabel={"model.weights": {None: "random"}},
        messages=True,
    )
    assert dict(ds.sizes) == {"config": 4, "seed": 2, "split": 1, "metric": 1, "epoch": 3}
    assert set(ds.init.values) == {"random", "DEFAULT"}
    assert "messages" in ds.coords


def test_every_keyword_of_load_runs_is_one_of_the_engine():
    ours = inspect.signature(RuncubeBackend.open_dataset).parameters
    theirs = inspect.signature(rc.load_runs).parameters
    for name, parameter in list(theirs.items())[1:]:
        assert name in ours, name
        assert ours[name].default == parameter.default
        assert str(ours[name].annotation) == str(parameter.annotation)


def test_an_unknown_keyword_is_an_error(logs):
    with pytest.raises(TypeError, match="metrik"):
        xr.open_dataset(logs, engine=RuncubeBackend, metrik="acc1")


def test_decoding_options_of_xarray_change_nothing(logs):
    expected = xr.open_dataset(logs, engine=RuncubeBackend)
    for options in (
        {"decode_cf": False},
        {"mask_and_scale": False, "decode_times": False, "decode_coords": "all"},
        {"decode_timedelta": True, "concat_characters": False},
    ):
        ds = xr.open_dataset(logs, engine=RuncubeBackend, **options)
        xr.testing.assert_equal(ds, expected)


@pytest.mark.parametrize(
    "names", ["logged", ["logged", "problems"], ["logged", "no such variable"]]
)
def test_dropped_variables_are_gone(logs, names):
    ds = xr.open_dataset(logs, engine=RuncubeBackend, drop_variables=names)
    assert "curve" in ds
    assert not {"logged", *([names] if isinstance(names, str) else names)} & set(ds.variables)


@pytest.mark.parametrize("chunks", [{}, {"seed": 1}])
def test_chunks_give_dask_arrays_with_the_same_values(logs, chunks):
    with warnings.catch_warnings():
        # xarray takes our blocks for chunks on disk, which it would be slow to cut.
        warnings.filterwarnings("ignore", "The specified chunks separate the stored chunks")
        ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks=chunks)
    assert ds.curve.chunks is not None
    expected = rc.load_runs(logs)
    xr.testing.assert_equal(ds.compute(), expected)
    mean = ds.curve.mean("seed").compute()
    np.testing.assert_array_equal(mean, expected.curve.mean("seed"))
    last = ds.sweep.final()
    assert last.chunks is not None
    xr.testing.assert_identical(last.compute(), expected.sweep.final())


@pytest.mark.parametrize(
    ("path", "claimed"),
    [
        ("run.jsonl", True),
        ("a/run.jsonl.gz", True),
        ("run.ndjson", True),
        (Path("run.jsonl"), True),
        ("run.json", False),
        ("logs", False),
        ("sweep.nc", False),
        ("", False),
        ("\0.jsonl.x", False),
        (b"run.jsonl", False),
        (io.BytesIO(b"{}"), False),
        (None, False),
        (["run.jsonl"], False),
        (object(), False),
    ],
)
def test_only_names_of_logs_are_claimed_and_nothing_raises(path, claimed):
    assert RuncubeBackend().guess_can_open(path) is claimed


def test_no_directory_is_claimed(tmp_path, logs):
    folder = tmp_path / "named.jsonl"
    folder.mkdir()
    assert not RuncubeBackend().guess_can_open(folder)
    assert not RuncubeBackend().guess_can_open(str(logs))


def test_a_claim_may_raise_inside_and_is_still_no():
    class Odd:
        def __fspath__(self):
            raise RuntimeError("no")

    assert RuncubeBackend().guess_can_open(Odd()) is False


def test_one_log_opens_without_an_engine(logs):
    log = next(logs.rglob("*.jsonl"))
    ds = xr.open_dataset(log)
    assert ds.curve.sizes["epoch"] == 3


def test_a_wrong_path_is_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        xr.open_dataset(tmp_path / "nowhere", engine=RuncubeBackend)


def test_an_open_file_is_a_type_error():
    with pytest.raises(TypeError, match="by its path, got BytesIO"):
        xr.open_dataset(io.BytesIO(b"{}"), engine=RuncubeBackend)


def test_coordinates_stay_in_memory_as_they_do_with_open_runs(logs):
    ds = xr.open_dataset(logs, engine=RuncubeBackend, chunks={}, cache_directory=False)
    assert ds.curve.chunks
    assert not any(ds[name].chunks for name in ds.coords)
    want = rc.load_runs(logs)
    mask = want.status == "complete"
    assert (
        ds.curve.where(ds.status == "complete", drop=True)
        .compute()
        .equals(want.curve.where(mask, drop=True))
    )
    assert ds.curve.groupby("status").mean().compute().equals(want.curve.groupby("status").mean())
    assert ds.chunk({"seed": 1}).status.chunks  # asked for outright
    lazy = rc.open_runs(logs, cache=False)
    for cube in (ds, lazy, lazy.chunk()):
        assert (
            cube.map_blocks(lambda part: part.curve.mean("seed"))
            .compute()
            .equals(want.curve.mean("seed"))
        )


@pytest.mark.parametrize("wrong", ["s3://bucket/cache", 3, ""])
def test_errors_name_the_argument_of_the_engine(logs, wrong):
    with pytest.raises(rc.PlanError, match=r"^cache_directory="):
        xr.open_dataset(logs, engine=RuncubeBackend, cache_directory=wrong)


def test_a_disk_without_room_names_the_argument_of_the_engine(logs, tmp_path, monkeypatch):
    def failing(*_arguments, **_options):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(build.Writer, "write", failing)
    with pytest.raises(rc.ArchiveError, match=r" cache_directory= takes another directory"):
        xr.open_dataset(logs, engine=RuncubeBackend, cache_directory=tmp_path / "cache")


def test_an_archive_that_is_gone_names_the_argument_of_the_engine(logs, tmp_path):
    cache = tmp_path / "cache"
    sent = pickle.dumps(xr.open_dataset(logs, engine=RuncubeBackend, cache_directory=cache))
    shutil.rmtree(cache)
    with pytest.raises(rc.ArchiveError, match="pass cache_directory= a directory that all"):
        pickle.loads(sent).curve.compute()
