"""What becomes of names and values in the native layout, and where its records stand along x."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from native_logs import config, curve, epochs, kinds, read, record, text

import runcube as rc


@given(names=st.lists(st.text(), min_size=1, max_size=4, unique=True))
@example(names=["layer\\w", 'say "x"', "\x01", "\n"])
@example(names=["\ud800", "😀", "\u2028", ""])
@example(names=["type", "value", "title", "data_name", "agg_stats", "__proto__", "__init__"])
def test_what_the_logger_writes_is_read_back_under_its_name(tmp_path_factory, names):
    root = tmp_path_factory.mktemp("log")
    with rc.RunLogger(root / "run", {"lr": 0.1}) as log:
        for epoch in range(2):
            log.log("val", {name: epoch + i / 10 for i, name in enumerate(names)})
    (run,) = read(root, log.path.read_bytes())
    assert run.metrics == tuple(names)
    assert run.problems == []
    for i, name in enumerate(names):
        assert curve(run, "val", name) == {0: i / 10, 1: 1 + i / 10}


def test_lists_of_numbers_of_one_length_are_metrics(tmp_path):
    lines = [config(), *(record("val", grad=[i, i + 0.5], loss=float(i)) for i in range(3))]
    (log,) = read(tmp_path, lines)
    assert log.metrics == ("grad/0", "grad/1", "loss")
    assert curve(log, "val", "grad/1") == {0: 0.5, 1: 1.5, 2: 2.5}
    assert log.problems == []


def test_other_lists_are_named_once(tmp_path):
    stats = {"names": ["a"], "long": list(range(33)), "pairs": [[1, 2]], "gaps": [1, None]}
    lines = [config()]
    lines += [record("val", **stats, ragged=list(range(i + 1)), none=[]) for i in range(3)]
    (log,) = read(tmp_path, lines)
    assert log.metrics == ()
    assert kinds(log) == [("non_numeric", 2)] * 6
    assert all("3 values no number" in p.message for p in log.problems)


def test_one_damaged_list_costs_the_others_nothing(tmp_path):
    lines = [config(), *(record("val", top=[i, 1]) for i in range(4)), record("val", top=[1])]
    (log,) = read(tmp_path, lines)
    assert curve(log, "val", "top/0") == {0: 0, 1: 1, 2: 2, 3: 3}
    assert kinds(log) == [("non_numeric", 6)]


def test_two_values_under_one_name_are_named_with_their_count(tmp_path):
    stats = {"a/b": 1.0, "a": {"b": 2.0, "0": 5.0}, "l": [7, 8], "l/0": 9.0}
    (log,) = read(tmp_path, [config(), record("val", **stats), record("val", **stats)])
    assert curve(log, "val", "a/b") == {0: 1, 1: 1}
    assert curve(log, "val", "l/0") == {0: 9, 1: 9}
    assert curve(log, "val", "l/1") == {0: 8, 1: 8}
    assert kinds(log) == [("clashing_key", 2), ("clashing_key", 2)]
    assert all("': 2 values left out" in p.message for p in log.problems)


def test_one_key_of_several_splits_is_one_problem(tmp_path):
    lines = [config(), record("train", note="x"), record("val", note="y"), record("val", note="z")]
    (log,) = read(tmp_path, lines)
    assert [str(p) for p in log.problems] == [
        "line 2: non_numeric: 'note': 3 values no number, the first 'x'"
    ]


def test_what_is_only_null_is_no_metric(tmp_path):
    (log,) = read(tmp_path, [config(), record("val", loss=1, gone=None), record("val", loss=2)])
    assert log.metrics == ("loss",)
    assert log.problems == []


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ({"type": "str", "value": "hello", "step": 3}, "step"),
        ({"type": "str", "value": "hello", "more": {"a": "b"}}, "more/a"),
        ({"data_name": "val", "agg_stats": {"loss": 1.0}, "note": "x"}, "note"),
        ({"data_name": "val", "agg_stats": {"loss": 1.0}, "value": "x"}, "value"),
        ({"data_name": "val", "agg_stats": {"loss": 1.0}, "step": "x"}, "step"),
        ({"data_name": "val", "title": "ema", "agg_stats": {"loss": 1.0}}, "title"),
    ],
)
def test_what_has_no_place_is_named(tmp_path, entry, name):
    steps = [
        json.dumps({"data_name": "val", "agg_stats": {"loss": 1.0}, "step": i}) for i in (1, 2)
    ]
    (log,) = read(tmp_path, [config(), *steps, json.dumps(entry), json.dumps(entry)])
    (problem,) = log.problems
    assert problem.message.startswith(f"'{name}': 2 values ")
    assert problem.line == 4


def test_what_stands_beside_a_configuration_is_named(tmp_path):
    header = json.dumps({"type": "dict_config", "value": {"lr": 1}, "host": "a"})
    (log,) = read(tmp_path, [header, *epochs(1)])
    assert log.header.config == {"lr": 1}
    assert kinds(log) == [("extra_key", 1)]


def test_objects_of_another_layout_are_named_by_their_keys(tmp_path):
    foreign = [json.dumps({"epoch": i, "loss": i / 3}) for i in range(3)]
    (log,) = read(tmp_path, [config(), *epochs(2), *foreign])
    assert kinds(log) == [("bad_line", 10)]
    assert "'epoch', 'loss'" in log.problems[0].message
    assert "3 times" in log.problems[0].message
    assert curve(log, "val") == {0: 0.1, 1: 1.1}


def samples(n, marker=True):
    for epoch in range(n):
        yield from [text(f">> Start Epoch: {epoch}")] * marker
        yield json.dumps({"data_name": "train", "agg_stats": {"loss": 1.0}, "samples": 100 * epoch})
        yield record("val", loss=2.0)


@pytest.mark.parametrize("marker", [True, False])
@pytest.mark.parametrize("ending", [[], ["{"]], ids=["typed", "exact"])
def test_a_count_in_some_splits_only_cancels_no_epoch(tmp_path, marker, ending):
    (log,) = read(tmp_path, [config(), *samples(3, marker), *ending])
    train, val = log.curves
    assert train.x["epoch"].tolist() == val.x["epoch"].tolist() == [0, 1, 2]
    assert train.x["samples"].tolist() == [0, 100, 200]
    assert list(val.x) == ["epoch"]


def test_the_epoch_is_x_where_some_records_count_samples(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "json_out.jsonl").write_text("\n".join([config(), *samples(3)]) + "\n")
    ds = rc.load_runs(tmp_path, parallel=False)
    assert ds.epoch.values.tolist() == [0, 1, 2]
    assert ds.samples.values.tolist() == [0, 100, 200]
    assert ds.logged.all()


@pytest.mark.parametrize("ending", [[], ["{"]], ids=["typed", "exact"])
def test_a_record_without_the_epoch_of_the_others_has_that_of_the_marker(tmp_path, ending):
    lines = [config(), *epochs(4)]
    for at, line in enumerate(lines):
        if "val" in line and "1.1" not in line and "agg" in line:
            entry = json.loads(line)
            lines[at] = json.dumps({**entry, "epoch": int(entry["agg_stats"]["loss"])})
    (log,) = read(tmp_path, [*lines, *ending])
    assert curve(log, "val") == {0: 0.1, 1: 1.1, 2: 2.1, 3: 3.1}


def test_a_step_on_every_record_is_believed_with_markers_too(tmp_path):
    lines = [config()]
    for epoch in range(3):
        lines.append(text(f">> Start Epoch: {epoch}"))
        for split in ("train", "val"):
            entry = {"data_name": split, "agg_stats": {"loss": 1.0}, "step": 50 * epoch}
            lines.append(json.dumps(entry))
    (log,) = read(tmp_path, lines)
    assert [list(c.x) for c in log.curves] == [["step"], ["step"]]


def test_not_a_number_is_no_place_along_a_curve(tmp_path):
    line = '{"data_name": "val", "agg_stats": {"loss": 1}, "step": NaN}'
    (log,) = read(tmp_path, [config(), line, record("val", loss=2)])
    assert curve(log, "val") == {0: 1, 1: 2}
    assert np.isfinite(log.curves[0].values).all()
    assert kinds(log) == [("non_numeric", 2)]


def test_an_x_that_stands_twice_is_never_taken_from_the_statistics(tmp_path):
    stats = {"a/step": 7, "loss": 1}
    line = json.dumps({"data_name": "val", "agg_stats": stats, "a": {"step": 10}, "a/step": 11})
    (log,) = read(tmp_path, [config(), line])
    (curves,) = log.curves
    assert curves.x["a/step"].tolist() == [10]
    assert ("clashing_key", 2) in kinds(log)
