"""Bounds on what one native log may cost: beyond them a line or a key is left out, and named."""

import json
import time
import tracemalloc

import pytest
from native_logs import config, curve, epochs, kinds, read, record, text

import runcube as rc
from runcube.core import Limits
from runcube.readers.lines import BadLine, decode_line, is_number_text
from runcube.readers.native.batch import read_sections
from runcube.readers.native.reader import NativeReader


def nested(depth, value="1"):
    return '{"a":' * depth + value + "}" * depth


@pytest.mark.parametrize(
    "line",
    [
        record("val", loss="1" * 60_000 + "x"),
        '{"data_name": "val", "agg_stats": {"loss": ' + "1" * 60_000 + "}}",
        '{"data_name": "val", "agg_stats": {"loss": ' + "1" * 60_000 + "x}}",
        '{"a": ' * 20_000,
        '{"a": ' * 20_000 + "}" * 20_000 + "x}",
        '{"a": 1} ' * 5_000 + "x}",
        '"' * 100_000 + "}",
        '"data_name": "' * 10_000 + "}",
        '{"title": "' + "\\" * 100_000 + "}",
    ],
    ids=["text", "number", "digits", "open", "deep", "records", "quotes", "names", "backslashes"],
)
def test_no_line_takes_more_than_linear_time(tmp_path, line):
    start = time.process_time()
    (log,) = read(tmp_path, [config(), *epochs(2), line])
    assert time.process_time() - start < 1
    assert curve(log, "val") == {0: 0.1, 1: 1.1}
    assert [p.line for p in log.problems] == [10]


def test_the_work_for_bad_lines_does_not_grow_with_their_neighbours(tmp_path):
    bad = [f'{{"title": "agg_val", bad {i}' for i in range(5000)]
    words = [text("".join(chr(97 + (i >> 4 * k & 15)) for k in range(4))) for i in range(5000)]
    lines = [line for pair in zip(bad, words, strict=True) for line in pair]
    start = time.process_time()
    (log,) = read(tmp_path, [config(), record("train", loss=1), *lines])
    assert time.process_time() - start < 2
    assert kinds(log) == [("bad_line", 2 * i + 3) for i in range(5000)]


def test_lists_among_numbers_of_their_names_take_linear_time(tmp_path):
    pair = [record("val", l=[1.0, 2.0]), record("val", **{"l/0": 3.0})]
    start = time.process_time()
    (log,) = read(tmp_path, [config(), *pair * 100_000])
    assert time.process_time() - start < 3
    assert kinds(log) == []
    (curves,) = log.curves
    held = dict(zip(curves.metrics, curves.values[:, :2].tolist(), strict=True))
    assert held["l/0"] == [1, 3]


def test_a_configuration_on_too_long_a_line_is_none_in_the_header_either(tmp_path):
    twice = config() + config()
    reader = NativeReader(limits=Limits(line_bytes=len(config()) + 1))
    (log,) = read(tmp_path, [record("val", loss=1), twice], reader=reader)
    assert not log.header.has_config
    assert ("limit", 2) in kinds(log)


def test_a_line_that_is_nested_too_deeply_is_left_out(tmp_path):
    deep = '{"data_name": "val", "agg_stats": ' + nested(600) + "}"
    (log,) = read(tmp_path, [config(), *epochs(1), deep, *epochs(1, start=1)])
    assert curve(log, "val") == {0: 0.1, 1: 1.1}
    assert kinds(log) == [("limit", 6)]
    assert "Limits(depth=100)" in log.problems[0].message
    (log,) = read(tmp_path, [config(), deep], reader=NativeReader(limits=Limits(depth=700)))
    assert log.metrics == ("/".join(["a"] * 600),)


def test_a_configuration_loses_only_the_keys_that_are_nested_too_deeply(tmp_path):
    header = '{"type":"dict_config","value":{"lr":1,"list":%s,"o":{"lr":2,"a":%s},"seed":3}}'
    line = header % ("[" * 500 + "]" * 500, nested(500))
    (log,) = read(tmp_path, [line, *epochs(2)])
    assert log.header.config["lr"] == 1
    assert log.header.config["o"]["lr"] == 2
    assert "list" not in log.header.config
    assert kinds(log) == [("limit", 1), ("limit", 1)]
    assert "'list'" in log.problems[0].message
    assert "'o.a.a." in log.problems[1].message
    assert "2" in json.dumps(log.header.config)
    assert curve(log, "val") == {0: 0.1, 1: 1.1}


def test_a_deep_configuration_costs_no_other_run(tmp_path):
    deep = '{"type":"dict_config","value":{"lr":1,"d":%s}}' % ("[" * 500 + "]" * 500)
    for name, first in (("a", config({"lr": 0})), ("b", deep)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "json_out.jsonl").write_text("\n".join([first, *epochs(2)]) + "\n")
    with pytest.warns(rc.SweepWarning):
        ds = rc.load_runs(tmp_path, parallel=False)
    assert ds.lr.values.tolist() == [0, 1]
    assert ds.logged.all()


def test_a_longer_line_or_number_than_the_bound_is_left_out(tmp_path):
    long = record("val", **{"x" * 5000: 1.0})
    reader = NativeReader(limits=Limits(line_bytes=4000))
    (log,) = read(tmp_path, [config(), long, *epochs(2)], reader=reader)
    assert kinds(log) == [("limit", 2)]
    assert "more than Limits(line_bytes=4000)" in log.problems[0].message
    assert list(curve(log, "train")) == [0, 1]
    digits = '{"data_name": "val", "agg_stats": {"loss": ' + "1" * 5000 + "}}"
    (log,) = read(tmp_path, [config(), digits, *epochs(2)])
    assert kinds(log) == [("limit", 2)]
    assert "number of 5,000 digits, more than Limits(digits=4300)" in log.problems[0].message


def test_more_keys_than_the_bound_are_left_out_and_counted(tmp_path):
    lines = [config(), *(record("val", **{f"m{i}": 1.0, "nan": float("nan")}) for i in range(9))]
    (log,) = read(tmp_path, lines, reader=NativeReader(limits=Limits(columns=4)))
    assert log.metrics == ("m0", "nan", "m1", "m2")
    assert kinds(log) == [("limit", 5)]
    assert "Limits(columns=4): left out; 6 times, the first 'm3'" in log.problems[0].message


@pytest.mark.parametrize("digits", [16, 25, 5000])
def test_a_number_that_is_no_epoch_is_text(tmp_path, digits):
    lines = [config(), text(">> Start Epoch: " + "9" * digits), record("val", loss=1)]
    lines += [text(f"Training time {'9' * digits} days, 0:00:01")]
    (log,) = read(tmp_path, lines)
    assert curve(log, "val") == {0: 1}


def test_texts_of_numbers_are_matched_in_one_way():
    numbers = ["1", "-1.5", ".5", "1.", "1e5", "1.e5", " inf ", "NaN", "-Infinity", "1.5E-3"]
    assert all(is_number_text(number) for number in numbers)
    assert not any(is_number_text(text) for text in ("", "1x", "1..5", "e5", "1e", ".", "1_000"))


def test_depth_counts_objects_and_lists():
    assert decode_line(nested(100).encode())
    with pytest.raises(BadLine, match=r"Limits\(depth=100\)") as caught:
        decode_line(nested(101).encode())
    assert caught.value.kind == "limit"
    assert decode_line(b'{"a": [' + b"{}, " * 500 + b"{}]}")


def test_what_reads_as_a_number_is_one_whatever_stands_around_it():
    around = [chr(code) for code in range(0x3100)]
    for number in [*(c + "0.7" for c in around), *("0.7" + c for c in around), *around]:
        if is_number_text(number):
            float(number)


def most_memory(folder, sections):
    """Bytes that it takes to read a log whose sections each have a metric of their own."""
    lines = [
        line for n in range(sections) for line in (config(), record("val", **{f"m{n}": float(n)}))
    ]
    tracemalloc.start()
    logs = read(folder, lines)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [log.metrics for log in logs] == [(f"m{n}",) for n in range(sections)]
    assert [log.curves[0].values.tolist() for log in logs] == [[[n]] for n in range(sections)]
    assert not any(log.problems for log in logs)
    return most


def test_sections_with_metrics_of_their_own_take_memory_with_their_number(tmp_path):
    assert most_memory(tmp_path, 1600) < 6 * most_memory(tmp_path, 400)


@pytest.mark.parametrize("sections", [2, 22])
def test_each_section_has_a_bound_of_its_own(tmp_path, sections):
    own = [[f"m{n}", f"k{n}", f"a{n}"][: 2 + (n != 1)] for n in range(sections)]
    lines = [line for keys in own for line in (config(), record("val", **dict.fromkeys(keys, 1)))]
    logs = read(tmp_path, lines, reader=NativeReader(limits=Limits(columns=2)))
    assert [log.metrics for log in logs] == [tuple(keys[:2]) for keys in own]
    found = [problem.message for log in logs for problem in log.problems]
    what = "values of keys beyond Limits(columns=2): left out; 1 time, the first"
    assert found == [f"{what} 'a{n}'" for n in range(sections) if n != 1]


MANY = [json.dumps({"agg_stats": {f"k{n}_{i}": 1 for i in range(40)}}) for n in range(2)]


def read_bound(tmp_path, lines):
    """The runs of a log in which all but the first key is beyond the bound."""
    return read(tmp_path, [*MANY, *lines], reader=NativeReader(limits=Limits(columns=1)))


@pytest.mark.parametrize("name", ["val", {"x": 1}, 3, ["v"]])
@pytest.mark.parametrize("key", ["data_name", "title"])
def test_no_number_of_keys_puts_a_record_in_another_split(tmp_path, key, name):
    lines = [json.dumps({key: name, "agg_stats": {"k0_0": value}}) for value in (2, 3)]
    (log,) = read_bound(tmp_path, lines)
    assert log.splits == ("all", str(name))
    assert curve(log, "all", "k0_0") == {0: 1}
    assert curve(log, str(name), "k0_0") == {0: 2, 1: 3}
    assert log.metrics == ("k0_0",)


def test_no_number_of_keys_hides_a_marker(tmp_path):
    later = json.dumps({"data_name": "val", "agg_stats": {"k0_0": 2}})
    (log,) = read_bound(tmp_path, [text(">> Start Epoch: 5"), later])
    assert curve(log, "val", "k0_0") == {5: 2}


def test_no_number_of_keys_hides_a_configuration():
    data = "\n".join([*MANY, config({"lr": 1}), *epochs(2)]).encode()
    ((first, second),) = read_sections([(data, "a")], Limits(columns=1))
    assert (first.config, second.config) == (None, {"lr": 1})
    assert (first.names, second.names) == (("k0_0",), ())
    assert [*second.splits] == ["train", "val"]


def test_a_record_of_which_every_value_is_beyond_the_bound_has_its_epoch(tmp_path):
    later = json.dumps({"data_name": "val", "agg_stats": {"k0_0": 2}})
    (log,) = read_bound(tmp_path, [record("val", b=1), later])
    assert curve(log, "val", "k0_0") == {1: 2}
    assert "80 times" in log.problems[-1].message


def test_half_a_line_behind_too_many_keys_costs_that_line(tmp_path):
    (log,) = read_bound(tmp_path, ['{"title": "agg_val", "da', record("val", b=1), *epochs(1)])
    assert log.splits[0] == "all"
    assert ("bad_line", 3) in kinds(log)


@pytest.mark.parametrize("lines", [[], MANY], ids=["decoded", "not even decoded"])
@pytest.mark.parametrize(
    ("beside", "stats", "name"),
    [
        ({}, {"acc": {"top": 1}}, "acc/top"),
        ({"memory": {"peak": 1}}, {}, "memory/peak"),
        ({"memory": 1}, {}, "memory"),
    ],
)
def test_a_key_beyond_the_bound_has_its_name(lines, beside, stats, name):
    last = json.dumps({"data_name": "val", "agg_stats": {"k0_0": 1} | stats} | beside)
    data = "\n".join([*lines, config(), last]).encode()
    (section,) = read_sections([(data, "a")], Limits(columns=1))[0][-1:]
    assert section.names == ("k0_0",)
    message = f"values of keys beyond Limits(columns=1): left out; 1 time, the first '{name}'"
    assert [(p.message, p.line) for p in section.problems] == [(message, len(lines) + 2)]
