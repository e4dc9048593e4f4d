"""One metrics.json to which three attempts at a run were written, without a configuration."""

import json
from pathlib import Path

import numpy as np
import pytest
from conservation import cells, curves, load, lost

import runcube as rc

DATA = Path(__file__).parents[1] / "data" / "detectron2-smn"


@pytest.fixture(scope="module")
def ds():
    return load(DATA)


@pytest.fixture(scope="module")
def third():
    """Rows of the attempt that went furthest, by iteration."""
    rows = [json.loads(line) for line in (DATA / "metrics.json").read_text().splitlines()]
    return {row["iteration"]: row for row in rows[30:]}


def test_three_attempts_are_one_run_on_the_iterations_of_the_longest(ds, third):
    (cell,) = cells(ds)
    assert cell.path.item() == "metrics.json"
    assert cell.curve.dims[-1] == "iteration"
    assert cell.iteration.values.tolist() == list(third)
    assert len(third) == 50


def test_its_values_are_those_of_the_third_attempt(ds, third):
    (cell,) = cells(ds)
    found = {metric: values for (_, metric), values in curves(cell).items()}
    assert found["total_loss"] == {i: row["total_loss"] for i, row in third.items()}
    assert found["total_loss"][19] == pytest.approx(2.7024082, abs=1e-7)
    assert found["total_loss"][999] == 0.18359498339304992
    for key in next(iter(third.values())).keys() - {"iteration", "eta_seconds"}:
        assert found[key] == {i: row[key] for i, row in third.items()}, key


def test_the_attempts_before_are_named_by_their_lines(ds):
    text = "\n".join(rc.problems(ds).message.astype(str))
    assert "lines 1 to 15" in text.replace("-", " to ").replace("–", " to ")
    assert "lines 16 to 30" in text.replace("-", " to ").replace("–", " to ")


def test_nothing_is_lost(ds):
    assert lost(DATA, ds) == []
    assert np.isfinite(ds.curve.values[ds.logged.values]).all()
