"""Files that are one JSON object: what stands before a cut, and around damage, is read."""

import json
import random
import time

import pytest

from runcube.readers import Limits
from runcube.readers.json_file import LOST, read_json_file

WHOLE = {
    "acc": {"steps": [0, 1, 2], "values": [10.5, float("inf"), 30.25]},
    "loss": {"steps": [0, 1, 2], "values": [1.5, 0.125, 0.0625]},
    "note": 'a "b"\n{[',
}
DATA = json.dumps(WHOLE, indent=2, sort_keys=True).encode()


def read(data, limits=None):
    return read_json_file(data, "run/metrics.json", limits or Limits())


def is_beginning(found, whole):
    """Whether all that was found is of the whole, lists from their beginning."""
    if isinstance(found, dict):
        return all(key in whole and is_beginning(v, whole[key]) for key, v in found.items())
    if isinstance(found, list):
        pairs = zip(found, whole, strict=False)
        return len(found) <= len(whole) and all(a is LOST or is_beginning(a, b) for a, b in pairs)
    return found == whole


@pytest.mark.parametrize("indent", [2, None])
def test_whatever_is_before_a_cut_is_read_and_nothing_else(indent):
    data = json.dumps(WHOLE, indent=indent, sort_keys=True).encode()
    for cut in range(1, len(data)):
        found, problems = read(data[:cut])
        assert is_beginning(found, WHOLE)
        assert [problem.kind for problem in problems] == ["truncated_tail"]
    found, problems = read(data)
    assert (found, problems) == (WHOLE, [])


def test_a_number_that_ends_with_the_file_may_be_half_of_one():
    found, _ = read(DATA[: DATA.index(b"0.0625") + 4])
    assert found["loss"]["values"] == [1.5, 0.125]
    assert found["loss"]["steps"] == [0, 1, 2]


def test_a_damaged_item_costs_that_item_and_its_line_is_named():
    found, (problem,) = read(DATA.replace(b"0.125", b"0.1x5"))
    assert found["loss"]["values"] == [1.5, LOST, 0.0625]
    assert found["acc"] == WHOLE["acc"]
    assert (problem.kind, problem.path) == ("bad_line", "run/metrics.json")
    assert DATA.splitlines()[problem.line - 1].strip() == b"0.125,"


@pytest.mark.parametrize(
    ("old", "new"), [(b'"values": [\n', b'"val\0es": [\n'), (b"    ],\n", b"    x,\n")]
)
def test_a_damaged_key_or_bracket_costs_nothing_of_other_objects(old, new):
    found, problems = read(DATA.replace(old, new, 1))
    assert found["loss"] == WHOLE["loss"]
    assert found["acc"]["steps"][:2] == [0, 1]
    assert "x" not in new.decode() or found["acc"]["values"] == WHOLE["acc"]["values"]
    assert found["note"] == WHOLE["note"]
    assert "bad_line" in {problem.kind for problem in problems}


def test_what_is_no_object_is_named():
    assert read(b"[1, 2]") == ({}, [read(b"[1, 2]")[1][0]])
    assert read(b"[1, 2]")[1][0].message == "no object"
    assert read(b" \n\0")[1][0].kind == "empty"
    assert read(b"hello")[1][0].kind == "bad_line"
    found, problems = read(b"\xef\xbb\xbf" + DATA + b"\n\0\0")
    assert (found, problems) == (WHOLE, [])


def test_bounds_are_kept():
    found, problems = read(b'{"a": {"b": [1]}, "c": 2}', Limits(depth=2))
    assert found == {"c": 2}
    assert [problem.kind for problem in problems] == ["limit"]
    assert read(DATA, Limits(line_bytes=9))[1][0].kind == "limit"
    found, _ = read(b'{\n  "a": ' + b"9" * 5000 + b',\n  "b": 1\n}')
    assert found == {"b": 1}


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 300_000,
        b'{"a":' + b"[" * 300_000,
        b'{"a":' * 100_000,
        b'{"a":' + b"[1,\n" * 50_000,
        b'{"a":[' + b"x\n" * 100_000,
        b'{"a":[\n' + b" [x\n" * 50_000,
        b"{\n" + b' "a": x\n' * 50_000,
    ],
)
def test_hostile_files_take_little_time(data):
    begun = time.perf_counter()
    _, problems = read(data)
    assert problems
    assert time.perf_counter() - begun < 10


def test_damage_anywhere_raises_nothing_and_is_named():
    rng = random.Random(19)
    for _ in range(500):
        data = bytearray(DATA)
        for _ in range(rng.choice((1, 1, 3))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        found, problems = read(bytes(data))
        try:
            whole = json.loads(data)
        except ValueError:
            assert problems
        else:
            assert found == whole or problems
