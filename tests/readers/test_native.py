"""The native layout, whole and damaged."""

import gzip
import json
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from native_logs import CONFIG, config, curve, epochs, kinds, read, record, text

from runcube.core.model import Request, Status
from runcube.files.tree import Tree, list_files
from runcube.readers.native.reader import NativeReader


def test_a_whole_log_gives_its_config_curves_texts_and_train_time(tmp_path):
    lines = [config(), *epochs(3), text("Training time 1 day, 2:03:04"), text(">> Done")]
    (log,) = read(tmp_path, lines, messages=True)
    assert log.header.config == CONFIG
    assert curve(log, "train") == {0: 0.0, 1: 1.0, 2: 2.0}
    assert curve(log, "val") == {0: 0.1, 1: 1.1, 2: 2.1}
    assert log.train_time == 86400 + 2 * 3600 + 3 * 60 + 4
    assert log.marker is Status.COMPLETE
    assert log.messages[-1] == ">> Done"
    assert log.problems == []
    assert (log.splits, log.metrics) == (("train", "val"), ("loss",))


def test_without_markers_the_epoch_is_the_count_per_split(tmp_path):
    lines = [config(), record("val", loss=9), *epochs(2, marker=False)]
    (log,) = read(tmp_path, lines)
    assert curve(log, "val") == {0: 9, 1: 0.1, 2: 1.1}
    assert curve(log, "train") == {0: 0.0, 1: 1.0}


def test_a_marker_says_the_epoch_outright(tmp_path):
    (log,) = read(tmp_path, [config(), *epochs(2, start=7)])
    assert list(curve(log, "val")) == [7, 8]


def test_an_evaluation_before_the_first_epoch_overwrites_nothing(tmp_path):
    (log,) = read(tmp_path, [config(), record("val", loss=9), *epochs(2)])
    assert curve(log, "val") == {-1: 9, 0: 0.1, 1: 1.1}


@pytest.mark.parametrize("key", ["epoch", "step"])
def test_a_record_with_its_own_x_is_believed(tmp_path, key):
    lines = [config()]
    lines += [
        json.dumps({"data_name": "val", "agg_stats": {"loss": i}, key: 10 * i}) for i in (1, 2)
    ]
    (log,) = read(tmp_path, lines)
    assert log.curves[0].x[key].tolist() == [10, 20]
    assert set(log.curves[0].x) == {key}


def test_numbers_beside_the_statistics_are_metrics_too(tmp_path):
    line = json.dumps({"data_name": "val", "agg_stats": {"loss": 1}, "grad_norm": 2.5})
    (log,) = read(tmp_path, [config(), line])
    assert curve(log, "val", "grad_norm") == {0: 2.5}


def test_a_metric_in_and_beside_the_statistics_is_named(tmp_path):
    line = json.dumps({"data_name": "val", "agg_stats": {"lr": 0.1}, "lr": 0.9})
    (log,) = read(tmp_path, [config(), line])
    assert curve(log, "val", "lr") == {0: 0.1}
    assert kinds(log) == [("clashing_key", 2)]


def test_a_metric_that_first_appears_late_is_kept(tmp_path):
    lines = [config(), *epochs(20), record("val", acc=1.0, loss=2.0)]
    (log,) = read(tmp_path, lines)
    assert curve(log, "val", "acc") == {20: 1.0}
    assert log.metrics == ("loss", "acc")
    assert len(curve(log, "train")) == 20


def test_a_logged_nan_is_not_a_missing_point(tmp_path):
    lines = [config(), record("val", loss=1.0), '{"data_name": "val", "agg_stats": {"loss": NaN}}']
    lines += [
        '{"data_name": "val", "agg_stats": {"loss": null}}',
        record("val", loss=float("-inf")),
    ]
    (log,) = read(tmp_path, lines)
    curves = log.curves[0]
    np.testing.assert_array_equal(curves.values[0], [1.0, np.nan, np.nan, -np.inf])
    assert curves.logged[0].tolist() == [True, True, False, True]
    assert log.problems == []


def test_ints_bools_text_and_nested_metrics(tmp_path):
    top = {"k1": 1, "k5": 2}
    stats = {"n": 3, "ok": True, "text": "0.5", "top": top, "hist": ["a"], "s": "x"}
    (log,) = read(tmp_path, [config(), record("val", **stats), record("val", **stats)])
    assert curve(log, "val", "n") == {0: 3, 1: 3}
    assert curve(log, "val", "ok") == {0: 1, 1: 1}
    assert curve(log, "val", "text") == {0: 0.5, 1: 0.5}
    assert curve(log, "val", "top/k5") == {0: 2, 1: 2}
    assert kinds(log) == [("text_number", 2), ("non_numeric", 2), ("non_numeric", 2)]
    assert "'hist': 2 values" in log.problems[1].message


def test_nan_and_infinity_in_a_config_are_values(tmp_path):
    line = '{"type": "dict_config", "value": {"clip": Infinity, "a": NaN}}'
    (log,) = read(tmp_path, [line, *epochs(2)])
    assert log.header.config["clip"] == np.inf
    assert np.isnan(log.header.config["a"])
    assert len(curve(log, "val")) == 2


def test_half_a_line_at_the_end_costs_that_line(tmp_path):
    data = "\n".join([config(), *epochs(3)]).encode()
    cut = data[: data.rindex(b'"loss"') + 8]
    (log,) = read(tmp_path, cut)
    assert kinds(log) == [("truncated_tail", 12)]
    assert curve(log, "train") == {0: 0.0, 1: 1.0, 2: 2.0}
    assert curve(log, "val") == {0: 0.1, 1: 1.1}


def test_a_record_that_continues_half_a_line_is_kept(tmp_path):
    lines = [config(), *epochs(3)]
    half = lines[-2][:30]
    resumed = [*lines[:-2], half + text(">> Start Epoch: 2"), *epochs(1, start=2)[1:]]
    (log,) = read(tmp_path, resumed)
    assert [k for k, _ in kinds(log)] == ["bad_line"]
    assert curve(log, "val") == {0: 0.1, 1: 1.1, 2: 2.1}


def test_a_lost_record_shifts_no_epoch(tmp_path):
    lines = [config(), *epochs(6, marker=False)]
    victim = lines.index(record("val", loss=2.1))
    lines[victim] = "\x00garbage"
    (log,) = read(tmp_path, lines)
    assert curve(log, "val") == {0: 0.1, 1: 1.1, 3: 3.1, 4: 4.1, 5: 5.1}
    assert len(curve(log, "train")) == 6
    assert kinds(log) == [("bad_line", victim + 1), ("nul_bytes", victim + 1)]


@pytest.mark.parametrize("lost", range(6))
def test_a_lost_marker_shifts_no_epoch(tmp_path, lost):
    lines = [config(), *epochs(6)]
    lines[lines.index(text(f">> Start Epoch: {lost}"))] = "{broken"
    (log,) = read(tmp_path, lines)
    assert curve(log, "val") == {e: e + 0.1 for e in range(6)}


def test_a_second_header_begins_a_new_attempt(tmp_path):
    lines = [config(), *epochs(2), config(), *epochs(4)]
    first, second = read(tmp_path, lines)
    assert (first.attempt, second.attempt) == (0, 1)
    assert len(curve(first, "val")) == 2
    assert len(curve(second, "val")) == 4


def test_no_config_line_is_named_and_the_curves_are_read(tmp_path):
    (log,) = read(tmp_path, epochs(2))
    assert not log.header.has_config
    assert kinds(log) == [("no_config", None)]
    assert len(curve(log, "val")) == 2


def test_other_records_are_no_metrics(tmp_path):
    other = json.dumps({"type": "list", "value": [1, 2]})
    (log,) = read(tmp_path, [config(), other, *epochs(2)], messages=True)
    assert "[1, 2]" in log.messages
    assert log.problems == []


def test_what_is_not_asked_for_is_left_out(tmp_path):
    lines = [config(), record("train", loss=1, lr=2), record("val", loss=3, acc=4)]
    (log,) = read(tmp_path, lines, splits=frozenset({"val"}), metrics=frozenset({"acc"}))
    assert [(c.split, c.metrics) for c in log.curves if c.metrics] == [("val", ("acc",))]
    assert log.splits == ("train", "val")
    assert log.metrics == ("loss", "lr", "acc")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"\n\n"),
        lambda data: data.rstrip(b"\n"),
        lambda data: data + b" \n\t\n",
    ],
    ids=["bom", "crlf", "blank lines", "no newline at the end", "spaces"],
)
def test_ways_to_end_a_line_change_nothing(tmp_path, change):
    data = "\n".join([config(), *epochs(4), text("Training time 0:00:07")]).encode() + b"\n"
    (log,) = read(tmp_path, change(data))
    assert curve(log, "val") == {e: e + 0.1 for e in range(4)}
    assert log.train_time == 7
    assert log.problems == []


def test_nuls_change_nothing_and_are_named_once(tmp_path):
    data = "\n".join([config(), *epochs(4)]).encode() + b"\n"
    (log,) = read(tmp_path, data.replace(b"\n", b"\0\n", 2) + b"\0" * 4000)
    assert curve(log, "val") == {e: e + 0.1 for e in range(4)}
    assert [str(p) for p in log.problems] == [
        "line 1: nul_bytes: 4,002 NUL bytes from this line on, taken for blanks"
    ]


def test_gzip_is_read_and_a_cut_one_up_to_the_cut(tmp_path):
    data = "\n".join([config(), *epochs(200)]).encode()
    packed = gzip.compress(data)
    (log,) = read(tmp_path, packed, "a.jsonl.gz")
    assert len(curve(log, "val")) == 200
    (cut,) = read(tmp_path, packed[: len(packed) // 2], "a.jsonl.gz")
    assert 10 < len(curve(cut, "val")) < 200
    assert "gzip" in cut.problems[-1].message


def test_a_ten_megabyte_line_is_a_line(tmp_path):
    lines = [config({**CONFIG, "blob": "x" * 10_000_000}), *epochs(2)]
    (log,) = read(tmp_path, lines)
    assert len(log.header.config["blob"]) == 10_000_000
    assert len(curve(log, "val")) == 2


def test_a_file_that_is_still_written_is_read_as_far_as_it_goes(tmp_path):
    reader = NativeReader()
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([config(), *epochs(2)]) + "\n")
    (source,) = reader.find(Tree(list_files(tmp_path)))
    with path.open("a") as stream:
        stream.write("\n".join(epochs(1, start=2)) + '\n{"type": "s')
    (log,) = reader.read(source, Request())
    assert len(curve(log, "val")) == 3
    assert [k for k, _ in kinds(log)] == ["truncated_tail"]


stats = st.dictionaries(
    st.sampled_from(["loss", "acc", "top/k", "é", "µ ß"]),
    st.one_of(st.none(), st.booleans(), st.floats(), st.integers(-(2**53), 2**60)),
)
steps = st.one_of(st.none(), st.booleans(), st.integers(-3, 2**60), st.floats(-2, 2))


@given(
    rows=st.lists(st.tuples(st.sampled_from(["train", "val", "ev al"]), stats), max_size=25),
    damage=st.integers(0, 60),
    own=st.lists(steps, max_size=25),
)
@example(
    rows=[("val", {}), ("val", {"acc": 0.0}), ("train", {"loss": 0.0, "acc": 0.0})],
    damage=0,
    own=[],
)
@example(rows=[("val", {"acc": 1.0}), ("val", {"loss": 0.5, "acc": 1.0})], damage=0, own=[])
@example(rows=[("val", {"acc": math.nan}), ("val", {"acc": None})], damage=0, own=[1, None])
@example(rows=[("val", {}), ("val", {}), ("val", {}), ("train", {})], damage=1, own=[])
def test_both_roads_read_the_same(tmp_path_factory, rows, damage, own):
    """A list record at the end sends the whole log down the exact road."""
    lines = [config(), *(record(split, **row) for split, row in rows)]
    for i, step in enumerate(own[: len(rows)]):
        lines[i + 1] = f'{lines[i + 1][:-1]}, "step": {json.dumps(step)}}}'
    lines.insert(damage % len(lines) + 1, text(">> a text"))
    (typed,) = read(tmp_path_factory.mktemp("a"), lines)
    (exact,) = read(tmp_path_factory.mktemp("b"), [*lines, '{"no record": 1}'])
    assert kinds(exact) == [*kinds(typed), ("bad_line", len(lines) + 1)]
    assert exact.metrics == typed.metrics
    for one, other in zip(typed.curves, exact.curves, strict=True):
        assert (one.split, one.metrics) == (other.split, other.metrics)
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.logged, other.logged)
        assert list(one.x) == list(other.x)
        for name, along in one.x.items():
            np.testing.assert_array_equal(along, other.x[name])
        np.testing.assert_array_equal(one.lines, other.lines)


def test_a_log_that_diverged_is_continued_where_it_was_left(tmp_path):
    path = tmp_path / "a.jsonl"
    nans = [record("train", loss=math.nan, acc=None), record("val", loss=-math.inf)]
    lines = [config(), *epochs(1), record("train", loss=0.5, acc=1), *nans]
    path.write_text("\n".join(lines) + "\n")
    reader = NativeReader()
    (source,) = reader.find(Tree(list_files(tmp_path)))
    (before,) = reader.read(source, Request())
    with path.open("a") as stream:
        stream.write("\n".join([text(">> Start Epoch: 1"), *nans, record("val", loss=2)]) + "\n")
    (source,) = reader.find(Tree(list_files(tmp_path)))
    more = reader.read_more(source, Request(), before)
    (whole,) = reader.read(source, Request())
    assert more is not None
    for one, other in zip(more.curves, whole.curves, strict=True):
        assert (one.split, one.metrics) == (other.split, other.metrics)
        np.testing.assert_array_equal(one.values, other.values)
        np.testing.assert_array_equal(one.logged, other.logged)
        np.testing.assert_array_equal(one.x["epoch"], other.x["epoch"])
    assert np.isnan(whole.curves[0].values).sum() == 2 + (~whole.curves[0].logged).sum()


@pytest.mark.parametrize(
    ("lines", "numbers", "problem"),
    [
        ([record("val", loss=20) + record("val", loss=21), ""], [22, 22], "joined_lines"),
        (["", record("val", loss=20) + " " + record("val", loss=21)], [23, 23], "joined_lines"),
        (
            [record("val", loss=20).replace(" ", "\n", 1) + record("val", loss=21)],
            [23],
            "bad_line",
        ),
    ],
    ids=["two and none", "none and two", "one on two lines, before another"],
)
def test_as_many_records_as_lines_are_not_yet_one_a_line(tmp_path, lines, numbers, problem):
    before = [record("val", loss=i) for i in range(20)]
    (log,) = read(tmp_path, [config(), *before, *lines])
    (curves,) = log.curves
    assert curves.lines.tolist() == [*range(2, 22), *numbers]
    assert problem in [kind for kind, _ in kinds(log)]


def test_logs_of_one_length_and_other_patterns_keep_their_own(tmp_path):
    first = [config(), *epochs(2), text("Training time 0:00:01")]
    swapped = [config(), *epochs(2, splits=("val", "train")), text("Training time 0:00:02")]
    later = [config(), *epochs(2, start=5), text("Training time 0:00:03")]
    for lines, at, time in ((first, 0, 1), (swapped, 0, 2), (later, 5, 3), (first, 0, 1)):
        (log,) = read(tmp_path, lines)
        tenths = 0.1 if lines is swapped else 0.0
        assert curve(log, "train") == {at: at + tenths, at + 1: at + 1 + tenths}
        assert log.train_time == time
    marked_late = [*first[:-1], text(">> Start Epoch: 9")]
    (log,) = read(tmp_path, marked_late)
    assert curve(log, "train") == {0: 0.0, 1: 1.0}
    assert np.isnan(log.train_time)
