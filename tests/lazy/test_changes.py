"""Logs that change: names of dask arrays say so, values are never mixed."""

import os
import pickle

import dask
import numpy as np
import pytest
from lazy_cubes import assert_same, loaded, opened
from sweeps import write_run

import runcube as rc


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
