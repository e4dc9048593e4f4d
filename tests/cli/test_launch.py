"""Runs that are missing, as a launcher or a shell takes them; logs that are still to come."""

import json
import shlex
import subprocess
import time

import pytest
import sweeps
import yaml
from shell import FULL, command, fails, in_terminal, ok, rows, run


def test_missing_runs_as_yaml_are_those_of_json(logs):
    assert yaml.safe_load(ok("missing", logs, "--format", "yaml")) == rows("missing", logs)
    assert ok("missing", logs, "--format", "json") == ok("missing", logs, "--json")


def test_missing_runs_as_command_lines(logs):
    text = ok("missing", logs, "--format", "python t.py --lr {lr} {{x}} w={model.weights} {seed}")
    missing = rows("missing", logs)
    assert text.splitlines() == [
        "python t.py --lr {} {{x}} w={} {}".format(
            run["optim.lr"], json.dumps(run["model.weights"]).strip('"'), run["seed"]
        )
        for run in missing
    ]
    form = "{status} {path} {epochs}"
    assert ok("missing", logs, "--format", form).splitlines()[1].startswith("incomplete ")


@pytest.mark.parametrize(
    "value", ["two words", "it's", "a\nb", "$(rm -rf x)", "a\x1bb", "\u202eabc", "it's\x07", "\\"]
)
def test_values_are_one_word_of_a_shell(tmp_path, value):
    configs = sweeps.product_configs(a=[value, "b"], lr=[0.1, 1.0])
    sweeps.write_sweep(tmp_path, configs, [0, 1], leave_out=[(0, 0), (3, 1)])
    line = ok("missing", tmp_path, "--format", "printf %s {a}").splitlines()[0]
    assert "\x1b" not in line
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout == value
    assert len(shlex.split(ok("missing", tmp_path, "--format", "{lr} {seed}"))) == 4


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("--lr {lrr}", "no key 'lrr' (nearest: 'lr'"),
        ("yml", "expected yaml, json, or a text with fields"),
        ("{lr", "are braces"),
        ("{lr:.3f}", "a name alone"),
    ],
)
def test_a_form_that_is_none_is_named(logs, form, said):
    assert said in fails("missing", logs, "--format", form)


def test_a_key_that_some_runs_lack_makes_no_command_line(tmp_path):
    configs = [
        {"optim": {"name": "sgd", "momentum": 0.9}, "lr": 0.1},
        {"optim": {"name": "adam"}, "lr": 0.1},
    ]
    sweeps.write_sweep(tmp_path, configs, [0, 1, 2], leave_out=[(0, 0), (1, 1)])
    assert "no value of 'optim.momentum'" in fails(
        "missing", tmp_path, "--format", "{optim_name} {momentum}"
    )


def test_commands_take_several_directories(tmp_path):
    for number, day in enumerate(("day1", "day2")):
        sweeps.write_sweep(
            tmp_path / day, FULL, [0, 1], value=lambda *at, n=number: float(at[1] + n)
        )
    days = (tmp_path / "day1", tmp_path / "day2")
    assert {row["root"] for row in rows("table", *days)} == {"day1", "day2"}
    assert "2 root" in ok("explain", *days)
    assert rows("missing", *days) == rows("problems", *days) == []
    (told,) = rows("archive", *days, "-o", tmp_path / "a.nc")
    assert told["runs"] == 16
    (told,) = rows("update", tmp_path / "a.nc", *days)
    assert told["runs"] == 16
    assert rows("verify", tmp_path / "a.nc", *days) == []
    (look,) = rows("watch", *days, tmp_path / "b.nc", "--times", "1")
    assert look["complete"] == 16
    assert "is an archive" in fails("table", days[0], tmp_path / "a.nc")
    assert "no such file" in fails("table", days[0], tmp_path / "day3")


def test_globs_are_options(logs):
    (logs / "agg").mkdir()
    (logs / "agg" / "mean.jsonl").write_text('{"epoch": 1, "loss": 2}\n' * 3)
    assert len(rows("problems", logs)) == 1
    assert rows("problems", logs, "--ignore", "agg") == []
    assert rows("problems", logs, "--files", "**/json_out.jsonl") == []
    assert "matches none" in fails("table", logs, "--files", "*.log")


@pytest.mark.parametrize("there", [True, False])
def test_watch_waits_for_the_first_log(tmp_path, there):
    root, out = tmp_path / "logs", tmp_path / "sweep.nc"
    if there:
        root.mkdir()
    args = command("watch", root, out, "--every", "0.2", "--times", "200", "--json")
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as done:
        first = json.loads(done.stdout.readline())
        assert (first["complete"], first["best"]) == (0, None)
        sweeps.write_sweep(root, FULL, [0])
        end = time.monotonic() + 30
        while time.monotonic() < end and json.loads(done.stdout.readline())["complete"] < 4:
            pass
        assert time.monotonic() < end
        done.kill()
    assert out.exists()


def test_watch_says_what_it_waits_for(tmp_path):
    told = ok("watch", tmp_path / "no", tmp_path / "sweep.nc", "--times", "1")
    assert "waiting for the first log" in told


def test_watch_uses_the_width_of_the_terminal(logs, tmp_path):
    shown, code = in_terminal("watch", logs, tmp_path / "a.nc", "--times", "1", width=150)
    assert code == 0
    best = [line for line in shown.splitlines() if "best val" in line]
    assert best
    assert all("complete)" in line for line in best)


def test_what_is_wrong_is_one_line_that_is_safe_to_show(tmp_path):
    result = run("table", tmp_path / "no\x1b[31m\u202esuch")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    assert "\u202e" not in result.stderr
    assert "\\x1b[31m\\u202esuch" in result.stderr
