"""Records of logs: what many logs share is written once, and what they do not share is not."""

import json
from dataclasses import replace
from datetime import date

import msgspec
import numpy as np
import pytest

from runcube.core.model import Curves, LogFile, Problem, Request, RunHeader, RunLog, Source
from runcube.core.roles import Roles
from runcube.pipeline.array_table import ArrayTable
from runcube.pipeline.record_key import RecordKey
from runcube.pipeline.records import decode_record, encode_record
from runcube.pipeline.stored import headers_of, to_logs, to_record
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
    return to_record(key, SOURCE, "", [log], table).logs[0].curves[0]


def spelled(part, table):
    """A record with its arrays in it."""
    part = msgspec.to_builtins(part)

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
    assert record(twice, table).changed != record(same, table).changed


def test_records_that_are_remembered_are_few():
    table = ArrayTable()
    for last in range(1000):
        record(curves(lines=np.array([2, 4, 6 + last])), table)
    assert len(table.curves) <= 64


def read_again(log, source=SOURCE, **older):
    """A log that went through its record as JSON, in which some keys are those of before."""
    table = ArrayTable()
    key = RecordKey.of("reader", source, Request(), [log])
    data = encode_record(to_record(key, source, "", [log], table))
    if older:
        found = json.loads(data)
        for name in ("roles", "scope"):
            found.pop(name, None)
        data = json.dumps(found | older).encode()
    kept = decode_record(data)
    (again,) = to_logs(kept, headers_of(kept, source), table, lambda _: None)
    return again, kept


ODD_VALUES = {
    "nan": float("nan"),
    "infinity": [float("inf"), -float("inf")],
    "long": 10**40,
    "just too long": -(2**64),
    "no unicode": "\udcff",
    "nested": {"a": [1, 2.5, None, {"b": True}], "µ": "ß"},
}


@pytest.mark.parametrize("value", ODD_VALUES.values(), ids=ODD_VALUES)
def test_any_configuration_comes_back(value):
    config = {"lr": value, "other": 1}
    log = RunLog(RunHeader(SOURCE, config=config, constants={"width": value}))
    header = read_again(log)[0].header
    assert repr(header.config) == repr(config)
    assert repr(header.constants) == repr({"width": value})


def test_what_json_does_not_know_is_its_repr():
    log = RunLog(RunHeader(SOURCE, config={"tags": {1}, 1: date(2020, 1, 2)}))
    config = {"tags": "{1}", "1": "datetime.date(2020, 1, 2)"}
    assert read_again(log)[0].header.config == config


def test_names_that_are_no_unicode_come_back():
    path = "bad\udcff.jsonl"
    source = Source("logs", path, (LogFile(path, 3, 4),))
    log = RunLog(
        RunHeader(source, config={"lr": float("nan")}),
        problems=[Problem("bad_line", "what", path, 3)],
        parts=((path, 0, 2),),
    )
    again, kept = read_again(log, source)
    assert kept.files == ((path, 3, 4),)
    assert again.problems == log.problems
    assert again.parts == log.parts


@pytest.mark.parametrize("seconds", [2.5, float("inf"), float("nan")])
def test_a_training_time_comes_back(seconds):
    log = RunLog(RunHeader(SOURCE), train_time=seconds)
    assert repr(float(read_again(log)[0].train_time)) == repr(seconds)


def test_numbers_and_names_of_numpy_are_numbers_and_names():
    log = RunLog(
        RunHeader(SOURCE),
        attempt=np.int64(2),
        metrics=(np.str_("loss"),),
        problems=[Problem("bad_line", "what", "a", np.int64(3))],
    )
    again, _ = read_again(log)
    assert (again.attempt, again.metrics, again.problems[0].line) == (2, ("loss",), 3)


def test_a_record_of_before_says_what_matters_to_it_in_its_own_words():
    log = RunLog(RunHeader(SOURCE), roles=Roles())
    asked = Roles(labels=frozenset({"lr", "other"}))
    for columns, fits in ((["lr"], True), (["lr", "other"], False)):
        kept = read_again(log, drop=["lr"], columns=columns)[1]
        key = RecordKey.from_record(kept)
        assert key.roles == Roles(labels=frozenset({"lr"}))
        assert key.holds("reader", SOURCE, Request(roles=asked)) is fits
    again, kept = read_again(log, drop=["lr"], columns=None)
    assert again.roles is None
    assert RecordKey.from_record(kept).scope is None


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"path": 1, "logs": []}', b"no JSON"])
def test_what_is_no_record_is_an_error(data):
    with pytest.raises((ValueError, LookupError, TypeError)):
        decode_record(data)
