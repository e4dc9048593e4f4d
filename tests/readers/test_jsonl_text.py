"""Records behind text, and as Python prints dicts."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonl_logs import curve, kinds, load, write

from runcube.readers.table.python_text import python_record

ROWS = [{"epoch": i, "loss": 1 / (i + 1)} for i in range(4)]


@pytest.mark.parametrize(
    "before",
    [
        "[2026-01-01 10:00:00,123] [INFO] ",
        "[rank0]: ",
        "\x1b[32m2026-01-01\x1b[0m | \x1b[1mINFO\x1b[0m ",
        " 10%|#    | 1/10 [00:01<00:09,  1.02it/s]\r",
        "INFO:root:step\t",
    ],
)
def test_records_are_found_behind_what_loggers_write_before_them(tmp_path, before):
    write(tmp_path / "run.log", [before + json.dumps(row) for row in ROWS])
    (run,) = load(tmp_path)
    values, _, found = curve(run, "loss")
    assert values.tolist() == [row["loss"] for row in ROWS]
    assert found.x["epoch"].tolist() == [0, 1, 2, 3]
    assert kinds(run) == ["text_line"]


def test_records_behind_many_lines_of_text_are_found(tmp_path):
    banner = [f"loading shard {i} of 20" for i in range(20)]
    write(tmp_path / "run.log", [*banner, *ROWS])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 4
    assert banner[7] in run.messages


@pytest.mark.parametrize("before", ["", "INFO:root:metrics ", "\r 3%|  | 1/9\r"])
def test_dicts_as_python_prints_them_are_records(tmp_path, before):
    rows = [
        row | {"grad_norm": math.nan, "best": None, "done": i > 2} for i, row in enumerate(ROWS)
    ]
    write(tmp_path / "run.log", [f"{before}{row}" for row in rows])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[0].tolist() == [row["loss"] for row in ROWS]
    assert curve(run, "done")[0].tolist() == [0, 0, 0, 1]
    values, logged, _ = curve(run, "grad_norm")
    assert logged.all()
    assert [math.isnan(v) for v in values] == [True] * 4
    assert kinds(run) == ["text_line" if before else "python_line"]


def test_half_a_python_dict_costs_its_line(tmp_path):
    write(tmp_path / "run.log", [*map(str, ROWS), "{'epoch': 4, 'lo"], end="\n")
    (run,) = load(tmp_path)
    assert sorted(kinds(run)) == ["bad_line", "python_line"]
    assert len(curve(run, "loss")[0]) == 4


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), plain, min_size=1))
def test_any_dict_is_read_as_it_was_printed(record):
    assert python_record(repr(record).encode("utf-8", "surrogatepass")) == record


@pytest.mark.parametrize(
    "text",
    [
        *("{}", "{1, 2}", "{'a': 1", "{**{'a': 1}}", "{'a': 1}" * 2, "\x00{'a'}"),
        "{'a': " * 5000 + "1" + "}" * 5000,
        "{'a': " * 150 + "1" + "}" * 150,
        "{'a': " + "-" * 60000 + "1}",
        "{'a': " + "9" * 50000 + "}",
    ],
)
def test_what_is_no_printed_dict_is_none(text):
    assert python_record(text.encode()) is None
