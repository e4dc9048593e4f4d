"""Nothing of a native log is lost: it is in what the reader returns, or named.

The oracle is the json module, and no idea of what a key means.
"""

import json
import math
import re
from collections import Counter

import numpy as np
from hypothesis import given
from native_logs import config, read, record
from native_strategies import lines_of_logs

KEPT = {"text_number", "huge_number"}
COUNT = re.compile(r"'(.*)': (\d+) values? ", re.DOTALL)


def leaves(value, path=()):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    elif value is not None:
        yield path, value


def same(one, other):
    return one == other or (math.isnan(one) and math.isnan(other))


def as_float(value):
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


class Found:
    """What the logs of one file hold, to be asked for by line and name."""

    def __init__(self, logs):
        self.logs = logs
        self.values = {}
        self.messages = Counter(m for log in logs for m in log.messages)
        self.problems = [p for log in logs for p in log.problems]
        self.lines = {p.line for p in self.problems}
        self.counts = Counter()
        for problem in self.problems:
            if (found := COUNT.match(problem.message)) and problem.kind not in KEPT:
                self.counts[found[1]] += int(found[2])
        for log in logs:
            for curves in log.curves:
                for row, line in enumerate(curves.lines.tolist()):
                    for i in np.flatnonzero(curves.logged[:, row]):
                        at = (line, curves.metrics[i])
                        self.values[at] = (curves.split, curves.values[i, row])
                    for name, values in curves.x.items():
                        self.values[line, "x", name] = (curves.split, float(values[row]))

    def has(self, line, split, name, value):
        """Whether a number is a value or an x of its record."""
        held = (self.values.get(at) for at in ((line, name), (line, "x", name)))
        return any(one and one[0] == split and same(one[1], as_float(value)) for one in held)


def split_of(entry):
    title = str(entry.get("title") or "").removeprefix("agg_")
    return str(entry.get("data_name") or "") or title or "all"


def lost(lines, logs):
    """Leaves of the lines that are neither in the logs nor named, with their lines."""
    found, gone, unnamed = Found(logs), Counter(), []
    for number, line in enumerate(lines, 1):
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        if not isinstance(entry, dict):
            unnamed += [(number, "line")] * (number not in found.lines)
        elif isinstance(entry.get("agg_stats"), dict) and not is_config(entry):
            unnamed += in_curves(number, entry, found, gone)
        elif {"type", "value"} <= entry.keys():
            beside = {k: v for k, v in entry.items() if k not in ("type", "value")}
            gone.update("/".join(path) for path, _ in leaves(beside))
            value = entry["value"]
            if is_config(entry):
                unnamed += [(number, "config")] * all(
                    repr(log.header.config) != repr(value) for log in logs
                )
            elif value not in ("", None):
                held = value if isinstance(value, str) else json.dumps(value)
                unnamed += [(number, held)] * (held not in found.messages)
        else:
            for key in entry:
                messages = [p.message for p in found.problems if p.kind == "bad_line"]
                unnamed += [(number, key)] * all(f"'{key}'" not in m for m in messages)
    return unnamed + [(None, n) for n in gone | found.counts if gone[n] != found.counts[n]]


def is_config(entry):
    return entry.get("type") == "dict_config" and isinstance(entry.get("value"), dict)


def in_curves(number, entry, found, gone):
    words = {"title", "data_name", "agg_stats", "type"}
    split = split_of(entry)
    beside = {k: v for k, v in entry.items() if k not in words}
    if split not in (str(entry.get("title") or split).removeprefix("agg_"), entry.get("title")):
        beside["title"] = entry["title"]
    if not isinstance(entry.get("type", ""), str):
        beside["type"] = entry["type"]
    taken = set()
    for path, value in [*leaves(entry["agg_stats"]), *leaves(beside)]:
        name = "/".join(path)
        items = {name: value}
        if (
            isinstance(value, list)
            and 0 < len(value) <= 32
            and all(type(v) in (int, float) for v in value)
        ):
            numbers = {f"{name}/{i}": v for i, v in enumerate(value)}
            if any((number, n) in found.values for n in numbers):
                items = numbers
        for key, one in items.items():
            number_like = one
            if isinstance(one, str):
                try:
                    number_like = float(one)
                except ValueError:
                    number_like = None
            is_number = isinstance(number_like, int | float)
            if not (is_number and key not in taken and found.has(number, split, key, number_like)):
                gone[key] += 1
            taken |= {key} if is_number else set()
    return []


@given(lines=lines_of_logs)
def test_nothing_of_a_log_is_lost_without_a_name(tmp_path_factory, lines):
    lines = [config(), record("train", loss=0.5), *lines]
    logs = read(tmp_path_factory.mktemp("log"), lines, messages=True)
    assert lost(lines, logs) == []
