"""Elapsed time: seconds since the first record of each run, of a clock that it logged."""

import json

import numpy as np
import pytest
from archives import assert_same, assert_up_to_date, quietly

import runcube as rc

pytestmark = pytest.mark.filterwarnings("ignore::runcube.SweepWarning")
START = 1.7e9


@pytest.fixture
def logs(tmp_path, monkeypatch):
    """Two runs that began at different times, with a record every two seconds."""
    monkeypatch.setenv("RUNCUBE_CACHE", str(tmp_path / "cache"))

    def write(clock="wall_time", scale=1.0):
        for number, lr in enumerate((0.1, 1.0)):
            run = tmp_path / "logs" / f"r{number}"
            run.mkdir(parents=True, exist_ok=True)
            (run / "config.json").write_text(json.dumps({"lr": lr}))
            rows = [
                {"epoch": e, "loss": e * lr, clock: (START + 1000 * number + 2 * e) * scale}
                for e in range(4)
            ]
            (run / "m.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        return tmp_path / "logs"

    return write


@pytest.mark.parametrize(("clock", "scale"), [("wall_time", 1), ("timestamp_ms", 1000)])
def test_elapsed_is_an_axis_in_seconds(logs, clock, scale):
    root = logs(clock, scale)
    ds = rc.load_runs(root, x="elapsed")
    assert ds.elapsed.values.tolist() == [0, 2, 4, 6]
    want = rc.load_runs(root).curve.values
    np.testing.assert_array_equal(ds.curve.values, want)


def test_elapsed_is_the_same_on_every_road(logs, tmp_path):
    root = logs()
    want = rc.load_runs(root, x="elapsed")
    for _ in range(2):
        with rc.open_runs(root, x="elapsed") as ds:
            assert_same(ds.load(), want)
    with rc.open_runs(root) as ds:
        assert "elapsed" not in ds.coords
    quietly(rc.archive_runs, root, tmp_path / "a.nc", x="elapsed")
    with (root / "r1" / "m.jsonl").open("a") as log:
        log.write(json.dumps({"epoch": 4, "loss": 9.0, "wall_time": START + 1008}) + "\n")
    assert_up_to_date(tmp_path / "a.nc", root, x="elapsed")


def test_without_a_clock_there_is_no_elapsed_time(logs):
    with pytest.raises(rc.UnknownNameError, match="elapsed"):
        rc.load_runs(logs("loss_of_train"), x="elapsed")
