"""One damaged byte in a native log costs the line that it is on, and nothing else."""

import json
import math
import re
import warnings
from dataclasses import dataclass

import pytest
from cubes_by_run import keys_by_run, values_by_run
from hypothesis import given, settings
from hypothesis import strategies as st
from native_logs import config, curve, epochs, kinds, read, record, text

import runcube as rc

PINNED = {"x": "epoch", "align": "union", "layout": "configs"}


def load(root):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, parallel=False, **PINNED)


@dataclass(frozen=True)
class Way:
    """How a log is written."""

    epoch: str  # "marker", "own" or "counted"
    start: int
    splits: tuple
    every: int  # epochs for each evaluation of "val"
    odd: float | None  # a value of one record, which decides by which road the log is read


ways = st.builds(
    Way,
    epoch=st.sampled_from(["marker", "own", "counted"]),
    start=st.sampled_from([0, 1, 7, 98]),
    splits=st.sampled_from([("train", "val"), ("train",), ("train", "val", "test")]),
    every=st.sampled_from([1, 2]),
    odd=st.sampled_from([None, math.nan]),
)


def write(path, run, n, way):
    """Write a log in which no two values are equal, so that a value shows its line."""
    with rc.RunLogger(path, {"lr": 0.1 + run, "opt": ["adam", "sgd"][run % 2], "seed": 0}) as log:
        for epoch in range(way.start, way.start + n):
            if way.epoch == "marker":
                log.start_epoch(epoch)
            for i, split in enumerate(way.splits):
                if split != "val" or (epoch - way.start) % way.every == 0:
                    value = run + (epoch + 1) / 7 + i / 100
                    odd = epoch == way.start + 2 and split == "train" and way.odd
                    stats = {"loss": value, "acc": odd or -value}
                    log.log(split, stats, epoch=epoch if way.epoch == "own" else None)
            log.message("")


def line_of(data, at):
    """The number of the line that a byte is on, and its first and last byte."""
    start = data.rfind(b"\n", 0, at) + 1
    return data.count(b"\n", 0, at) + 1, start, data.find(b"\n", at)


def says_the_epoch(whole, at):
    """Whether a byte is of a number that nothing else in the log can correct."""
    own = [match.span(1) for match in re.finditer(rb'"epoch": (\d+)', whole)]
    markers = [match.span(1) for match in re.finditer(rb"Epoch:( \d+)", whole)]
    return any(first <= at < end for first, end in own + markers[:1] + markers[-1:])


def values_on(lines):
    found = [json.loads(line) for line in lines.split(b"\n") if b"agg_stats" in line]
    return {repr(value) for record in found for value in record["agg_stats"].values()}


@settings(max_examples=250)
@given(
    way=ways, n=st.integers(4, 6), place=st.floats(0, 1, exclude_max=True), byte=st.integers(1, 255)
)
def test_a_damaged_byte_costs_only_its_own_line(tmp_path_factory, way, n, place, byte):
    root = tmp_path_factory.mktemp("sweep")
    for run in range(2):
        write(root / f"r{run}", run, n, way)
    before = load(root)
    path = root / "r0" / "json_out.jsonl"
    whole = path.read_bytes()
    at = int(place * len(whole))
    path.write_bytes(whole[:at] + bytes([whole[at] ^ byte]) + whole[at + 1 :])
    after = load(root)
    values, now = (
        {path: found for (path, _), found in values_by_run(ds).items()} for ds in (before, after)
    )
    other, mine = "r1/json_out.jsonl", "r0/json_out.jsonl"
    assert now[other] == values[other]
    assert keys_by_run(after)[other] >= keys_by_run(before)[other]
    number, start, end = line_of(whole, at)
    if number == 1 or says_the_epoch(whole, at):
        return  # without its configuration a log is no run of the sweep, and it is named
    touched = values_on(whole[start:end])
    lost = {k: v for k, v in values[mine].items() if now[mine].get(k) != v}
    assert {k for k, v in lost.items() if v not in touched} == set()
    if len(now[mine]) < len(values[mine]):
        assert number in rc.problems(after).line.tolist()


def replaced(lines, at, old, new):
    assert old in lines[at]
    return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]


def test_a_damaged_split_name_shifts_no_epoch(tmp_path):
    lines = [config(), *epochs(3, marker=False)]
    at = lines.index(record("val", loss=1.1))
    (log,) = read(tmp_path, replaced(lines, at, '"val"', '"vbl"'))
    assert curve(log, "val") == {0: 0.1, 2: 2.1}
    assert curve(log, "vbl") == {1: 1.1}
    assert ("odd_split", at + 1) in kinds(log)


@pytest.mark.parametrize("marker", [True, False])
def test_a_record_that_took_the_name_of_another_split_displaces_nothing(tmp_path, marker):
    lines = [config(), *epochs(6, splits=("val1", "val2"), marker=marker)]
    at = lines.index(record("val2", loss=2.1))
    (log,) = read(tmp_path, [*lines[:at], record("val1", loss=2.1), *lines[at + 1 :]])
    assert curve(log, "val1") == {epoch: float(epoch) for epoch in range(6)}
    assert curve(log, "val2") == {epoch: epoch + 0.1 for epoch in (0, 1, 3, 4, 5)}
    assert kinds(log) == [("odd_split", at + 1)]
    assert "its values are left out" in log.problems[0].message


@pytest.mark.parametrize(
    ("at", "old", "new"),
    [
        (0, ": 0", ": z"),
        (2, ": 2", ": 7"),
        (2, ": 2", ":72"),
        (3, "Start", "Stbrt"),
        (3, '"value"', '"valve"'),
        (3, '"}', '"'),
        (3, "{", "["),
        (3, ": 3", ": x"),
        (3, ': 3"', ": 3x"),
        (5, ": 5", ": u"),
        (5, ">>", "\x01>"),
    ],
)
def test_a_damaged_marker_moves_no_record(tmp_path, at, old, new):
    lines = [config(), *epochs(6, splits=("train",))]
    for epoch in range(0, 6, 2):  # a split that is not evaluated in every epoch
        lines.insert(lines.index(record("train", loss=float(epoch))) + 1, record("val", loss=epoch))
    lines = replaced(lines, lines.index(text(f">> Start Epoch: {at}")), old, new)
    (log,) = read(tmp_path, lines)
    assert curve(log, "train") == {epoch: epoch for epoch in range(6)}
    assert curve(log, "val") == {0: 0, 2: 2, 4: 4}
    assert log.problems


def test_a_resume_is_no_damaged_marker(tmp_path):
    lines = [config(), *epochs(4), *epochs(1, start=2)]
    (log,) = read(tmp_path, lines)
    assert log.problems == []
    assert log.curves[0].x["epoch"].tolist() == [0, 1, 2, 3, 2]


@pytest.mark.parametrize("between", ["", " ", "\0"])
def test_two_records_on_one_line_are_both_kept(tmp_path, between):
    lines = [config(), *epochs(3)]
    at = lines.index(record("train", loss=1.0))
    joined = lines[at] + between + lines[at + 1]
    (log,) = read(tmp_path, [*lines[:at], joined, *lines[at + 2 :]])
    assert curve(log, "train") == {0: 0, 1: 1, 2: 2}
    assert curve(log, "val") == {0: 0.1, 1: 1.1, 2: 2.1}
    assert kinds(log) == [("joined_lines", at + 1)]


@pytest.mark.parametrize("place", [1, 2, 12, 20, 30, 40, 60, -1])
@pytest.mark.parametrize("marker", [True, False])
def test_a_line_that_is_cut_in_two_is_one_lost_record(tmp_path, marker, place):
    lines = [config(), *epochs(5, marker=marker)]
    at = lines.index(record("val", loss=2.1))
    halves = [lines[at][:place], lines[at][place:]]
    (log,) = read(tmp_path, [*lines[:at], *halves, *lines[at + 1 :]])
    assert curve(log, "val") == {epoch: epoch + 0.1 for epoch in (0, 1, 3, 4)}
    assert curve(log, "train") == {epoch: float(epoch) for epoch in range(5)}
    assert kinds(log) == [("bad_line", at + 1), ("bad_line", at + 2)]


def test_a_title_says_which_split_a_damaged_name_was(tmp_path):
    lines = [config(), record("val", loss=0.0), record("train", loss=1.0), record("val", loss=1.0)]
    (log,) = read(tmp_path, replaced(lines, 1, '"val"', '"vbl"'))
    assert curve(log, "val") == {1: 1.0}
    assert curve(log, "vbl") == {0: 0.0}
    assert ("odd_split", 2) in kinds(log)


def doubtful(log):
    return [p.line for p in log.problems if "epochs are counted" in p.message]


@pytest.mark.parametrize("splits", [("train",), ("train", "val"), ("train", "val", "test")])
@given(data=st.data())
def test_a_lost_record_shifts_no_epoch_in_silence(tmp_path_factory, splits, data):
    """Each value is its epoch: where nothing else tells an epoch, records are counted."""
    n = data.draw(st.integers(4, 7))
    lines = [record(s, loss=float(e)) for e in range(n) for s in splits]
    at = data.draw(st.integers(0, len(lines) - 1))
    whole = lines[at]
    named = whole.replace(f'"data_name": "{splits[at % len(splits)]}"', '"data_name": "w"')
    broken = ["{", '"}{', whole[:3], whole[:-20], whole.replace("a", "#"), named]
    lines[at] = data.draw(st.sampled_from(broken))
    (log,) = read(tmp_path_factory.mktemp("logs"), [config(), *lines])
    # The configuration is on line 1.
    moved = {
        line
        for curves in log.curves
        for line, epoch in zip(curves.lines.tolist(), curves.x["epoch"].tolist(), strict=True)
        if line != at + 2 and epoch != (line - 2) // len(splits)
    }
    assert not moved or at + 2 in doubtful(log)
    if len(splits) > 1 and 0 < at < len(lines) - 1:
        assert not moved  # the order of the splits tells which one was lost


def test_an_unreadable_line_is_no_doubt_where_markers_or_records_tell_the_epoch(tmp_path):
    marked = [config(), *epochs(4, splits=("train",))]
    (log,) = read(tmp_path, [*marked[:4], "{", *marked[4:]])
    assert not doubtful(log)
    own = [json.dumps({**json.loads(record("train", loss=1.0)), "epoch": e}) for e in range(4)]
    (log,) = read(tmp_path, [config(), *own[:2], "{", *own[2:]])
    assert not doubtful(log)
    plain = [record("train", loss=float(e)) for e in range(4)]
    (log,) = read(tmp_path, [config(), record("val", loss=1.0), *plain[:2], "{", *plain[2:]])
    assert doubtful(log) == [5]
