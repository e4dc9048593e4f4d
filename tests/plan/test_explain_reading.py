"""explain() begins with how the files were read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcube.core.model import LogFile, RunHeader, Source
from runcube.plan import plan
from runcube.plan.reading import count_readings


def header(path, *reading, key=""):
    config = {"seed": int(path.partition(".")[0])}
    return RunHeader(Source("/", path, (LogFile(path, 1, 1),)), key, config, reading=reading)


def section(headers):
    """The lines of the section, without its title."""
    headline, blank, title, *lines = plan(headers).explain().splitlines()
    assert " in " in headline
    assert (blank, title) == ("", "how the files were read")
    return lines[: lines.index("")]


def records(*texts):
    """The texts on records in the section, of one log each."""
    headers = [header(f"{i}.jsonl", ("records", text)) for i, text in enumerate(texts)]
    return count_readings(headers)["records"]


def test_topics_stand_in_the_order_in_which_a_log_is_read():
    own = [
        ("reader", "JsonlReader"),
        *(("says the same", text) for text in ("", "header='_meta'", "x='spawn_step'")),
        ("x", "spawn_step: whole numbers that rise"),
        ("records", "1 header, 9 rows, 1 trailer"),
        ("left out", "'note': text that changes on every row"),
    ]
    assert section([header("0.jsonl", *own), header("1.jsonl", *own)]) == [
        "  records        2 logs  1 header, 9 rows, 1 trailer",
        "  x              2 logs  spawn_step: whole numbers that rise",
        "  left out       2 logs  'note': text that changes on every row",
        "  says the same  2 logs  JsonlReader(header='_meta', x='spawn_step')",
    ]


def said(*readings):
    """What is printed of logs for each of which these arguments say the same."""
    headers = [
        header(
            f"{i}.jsonl",
            ("records", "9 rows"),
            ("reader", "JsonlReader"),
            *(("says the same", text) for text in own),
        )
        for i, own in enumerate(readings)
    ]
    found = count_readings([*headers, header("9.jsonl", ("records", "none"))])
    return [text for _, text in found.get("says the same", [])]


def test_what_says_the_same_does_so_of_all_logs():
    assert said(["", "x='a'", "run='r'"], ["", "x='b'", "run='r'"]) == ["JsonlReader(run='r')"]
    assert said(["", "x='a'"], [""]) == ["JsonlReader()"]
    assert said(["config='a'", "x='a'"], ["config='a'"]) == ["JsonlReader(config='a')"]
    # Another reader, or one with other arguments, read one of them.
    assert said(["", "x='a'"], []) == said(["x='a'"], ["", "x='a'"]) == []


def test_texts_that_differ_are_counted_and_the_most_frequent_come_first():
    odd = [header("0.jsonl", ("x", "rows are numbered"))]
    most = [header(f"{i}.jsonl", ("x", "step: whole numbers that rise")) for i in (1, 2, 3)]
    assert section(odd + most) == [
        "  x  3 logs  step: whole numbers that rise",
        "     1 log   rows are numbered",
    ]


def test_of_many_texts_a_handful_is_shown():
    lines = section([header(f"{i}.jsonl", ("left out", f"key {i}")) for i in range(12)])
    assert len(lines) == 6
    assert lines[-1].split() == ["…", "and", "7", "more"]


def test_runs_of_one_log_count_once():
    headers = [header("0.jsonl", ("x", "step"), key=key) for key in "ab"]
    assert count_readings(headers) == {"x": [(1, "step")]}


@pytest.mark.parametrize(
    ("texts", "shown"),
    [
        (["1 header, 9 rows", "1 header, 759 rows"], [(2, "1 header, 9 to 759 rows")]),
        (["1 row", "12 rows", "3 rows"], [(3, "1 to 12 rows")]),
        (["1,000 rows", "20000 rows"], [(2, "1,000 to 20,000 rows")]),
        (["9 rows, 1 trailer", "9 rows", "8 rows"], [(2, "8 to 9 rows"), (1, "9 rows, 1 trailer")]),
        (["rows alone", "rows alone"], [(2, "rows alone")]),
        (["2 rows of 'a'", "3 rows of 'b'"], [(1, "2 rows of 'a'"), (1, "3 rows of 'b'")]),
    ],
)
def test_numbers_of_records_are_ranges_where_only_they_differ(texts, shown):
    assert records(*texts) == shown


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_a_range_holds_the_numbers_of_all_logs(numbers):
    ((count, text),) = records(*(f"1 header, {n} {'row' if n == 1 else 'rows'}" for n in numbers))
    assert count == len(numbers)
    low, high = min(numbers), max(numbers)
    ends = f"{low:,} to {high:,}" if low < high else f"{low:,}"
    assert text == f"1 header, {ends} {'row' if high == 1 else 'rows'}"


def test_a_long_text_is_cut_and_lines_fit():
    lines = section([header("0.jsonl", ("left out", "many words " * 1000))])
    assert len(lines) < 10
    assert all(len(line) <= 100 for line in lines)


def test_readers_that_know_their_layout_have_no_section():
    assert "how the files were read" not in plan([header("0.jsonl"), header("1.jsonl")]).explain()


def test_html_has_the_section_and_its_texts_are_escaped():
    html = plan([header("0.jsonl", ("x", "<b>"))])._repr_html_()
    assert "how the files were read" in html
    assert "&lt;b&gt;" in html
