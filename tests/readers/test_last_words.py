"""How a run ended by its own word: exceptions and interruptions behind its last value."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonl_logs import load, write
from native_logs import config, epochs, read, record, text

import runcube as rc
from runcube.core.model import Remarks, Request, Status
from runcube.readers.last_words import ending_said, joined_remarks, kind_of, remarks_of
from runcube.readers.native.reader import NativeReader

C, N, F = Status.COMPLETE, Status.INCOMPLETE, Status.FAILED
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 3, in <module>\n'


@pytest.mark.parametrize(
    ("said", "ending"),
    [
        (">> Failed: RuntimeError: CUDA out of memory", F),
        (">> Failed: MyOwnTrouble", F),
        (">> Failed: KeyboardInterrupt", N),
        (">> Failed: SystemExit: 143", N),
        ("RuntimeError: CUDA out of memory", F),
        ("torch.cuda.OutOfMemoryError: tried to allocate", F),
        ("KeyError: 3", F),
        ("AssertionError", F),
        ("[rank0]: ValueError: no", F),
        ("[2026-01-01 10:00:00,123][__main__][ERROR] - RuntimeError: no", F),
        ("ERROR:root:KeyError: 'lr'", F),
        (TRACEBACK + "omegaconf.errors.Missing: lr", F),
        (TRACEBACK + "KeyboardInterrupt", N),
        ("Fatal: caught SIGSEGV", None),
        ("Received SIGTERM, writing a checkpoint", N),
        ("UserWarning: the scheduler was called first", None),
        ("MeanSquaredError: 0.25", None),
        ("Error: 0.25", None),
        ("Validation Error: 0.25", None),
        ("trying again after ConnectionError: timeout", None),
        ("lost", None),
        ("[" * 5000, None),
        ("A" * 100_000 + ":", None),
    ],
)
def test_an_exception_is_told_by_its_form_and_an_interruption_by_what_raises_it(said, ending):
    assert ending_said([said]) is ending
    assert ending_said(["checkpoint 3", said, "bye"]) is ending


def test_failure_goes_before_an_interruption():
    assert ending_said(["KeyboardInterrupt", "RuntimeError: worker is gone"]) is F


def test_a_kind_of_text_has_no_digits_and_no_trouble():
    assert kind_of("Saved to run_3/epoch 12.5") == kind_of("Saved to run_14/epoch 2")
    assert kind_of("done", "event") != kind_of("done", "phase")
    assert {kind_of(t) for t in ("", "  ", "job cancelled", "CUDA error", "loss is nan")} == {""}


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from("abcd")), max_size=8),
    st.integers(0, 8),
)
def test_the_remarks_of_a_log_that_grew_are_those_of_the_whole(entries, cut):
    def remarks(part):
        last = max((i for i, (is_value, _) in enumerate(part) if is_value), default=-1)
        texts = [(i, kind_of(word)) for i, (is_value, word) in enumerate(part) if not is_value]
        return remarks_of([k for i, k in texts if i < last], [k for i, k in texts if i > last])

    before, more = entries[:cut], entries[cut:]
    has_values = any(is_value for is_value, _ in more)
    assert joined_remarks(remarks(before), remarks(more), has_values=has_values) == remarks(entries)


def test_a_log_with_too_many_kinds_of_text_shows_none():
    words = ["".join(chr(97 + i // 26**k % 26) for k in range(3)) for i in range(300)]
    every = remarks_of((), map(kind_of, words))
    assert every.behind == frozenset()
    assert joined_remarks(every, Remarks(), has_values=True) == every


failed, closed = text(">> Failed: RuntimeError: no"), text("Training time 0:00:09")
nan = record("train", loss=float("nan"))


@pytest.mark.parametrize("odd", [[], [nan]], ids=["typed", "exact"])
@pytest.mark.parametrize(
    ("lines", "ending"),
    [
        ([*epochs(2), closed], C),
        ([*epochs(2), failed], F),
        ([*epochs(2), text("KeyboardInterrupt")], N),
        ([*epochs(2), failed, *epochs(2, 2)], None),
        ([*epochs(2), failed, *epochs(2, 2), closed], C),
        ([*epochs(2), closed, *epochs(2, 2)], None),
        ([*epochs(2), failed, closed], F),
        ([*epochs(2), closed, failed], F),
        ([failed, *epochs(2)], None),
    ],
)
def test_what_a_native_log_says_last_counts_on_both_roads(tmp_path, odd, lines, ending):
    (log,) = read(tmp_path, [config(), *odd, *lines])
    assert log.marker is ending
    assert log.remarks is not None


@pytest.mark.parametrize("cut", range(3, 9))
def test_a_native_log_that_has_grown_says_what_the_whole_says(tmp_path, cut):
    reader = NativeReader()
    lines = [config(), *epochs(2), text("hello 1"), closed, *epochs(1, 2), text("hello 2"), failed]
    (whole,) = read(tmp_path, lines)
    (before,) = read(tmp_path, lines[:cut])
    path = tmp_path / "run" / "json_out.jsonl"
    path.write_text("\n".join(lines) + "\n")
    grown = reader.read_more(whole.header.source, Request(), before)
    assert (grown.marker, grown.remarks) == (whole.marker, whole.remarks)
    assert grown.train_time == whole.train_time == 9


ROWS = [{"epoch": e, "loss": 1.0 - e / 8} for e in range(4)]


@pytest.mark.parametrize(
    ("behind", "ending"),
    [
        ([], None),
        ([{"message": "RuntimeError: no"}], F),
        ([{"event": "end", "detail": TRACEBACK + "ValueError: no"}], F),
        ([{"epoch": 4, "error": "torch.cuda.OutOfMemoryError: no"}], F),
        (["[rank0]: RuntimeError: no"], F),
        ([TRACEBACK.splitlines()[0], "KeyboardInterrupt"], N),
        ([{"message": "RuntimeError: no"}, {"epoch": 4, "loss": 0.5}], None),
        ([{"epoch": 4, "loss": 0.5, "message": "RuntimeError: no"}], F),
        ([{"_summary": {"best": 0.5}}], None),
    ],
)
def test_what_json_lines_and_text_logs_say_last_counts(tmp_path, behind, ending):
    write(tmp_path / "a.jsonl", [{"config": {"lr": 0.1}}, *ROWS, *behind])
    (run,) = load(tmp_path)
    assert run.marker is ending


def test_each_run_of_a_log_has_its_own_last_words(tmp_path):
    rows = [{"run_id": r, **row} for row in ROWS for r in "ab"]
    rows += [{"run_id": "a", "message": "RuntimeError: no"}, {"run_id": "b", "final": 0.5}]
    write(tmp_path / "all.jsonl", rows)
    a, b = load(tmp_path)
    assert (a.marker, b.marker) == (F, None)
    assert b.remarks.behind == {"final"}


def test_a_kind_of_record_is_its_keys_and_a_kind_of_text_its_words(tmp_path):
    event = {"event": "saved 3"}
    rows = [{"config": {"lr": 0.1}}, *ROWS[:2], {"test": 1.0}, event, *ROWS[2:], {"test": 2.0}]
    write(tmp_path / "a.jsonl", [*rows, {"event": "saved 4"}, {"event": "over"}, {"n": 1, "m": 2}])
    (run,) = load(tmp_path)
    assert run.remarks.behind == {"test", "m, n", "'event=saved #'", "'event=over'"}
    assert run.remarks.before == {"test", "'event=saved #'"}


def test_what_ray_says_counts_and_failure_before_all_else(tmp_path):
    def trial(name, *last, error=False):
        rows = [{"training_iteration": i, "loss": 1.0 / i, "time_total_s": i} for i in (1, 2)]
        folder = tmp_path / name
        write(folder / "result.json", [*rows[:1], rows[1] | dict(last)])
        (folder / "params.json").write_text(json.dumps({"lr": ord(name)}))
        if error:
            (folder / "error.txt").write_text("Failure\n")

    trial("a", ("done", True))
    trial("b", ("done", True), ("note", "RuntimeError: no"))
    trial("c", ("done", True), error=True)
    ds = rc.load_runs(tmp_path, parallel=False, layout="configs")
    assert dict(zip(ds.path.values.ravel(), ds.status.values.ravel(), strict=True)) == {
        "a/result.json": "complete",
        "b/result.json": "failed",
        "c/result.json": "failed",
    }
