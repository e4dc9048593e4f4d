"""Every foreseen error is one line and an exit code."""

import warnings

import pytest
from shell import fails, run

from runcube.cli import logs as cli_logs
from runcube.cli import render


def test_a_wrong_path_names_the_near_one(logs):
    assert fails("table", logs.parent / "lgos").endswith(f"did you mean {logs}?")
    log = logs / "001" / "json_out.jsonl"
    wrong = logs.parent / "log" / "001" / "json_out.jsonl"
    assert fails("table", wrong).endswith(f"did you mean {log}?")
    assert "give the directory of the logs" in fails("explain", logs.parent / "zzz" / "zzz")


@pytest.mark.parametrize("command", ["explain", "table", "problems", "missing", "show"])
def test_a_directory_without_logs_is_one_line(tmp_path, command):
    assert "empty" in fails(command, tmp_path)
    (tmp_path / "notes.txt").write_text("no log")
    assert "no training logs" in fails(command, tmp_path)


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("--metric", "acc"), "metric=acc: no such value; known: acc1, loss"),
        (("--split", "vla"), "split=vla: no such value; known: val, train"),
        (("--where", "lr=0.2"), "lr=0.2: no such value; known: 0.1, 1"),
        (("--where", "lr=high"), "lr=high: no such value; known: 0.1, 1"),
        (("--where", "weights=DEFALT"), "weights=DEFALT: no such value; known: DEFAULT, None"),
        (("--where", "wieghts=None"), "wieghts: no such name; known: weights"),
        (("--at", "epoch=9"), "epoch=9: no such value; known: 2, 1, 0"),
        (("--over", "sed"), "over='sed': no such dim (nearest: 'seed')"),
        (("--exclude", "learning_rate"), "learning_rate"),
        (("--metrics", "acc"), "acc1"),
    ],
)
def test_a_typo_in_a_name_is_one_line_with_the_near_ones(logs, args, told):
    assert told in fails("show", logs, "--all-runs", *args)


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    def refuse(path, **keywords):
        raise PermissionError(13, "Permission denied", "logs/secret")

    monkeypatch.setattr(cli_logs, "load_runs", refuse)
    assert fails("table", tmp_path) == "Error: logs/secret: Permission denied"


def test_the_first_problem_can_be_an_error(logs):
    (logs / "bad").mkdir()
    (logs / "bad" / "json_out.jsonl").write_text("")
    assert "empty" in fails("table", logs, "--errors", "raise")


def test_the_warning_of_a_load_is_told_once_after_the_results(logs):
    (logs / "bad").mkdir()
    (logs / "bad" / "json_out.jsonl").write_text("")
    result = run("table", logs)
    assert result.stderr.startswith(f"warning: {logs}: 11 runs loaded\n")
    assert result.stderr.count("warning:") == 1
    assert "`runcube problems` lists them" in result.stderr
    assert "SweepWarning" not in result.output


def test_other_warnings_are_left_as_they_are():
    with pytest.warns(UserWarning, match="of another kind"), render.warnings_on_stderr():
        warnings.warn("of another kind", UserWarning, stacklevel=1)
