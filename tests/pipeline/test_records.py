"""Records of logs: what many logs share is written once, and what they do not share is not."""

from dataclasses import replace

import numpy as np
import pytest

from runcube.core.model import Curves, Request, RunHeader, RunLog, Source
from runcube.pipeline.records import ArrayTable, RecordKey, to_record
from runcube.readers.native.reader import NativeReader

SOURCE = Source("logs", "a.jsonl", ())


def curves(**changes):
    parts = {
        "split": "val",
        "x": {"epoch": np.arange(3)},
        "metrics": ("loss", "acc"),
        "values": np.arange(6.0).reshape(2, 3),
        "logged": np.ones((2, 3), dtype=bool),
        "lines": np.array([2, 4, 6]),
    }
    return Curves(**parts | changes)


SOME = np.array([[True, False, True], [True, True, True]])
OTHERS = {
    "split": curves(split="train"),
    "x": curves(x={"epoch": np.array([0, 1, 5])}),
    "x of the same bytes": curves(x={"epoch": np.arange(3).view(float)}),
    "name of x": curves(x={"step": np.arange(3)}),
    "two x": curves(x={"epoch": np.arange(3), "step": np.arange(3)}),
    "metrics": curves(metrics=("loss", "top5")),
    "logged": curves(logged=SOME),
    "lines": curves(lines=np.array([2, 4, 7])),
    "repeated x": curves(x={"epoch": np.array([0, 0, 1])}),
}


def record(part, table):
    key = RecordKey.of(NativeReader(), SOURCE, Request(), ())
    log = RunLog(RunHeader(SOURCE), curves=[part])
    return to_record(key, SOURCE, "", [log], table)["logs"][0]["curves"][0]


def spelled(part, table):
    """A record with its arrays in it."""

    def array(row):
        return row if row < 0 else (table.get(row).dtype.str, table.get(row).tolist())

    arrays = {name: array(part[name]) for name in ("logged", "lines")}
    by_x = {k: {x: array(row) for x, row in part[k].items()} for k in ("x", "changed")}
    return part | arrays | by_x


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_curves_that_differ_have_records_of_their_own(other):
    shared = ArrayTable()
    for part in (curves(), other, curves(), other):
        alone = ArrayTable()
        assert spelled(record(part, shared), shared) == spelled(record(part, alone), alone)
    assert record(curves(), shared) != record(other, shared)


def test_where_values_differ_hangs_on_the_values():
    table = ArrayTable()
    twice = curves(x={"epoch": np.array([0, 0, 1])})
    same = replace(twice, values=np.zeros((2, 3)))
    for part in (twice, same, twice):
        alone = ArrayTable()
        assert spelled(record(part, table), table) == spelled(record(part, alone), alone)
    assert record(twice, table)["changed"] != record(same, table)["changed"]


def test_what_is_added_to_a_record_is_in_no_other():
    table = ArrayTable()
    record(curves(), table)["at"] = 7
    assert "at" not in record(curves(), table)


def test_records_that_are_remembered_are_few():
    table = ArrayTable()
    for last in range(1000):
        record(curves(lines=np.array([2, 4, 6 + last])), table)
    assert len(table.curves) <= 64
