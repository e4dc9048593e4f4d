"""The table of a log is what decoding it record by record makes, whichever kernel runs."""

import json

import hostile_jsonl
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonl_logs import curve, epochs, kinds, load, write

from runcube.core.errors import PlanError
from runcube.core.model import LogFile, Request, Source
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.reader import JsonlReader
from runcube.readers.kernel import decode, twin
from runcube.readers.table import decode as decode_module
from runcube.readers.table import flatten
from runcube.readers.table.decode import Part, read_table

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["a", "0.5", "", "ü", "\ud800", "null"]),
    st.lists(st.integers(), max_size=2),
)


RECORDS = st.dictionaries(
    st.sampled_from(["step", "loss", "acc", "é", 'q"', "a/b", ""]),
    st.one_of(SCALARS, st.dictionaries(st.sampled_from(["b", "c", "d"]), SCALARS, max_size=3)),
    max_size=5,
)


PLAIN = st.fixed_dictionaries(
    {"step": st.integers(-(2**70), 2**70), "loss": st.floats()},
    optional={"config": st.dictionaries(st.sampled_from("xy"), SCALARS), "name": st.text()},
)


def shown(column, cell):
    """What one cell holds, as a text."""
    value = column.values[cell]
    held = {2: column.words, 3: column.items}.get(int(column.kinds[cell]))
    return repr(float(value) if held is None else held[int(value)])


def same_tables(one, other):
    assert one.lines.tolist() == other.lines.tolist()
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        twin = other.columns[name]
        np.testing.assert_array_equal(column.rows, twin.rows)
        np.testing.assert_array_equal(column.kinds, twin.kinds)
        np.testing.assert_array_equal(column.values, twin.values)
        assert column.words == twin.words
        assert json.dumps(column.items) == json.dumps(twin.items)
    assert [str(p) for p in one.problems] == [str(p) for p in other.problems]
    assert list(one.objects) == list(other.objects)
    for name, objects in one.objects.items():
        twins = other.objects[name]
        assert objects.rows.tolist() == twins.rows.tolist()
        for mine, theirs in zip(objects.codes.tolist(), twins.codes.tolist(), strict=True):
            assert json.dumps(objects.values[mine], sort_keys=True) == json.dumps(
                twins.values[theirs], sort_keys=True
            )


RAW = frozenset({"config"})


@given(
    st.lists(st.one_of(RECORDS, PLAIN, hostile_jsonl.objects), max_size=14),
    st.lists(st.sampled_from(["\n", "\r\n", "\n\n", " \n", "\\n", ""]), min_size=14, max_size=14),
)
def test_both_kernels_give_the_same_table(records, ends):
    parts = [json.dumps(r) + end for r, end in zip(records, ends, strict=False)]
    data = "".join(parts).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode_module, "decode", twin.decode)
        other = read_table([Part("x", data)], raw=RAW)
    same_tables(read_table([Part("x", data)], raw=RAW), other)


@given(st.lists(st.one_of(RECORDS, PLAIN, hostile_jsonl.objects), max_size=14))
def test_a_table_holds_what_each_record_does(records):
    table = read_table(
        [Part("x", "".join(json.dumps(r) + "\n" for r in records).encode())], raw=RAW
    )
    found = [{} for _ in records]
    for name, column in table.columns.items():
        for cell, row in enumerate(column.rows.tolist()):
            found[row][name] = shown(column, cell)
    for held in table.objects.values():
        for row, code in zip(held.rows.tolist(), held.codes.tolist(), strict=True):
            found[row]["config"] = json.dumps(held.values[code])
    first = {}
    for row, record in enumerate(records):
        flat = flatten(record, RAW)
        assert found[row] == {
            name: json.dumps(value) if name == "config" else said(value)
            for name, value in flat.items()
        }
        for name in flat:
            first.setdefault(name, row)
    assert list(table.columns) == [name for name in first if name != "config"]
    assert not table.problems


def said(value):
    """What a cell holds, as `shown` does."""
    try:
        is_number = isinstance(value, bool | int | float)
        return repr(float(value) if is_number else value)
    except OverflowError:
        return repr(value)


@given(
    st.lists(PLAIN, min_size=2, max_size=12),
    st.data(),
)
def test_damage_to_one_line_changes_no_other_line(records, data):
    lines = [json.dumps(record).encode() for record in records]
    at = data.draw(st.integers(0, len(lines) - 1))
    garbage = data.draw(st.binary(max_size=20).filter(lambda b: b"\n" not in b))
    cut = data.draw(st.integers(0, len(lines[at])))
    damaged = [*lines[:at], lines[at][:cut] + garbage, *lines[at + 1 :]]
    tables = [
        read_table([Part("x", b"\n".join(part) + b"\n")], raw=frozenset({"config"}))
        for part in (lines, damaged)
    ]
    clean, dirty = tables
    keep = clean.lines != at + 1
    kept = dirty.lines != at + 1
    assert clean.lines[keep].tolist() == dirty.lines[kept].tolist()
    for name, column in clean.columns.items():
        rows = {int(clean.lines[row]): i for i, row in enumerate(column.rows) if keep[row]}
        if not rows:
            continue
        twin = dirty.columns[name]
        lines = {int(dirty.lines[row]): i for i, row in enumerate(twin.rows) if kept[row]}
        assert rows.keys() == lines.keys()
        for line, cell in rows.items():
            mine, theirs = shown(column, cell), shown(twin, lines[line])
            assert mine == theirs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(PLAIN, min_size=1, max_size=12), st.booleans())
def test_headers_are_those_that_read_gives(tmp_path, records, with_run):
    if with_run:
        records = [{"run_id": f"r{i % 3}", **record} for i, record in enumerate(records)]
    write(tmp_path / "log.jsonl", records)
    load(tmp_path)


def test_a_second_header_is_neither_a_point_nor_a_metric(tmp_path):
    header = {"lr": 0.1, "name": "x"}
    write(tmp_path / "a.jsonl", [header, *epochs(3), header, *epochs(3)])
    (run,) = load(tmp_path)
    assert run.header.config == header
    assert run.metrics == ("loss",)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 2, 0, 1, 2]


def test_a_header_in_a_log_without_x(tmp_path):
    records = [{"split": s, "loss": 1.0 * i} for i in range(6) for s in ("train", "val")]
    write(tmp_path / "a.jsonl", [{"lr": 0.1, "arch": "vgg"}, *records])
    (run,) = load(tmp_path)
    assert run.header.config == {"lr": 0.1, "arch": "vgg"}
    assert run.metrics == ("loss",)
    assert run.splits == ("train", "val")


def test_each_run_of_an_interleaved_file_may_have_its_own_header(tmp_path):
    records = [{"run": r, "lr": lr, "arch": "vgg"} for r, lr in (("a", 1), ("b", 2))]
    records += [{"run": r, "step": i, "loss": i} for i in range(5) for r in "ab"]
    write(tmp_path / "a.jsonl", records)
    runs = load(tmp_path)
    assert [r.header.config for r in runs] == [{"lr": 1, "arch": "vgg"}, {"lr": 2, "arch": "vgg"}]
    assert runs[1].metrics == ("loss",)
    assert curve(runs[1], "loss")[2].lines[0] == 4


def test_an_evaluation_before_the_first_step_is_no_header(tmp_path):
    records = [{"val_loss": 2.3, "val_acc": 0.1}]
    records += [{"epoch": i, "val_loss": 1.0 * i, "val_acc": 0.2 * i} for i in range(3)]
    write(tmp_path / "a.jsonl", records)
    (run,) = load(tmp_path)
    assert not run.header.config
    assert len(curve(run, "loss", "val")[0]) == 4


def test_a_metric_logged_once_at_the_end_is_no_configuration(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(5, lr=0.1), {"epoch": 5, "test_acc": 0.9}])
    (run,) = load(tmp_path)
    assert run.header.constants == {"lr": 0.1}
    assert "test_acc" in run.header.varying
    assert curve(run, "acc", "test")[0].tolist() == [0.9]


@pytest.mark.parametrize("kernel", [decode, twin.decode])
def test_the_order_of_keys_makes_no_other_object(monkeypatch, kernel):
    monkeypatch.setattr(decode_module, "decode", kernel)
    data = b'{"c": {"a": 1, "b": 2}, "l": [{"x": 1, "y": 2}]}\n'
    data += b'{"c": {"b": 2, "a": 1}, "l": [{"y": 2, "x": 1}]}\n{"c": {"b": 3}, "l": [3]}\n'
    table = read_table([Part("log.jsonl", data)], raw=frozenset(["c"]))
    assert table.objects["c"].values == [{"a": 1, "b": 2}, {"b": 3}]
    assert table.objects["c"].codes.tolist() == [0, 0, 1]
    assert table.columns["l"].items == [[{"x": 1, "y": 2}], [3]]
    assert table.columns["l"].values.tolist() == [0, 0, 1]


def test_a_long_broken_line_does_not_take_long(tmp_path):
    inner = ", ".join('{"a": 1}' for _ in range(300_000))
    write(
        tmp_path / "a.jsonl",
        [*epochs(3), '{"epoch": 3, "list": [' + inner, {"epoch": 4, "loss": 1}],
    )
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 4
    assert kinds(run) == ["bad_line"]


def test_a_run_name_that_comes_late_does_not_split_a_run_with_a_header(tmp_path):
    late = [{"epoch": i, "loss": i, "run_id": "ab"[i % 2]} for i in range(20, 24)]
    write(tmp_path / "a.jsonl", [{"lr": 0.1, "arch": "vgg"}, *epochs(20), *late])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 24


def test_one_line_of_json_is_a_log_only_beside_longer_ones(tmp_path):
    write(tmp_path / "a" / "metrics.json", epochs(1))
    assert load(tmp_path) == []
    write(tmp_path / "b" / "metrics.json", epochs(5))
    assert len(load(tmp_path)) == 2


def test_one_line_of_jsonl_is_a_run_that_was_killed_early(tmp_path):
    write(tmp_path / "a" / "metrics.jsonl", epochs(1, lr=0.1))
    (run,) = load(tmp_path)
    assert run.header.constants == {"lr": 0.1, "loss": 1.0}


def test_a_run_column_that_is_more_than_a_name_is_a_constant(tmp_path):
    records = [{"seed": s, "epoch": e, "loss": e + s} for e in range(4) for s in (3, 4)]
    write(tmp_path / "a.jsonl", records)
    runs = load(tmp_path, JsonlReader(run="seed"))
    assert [(r.header.key, r.header.constants) for r in runs] == [
        ("3", {"seed": 3}),
        ("4", {"seed": 4}),
    ]
    assert curve(runs[1], "loss")[0].tolist() == [4, 5, 6, 7]


def test_the_named_x_goes_first(tmp_path):
    write(tmp_path / "a.jsonl", [{"epoch": i, "step": i, "loss": i} for i in range(3)])
    assert list(load(tmp_path, JsonlReader(x="step"))[0].curves[0].x) == ["step", "epoch"]


@pytest.mark.parametrize("split", [r"(?P<split>a", r"(?P<split>train)_.*"])
def test_a_pattern_without_its_groups_is_refused(split):
    with pytest.raises(PlanError, match="split="):
        JsonlReader(split=split)


def test_integers_that_no_float_holds_still_tell_runs_apart(tmp_path):
    big = 2**60
    records = [{"run": big + r, "epoch": e, "loss": e} for e in range(3) for r in (1, 2)]
    write(tmp_path / "a.jsonl", records)
    assert [r.header.key for r in load(tmp_path, JsonlReader(run="run"))] == [
        str(big + 1),
        str(big + 2),
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.one_of(RECORDS, PLAIN), max_size=12), st.data())
def test_no_content_makes_the_reader_raise(tmp_path, records, data):
    text = b"\n".join(json.dumps(record).encode() for record in records)
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.binary(max_size=30)) + text[at:]
    (tmp_path / "a.jsonl").write_bytes(text)
    for reader in (JsonlReader(), JsonlReader(x="step", run="name", config="config")):
        list(reader.find(Tree(list_files(tmp_path))))
        size = LogFile("a.jsonl", len(text), 0)
        source = Source(str(tmp_path), "a.jsonl", (size,))
        headers = list(reader.headers(source))
        assert [run.header for run in reader.read(source, Request(messages=True))] == headers


def test_runs_that_take_turns_are_no_summary_however_many_they_are(tmp_path):
    records = [
        {"run_id": f"worker-{r}", "step": s, "loss": s} for s in range(2) for r in range(999)
    ]
    write(tmp_path / "a.jsonl", records)
    assert len(load(tmp_path)) == 999


def test_a_run_column_of_any_name_is_no_hyperparameter_but_the_seed_is(tmp_path):
    rows = [
        {"job": f"j{seed}", "seed": seed, "lr": 0.1, "step": step, "loss": step + seed}
        for seed in range(3)
        for step in range(4)
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    for run in ("job", "seed"):
        reader = JsonlReader(run=run, x="step")
        (source,) = reader.find(Tree(list_files(tmp_path)))
        headers = reader.headers(source)
        assert len(headers) == 3
        assert ("job" in headers[0].constants) == (run == "seed")
        assert headers[1].constants["seed"] == 1
