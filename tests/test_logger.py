"""``RunLogger``: what it writes, and what is left when a run dies."""

import enum
import json
import math
import os
import re
import signal
import subprocess
import sys
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcube.logger import RunLogger

TRAINING_TIME = re.compile(r"Training time \d+:\d\d:\d\d")


def records(path):
    """All records of a log; a line that is not one record fails the test."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def texts(path):
    return [record["value"] for record in records(path) if record.get("type") == "str"]


def logged_config(tmp_path, config):
    with RunLogger(tmp_path / "run", config) as log:
        pass
    return records(log.path)[0]["value"]


def logged_stats(tmp_path, metrics):
    with RunLogger(tmp_path / "run", {}) as log:
        log.log("train", metrics)
    return records(log.path)[1]["agg_stats"]


class Tensor:
    """What a framework's scalar tensor looks like from outside."""

    def __init__(self, *values):
        self.values = values

    def item(self):
        if len(self.values) != 1:
            raise RuntimeError(f"a Tensor with {len(self.values)} elements cannot be converted")
        return self.values[0]

    def tolist(self):
        return list(self.values)


def test_a_clean_run_is_header_epochs_records_and_training_time(tmp_path):
    config = {"optim": {"lr": 0.1, "betas": [0.9, 0.99]}, "seed": 0, "weights": None}
    with RunLogger(tmp_path / "run", config) as log:
        log.start_epoch(0)
        log.log("train", {"loss": 2.5, "acc1": 10})
        log.log("val", {"loss": 2.25})
        log.message("two\nlines")
    assert log.path == tmp_path / "run" / "json_out.jsonl"
    *written, end = records(log.path)
    assert written == [
        {"type": "dict_config", "value": config},
        {"type": "str", "value": ">> Start Epoch: 0"},
        {"title": "agg_train", "data_name": "train", "agg_stats": {"loss": 2.5, "acc1": 10}},
        {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 2.25}},
        {"type": "str", "value": "two\nlines"},
        {"type": "str", "value": ""},
    ]
    assert TRAINING_TIME.fullmatch(end["value"])


@pytest.mark.parametrize(
    ("given_path", "written"),
    [
        ("a/b/run_lr0.1", "a/b/run_lr0.1/json_out.jsonl"),
        ("a/metrics.jsonl", "a/metrics.jsonl"),
        ("folder.jsonl", "folder.jsonl/json_out.jsonl"),
    ],
)
def test_a_path_is_a_directory_unless_it_names_a_jsonl_file(tmp_path, given_path, written):
    (tmp_path / "folder.jsonl").mkdir()
    with RunLogger(str(tmp_path / given_path), {}) as log:
        pass
    assert log.path == tmp_path / written
    assert log.path.is_file()


def test_a_file_of_another_name_is_not_written_to(tmp_path):
    other = tmp_path / "notes.txt"
    other.write_text("precious")
    with pytest.raises(FileExistsError, match=r"notes\.txt: expected a directory or a file named"):
        RunLogger(other, {})
    assert other.read_text() == "precious"


def test_each_record_is_in_the_file_when_the_call_returns(tmp_path):
    with RunLogger(tmp_path, {"seed": 1}) as log:
        assert len(records(log.path)) == 1
        log.log("val", {"loss": 1.0})
        assert len(records(log.path)) == 2


def test_nan_and_infinities_are_written_as_python_writes_them(tmp_path):
    stats = {"a": math.nan, "b": math.inf, "c": -math.inf, "d": np.float32("nan")}
    with RunLogger(tmp_path, {"clip": math.inf}) as log:
        log.log("train", stats)
    text = log.path.read_text()
    assert '"clip": Infinity' in text
    assert '{"a": NaN, "b": Infinity, "c": -Infinity, "d": NaN}' in text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.array(2.5), 2.5),
        (np.array([2.5]), 2.5),
        (np.bool_(True), 1),
        (True, 1),
        (Tensor(1.5), 1.5),
        (None, None),
    ],
)
def test_a_metric_is_one_number_whatever_holds_it(tmp_path, value, expected):
    stats = logged_stats(tmp_path, {"m": value})
    assert stats == {"m": expected}
    assert type(stats["m"]) is type(expected)


@pytest.mark.parametrize("value", ["0.5", b"1", [1.0], np.zeros(3), Tensor(1.0, 2.0), object(), {}])
def test_a_metric_that_is_not_one_number_is_named(tmp_path, value):
    with RunLogger(tmp_path, {}) as log:
        with pytest.raises(TypeError, match="metric 'acc': expected one number, got"):
            log.log("train", {"loss": 1.0, "acc": value})
        assert len(records(log.path)) == 1


def test_metrics_keep_their_order_and_keys_become_text(tmp_path):
    stats = logged_stats(tmp_path, OrderedDict([("z", 1.0), (3, 2.0), ("a", 3.0)]))
    assert list(stats.items()) == [("z", 1.0), ("3", 2.0), ("a", 3.0)]


def test_an_epoch_given_with_a_record_stands_beside_its_metrics(tmp_path):
    with RunLogger(tmp_path, {}) as log:
        log.log("val", {"loss": 1.0}, epoch=np.int64(7))
        with pytest.raises(TypeError):
            log.log("val", {"loss": 1.0}, epoch=7.5)
    assert records(log.path)[1]["epoch"] == 7


class Colour(enum.Enum):
    RED = 1


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Path("a") / "b", str(Path("a") / "b")),
        ((1, (2, None)), [1, [2, None]]),
        ({"relu", "gelu", 3}, [3, "gelu", "relu"]),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        (np.float32(0.25), 0.25),
        (np.int16(4), 4),
        (np.bool_(True), True),
        (np.datetime64("2026-01-02"), "2026-01-02"),
        (Tensor(1.0, 2.0), [1.0, 2.0]),
        (Colour.RED, "Colour.RED"),
        (np.ndarray, "<class 'numpy.ndarray'>"),
        (1 + 2j, "(1+2j)"),
        (np.complex128(1 + 2j), "(1+2j)"),
        (b"raw", "b'raw'"),
        (OrderedDict(b=1, a={2: "x", None: True}), {"b": 1, "a": {"2": "x", "None": True}}),
        ("\ud800 \0 \n é", "\ud800 \0 \n é"),
    ],
)
def test_any_value_of_a_configuration_can_be_written(tmp_path, value, expected):
    written = logged_config(tmp_path, {"key": value})
    assert written == {"key": expected}
    assert type(written["key"]) is type(expected)


def test_a_function_is_the_same_value_in_every_run(tmp_path):
    def schedule():
        raise AssertionError

    written = logged_config(tmp_path, {"schedule": schedule, "thing": object()})
    assert "0x" not in json.dumps(written)
    assert "schedule" in written["schedule"]


def test_keys_that_are_the_same_as_text_are_refused_before_a_file_exists(tmp_path):
    with pytest.raises(ValueError, match="keys that are the same as text: 1, '1'"):
        RunLogger(tmp_path / "run", {"layers": {1: "a", "1": "b"}})
    assert not (tmp_path / "run").exists()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=50)
@given(config=st.dictionaries(st.text(), json_values))
def test_json_configurations_come_back_as_they_were(tmp_path_factory, config):
    assert logged_config(tmp_path_factory.mktemp("config"), config) == config


@settings(deadline=None)
@given(metrics=st.dictionaries(st.text(), st.floats() | st.integers()), split=st.text(min_size=1))
def test_metrics_come_back_to_the_last_bit(tmp_path_factory, metrics, split):
    with RunLogger(tmp_path_factory.mktemp("metrics"), {}) as log:
        log.log(split, metrics)
    record = records(log.path)[1]
    assert record["data_name"] == split
    assert record["title"] == f"agg_{split}"
    np.testing.assert_equal(record["agg_stats"], metrics)


def test_a_split_needs_a_name(tmp_path):
    with RunLogger(tmp_path, {}) as log, pytest.raises(ValueError, match="name of a split, got ''"):
        log.log("", {"loss": 1.0})


def test_an_exception_goes_on_and_the_log_tells_it_without_a_training_time(tmp_path):
    log = RunLogger(tmp_path, {})
    log.log("train", {"loss": 1.0})
    with pytest.raises(ZeroDivisionError), log:
        _ = 1 / 0
    assert texts(log.path) == [">> Failed: ZeroDivisionError: division by zero"]
    with pytest.raises(ValueError, match="the log is closed"):
        log.message("more")


def test_an_interrupt_from_the_keyboard_is_not_a_clean_end(tmp_path):
    log = RunLogger(tmp_path, {})
    with pytest.raises(KeyboardInterrupt), log:
        raise KeyboardInterrupt
    assert texts(log.path) == [">> Failed: KeyboardInterrupt"]


def test_close_ends_a_run_once(tmp_path):
    log = RunLogger(tmp_path, {})
    log.close()
    log.close()
    with log:
        pass
    assert [bool(TRAINING_TIME.fullmatch(text)) for text in texts(log.path)] == [False, True]


def test_an_exception_after_close_goes_on(tmp_path):
    log = RunLogger(tmp_path, {})
    log.close()
    with pytest.raises(RuntimeError), log:
        raise RuntimeError
    assert TRAINING_TIME.fullmatch(texts(log.path)[-1])


def test_a_second_attempt_is_appended_with_its_own_configuration(tmp_path):
    for attempt in range(2):
        with RunLogger(tmp_path, {"attempt": attempt}) as log:
            log.log("train", {"loss": 1.0})
    written = [
        record["value"] for record in records(log.path) if record.get("type") == "dict_config"
    ]
    assert written == [{"attempt": 0}, {"attempt": 1}]


@pytest.mark.parametrize("half", [b'{"title": "agg_tr', b'{"a": 1}', b"\0"])
def test_after_half_a_line_the_log_goes_on_at_a_new_one(tmp_path, half):
    with RunLogger(tmp_path, {"attempt": 0}) as log:
        pass
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + half)
    with RunLogger(tmp_path, {"attempt": 1}):
        pass
    data = log.path.read_bytes()
    assert data.startswith(whole + half + b"\n")
    assert json.loads(data[len(whole + half) :].splitlines()[1])["value"] == {"attempt": 1}


def test_an_empty_log_begins_without_a_blank_line(tmp_path):
    (tmp_path / "json_out.jsonl").touch()
    with RunLogger(tmp_path, {}) as log:
        pass
    assert records(log.path)[0] == {"type": "dict_config", "value": {}}


class FullDisk:
    """A file on a disk that takes ``space`` more bytes."""

    closed = False

    def __init__(self, file, space):
        self.file = file
        self.space = space

    def write(self, data):
        if not self.space:
            raise OSError(28, "No space left on device")
        count = self.file.write(data[: self.space])
        self.space -= count
        return count

    def close(self):
        self.file.close()


def test_a_full_disk_costs_the_record_and_not_the_next_one(tmp_path):
    log = RunLogger(tmp_path, {})
    file = log._file
    log._file = FullDisk(file, space=10)
    with pytest.raises(OSError, match="No space left"):
        log.log("train", {"loss": 1.0})
    log._file = file
    with log:
        log.log("train", {"loss": 2.0})
    lines = log.path.read_bytes().splitlines()
    assert len(lines[1]) == 10
    assert json.loads(lines[2])["agg_stats"] == {"loss": 2.0}


def test_a_full_disk_is_the_error_that_the_user_sees(tmp_path):
    log = RunLogger(tmp_path, {})
    log._file = FullDisk(log._file, space=0)
    with pytest.raises(OSError, match="No space left"), log:
        log.log("train", {"loss": 1.0})
    assert log._file.file.closed


KILLED = """
import sys
from runcube.logger import RunLogger

with RunLogger(sys.argv[1], {"seed": 0}) as log:
    for epoch in range(10**9):
        log.log("train", {"loss": 1 / (1 + epoch)}, epoch=epoch)
        if epoch == 50:
            print("ready", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_a_run_killed_in_full_flight_keeps_all_that_it_logged(tmp_path):
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    # At worst the last line is a half one: what ends in a newline is whole.
    *lines, _ = (tmp_path / "json_out.jsonl").read_bytes().split(b"\n")
    header, *rows = map(json.loads, lines)
    assert header == {"type": "dict_config", "value": {"seed": 0}}
    assert len(rows) > 50
    assert [row["epoch"] for row in rows] == list(range(len(rows)))
    assert all(row["agg_stats"] == {"loss": 1 / (1 + row["epoch"])} for row in rows)
