"""The command ``runcube``, in this process and as a user starts it."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import runcube as rc
from runcube.cli import commands, render
from runcube.cli import select as selection
from runcube.cube import report

from . import sweeps

COMMANDS = (
    "archive",
    "explain",
    "missing",
    "problems",
    "show",
    "table",
    "update",
    "verify",
    "watch",
)
FULL = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])


@pytest.fixture
def logs(tmp_path):
    """Four configurations × three seeds: one run is absent, one incomplete."""
    root = tmp_path / "logs"
    return sweeps.write_sweep(root, FULL, [0, 1, 2], leave_out=[(1, 2)], killed=[(3, 0)])


def run(*args):
    return CliRunner().invoke(commands.main, [str(arg) for arg in args])


def ok(*args):
    result = run(*args)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(*args):
    """JSON lines of a command."""
    return [json.loads(line) for line in ok(*args, "--json").splitlines()]


def fails(*args):
    """The one line on stderr of a command that cannot do what was asked."""
    result = run(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    (line,) = result.stderr.splitlines()
    return line


def quietly_loaded(root, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(root, **options)


# --- help -------------------------------------------------------------------------------------


def test_every_command_shows_an_example():
    assert set(commands.main.commands) == set(COMMANDS)
    for name in COMMANDS:
        text = ok(name, "--help")
        path = "sweep.nc" if name in ("update", "verify") else "logs/"
        assert f"Example:\n    runcube {name} {path}" in text


def test_the_help_tells_the_exit_codes():
    assert "2 a wrong argument" in ok("--help")
    assert "-h, --help" in ok("-h")


def test_the_version():
    assert ok("--version").strip() == f"runcube, version {rc.__version__}"


# --- explain, table, problems, missing --------------------------------------------------------


def test_explain_says_what_the_plan_says(logs):
    assert ok("explain", logs).strip() == rc.scan(logs).explain().strip()
    (plan,) = rows("explain", logs)
    assert plan["dims"]["lr"] == {"key": "optim.lr", "labels": [0.1, 1.0]}
    assert plan["seed"]["key"] == "seed"
    assert plan["runs"] == 11


def test_the_table_has_a_line_per_configuration(logs):
    lines = ok("table", logs).splitlines()
    assert lines[0].split() == [
        "lr",
        "weights",
        "seeds",
        "runs",
        "complete",
        "incomplete",
        "failed",
    ]
    assert [line.split() for line in lines[1:]][-1] == ["1", "DEFAULT", "3", "3", "2", "1", "0"]
    assert rows("table", logs)[1] == {
        "lr": 0.1,
        "weights": "DEFAULT",
        "seeds": 2,
        "runs": 2,
        "complete": 2,
        "incomplete": 0,
        "failed": 0,
    }


def test_problems_are_listed_with_file_and_line(logs):
    log = logs / "001" / "json_out.jsonl"
    log.write_bytes(log.read_bytes() + b"{broken\n")
    result = run("problems", logs)
    assert "001/json_out.jsonl" in result.stdout
    assert "bad_line" in result.stdout
    (problem,) = [row for row in rows("problems", logs) if row["kind"] == "bad_line"]
    assert problem["path"] == "001/json_out.jsonl"
    assert problem["line"] == len(log.read_bytes().splitlines())
    assert result.exit_code == 0
    assert run("problems", logs, "--exit-code").exit_code == 1


def test_no_problems_is_said_on_stderr_and_leaves_stdout_empty(tmp_path):
    sweeps.write_sweep(tmp_path, FULL, [0, 1])
    result = run("problems", tmp_path, "--exit-code")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "no problems\n")
    assert ok("missing", tmp_path) == ""
    assert ok("missing", tmp_path, "--json", "--exit-code") == ""


def test_missing_runs_go_to_a_launcher(logs):
    assert rows("missing", logs) == [
        {"optim.lr": 0.1, "model.weights": "DEFAULT", "seed": 2, "_status": "absent"},
        {
            "optim.lr": 1.0,
            "model.weights": "DEFAULT",
            "seed": 0,
            "_status": "incomplete",
            "_path": "010/json_out.jsonl",
        },
    ]
    assert len(ok("missing", logs).splitlines()) == 3
    assert run("missing", logs, "--exit-code").exit_code == 1
    assert run("missing", logs, "--exit-code", "--json").exit_code == 1


def test_a_launcher_that_runs_what_is_missing_completes_the_sweep(logs):
    for config in rows("missing", logs):
        flat = {key.replace(".", "__"): v for key, v in config.items() if key[0] != "_"}
        sweeps.write_run(logs / f"again{flat['seed']}", sweeps.nested({**flat, "epochs": 3}))
    assert rows("missing", logs) == []


def test_missing_combinations_on_request(tmp_path):
    sweeps.write_sweep(tmp_path, FULL[:3], [0, 1])
    assert rows("missing", tmp_path) == []
    found = rows("missing", tmp_path, "--all-combinations", "--layout", "grid")
    assert [(row["optim.lr"], row["seed"]) for row in found] == [(1.0, 0), (1.0, 1)]


def test_relabelled_values_do_not_reach_a_launcher(logs):
    result = run("missing", logs, "--json", "--relabel", "weights:null=random")
    assert result.exit_code == 2
    assert "leave out --relabel" in result.stderr
    assert "random" in ok(
        "missing", logs, "--all-combinations", "--relabel", "weights:DEFAULT=random"
    )


# --- show -------------------------------------------------------------------------------------


def test_show_lists_a_curve(logs):
    found = rows("show", logs, "--metric", "acc1", "--split", "val", "--where", "lr=0.1",
                 "--where", "weights=None", "--where", "seed=1")  # fmt: skip
    assert found == [
        {
            "lr": 0.1,
            "weights": "None",
            "seed": 1,
            "epoch": epoch,
            "value": sweeps.logged_value(0, 1, "val", "acc1", epoch),
        }
        for epoch in range(3)
    ]


def test_a_name_may_be_the_full_key_and_have_several_values(logs):
    where = ("--where", "optim.lr=1.0", "--where", "seed=1", "--where", "seed=2")
    what = ("--at", "epoch=2", "--metric", "loss", "--metric", "acc1", "--split", "val")
    found = rows("show", logs, *where, *what)
    assert {row["seed"] for row in found} == {1, 2}
    assert {row["lr"] for row in found} == {1.0}
    assert {row["metric"] for row in found} == {"loss", "acc1"}
    assert {row["epoch"] for row in found} == {2}
    assert "split" not in found[0]
    assert len(found) == 8


def test_show_gives_mean_and_standard_error(logs):
    found = rows("show", logs, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    ds = quietly_loaded(logs)
    last = ds.sel(metric="loss", split="val").sweep.final().where(ds.status == "complete")
    for row in found:
        values = last.sel(lr=row["lr"], weights=row["weights"]).dropna("seed").values
        assert row["n"] == len(values)
        assert row["mean"] == pytest.approx(values.mean())
        assert row["se"] == pytest.approx(values.std(ddof=1) / len(values) ** 0.5)
        assert row["nan"] == 0
    assert [row["n"] for row in found] == [3, 2, 3, 2]


def test_only_complete_runs_count_unless_told_otherwise(logs):
    args = ("show", logs, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    assert "left out, as not complete: 1 run;" in run(*args).stderr
    result = run(*args, "--all-runs", "--json")
    assert "left out" not in result.stderr
    assert [json.loads(line)["n"] for line in result.stdout.splitlines()] == [3, 2, 3, 3]


def test_a_diverged_run_shows(tmp_path):
    def value(index, seed, split, metric, epoch):
        return float("nan") if (index, seed) == (1, 0) else 1.0

    sweeps.write_sweep(tmp_path, sweeps.product_configs(lr=[0.1, 9.0]), [0, 1], value=value)
    found = rows(
        "show", tmp_path, "--metric", "loss", "--split", "val", "--final", "--over", "seed"
    )
    assert found[1] == {"lr": 9.0, "mean": 1.0, "se": None, "n": 1, "nan": 1}
    (single,) = rows("show", tmp_path, "--metric", "loss", "--split", "val", "--final",
                     "--where", "lr=9", "--where", "seed=0")  # fmt: skip
    assert single["value"] is None
    text = ok("show", tmp_path, "--metric", "loss", "--split", "val", "--final", "--over", "seed")
    assert text.splitlines()[2].split() == ["9", "1", "-", "1", "1"]


def test_show_works_in_the_configs_layout(logs):
    args = ("--metric", "acc1", "--split", "val", "--final", "--over", "seed")
    grid = rows("show", logs, *args, "--layout", "grid")
    assert rows("show", logs, *args, "--layout", "configs") == grid
    chosen = rows("show", logs, *args, "--layout", "configs", "--where", "lr=1.0")
    assert chosen == [row for row in grid if row["lr"] == 1.0]


def test_a_coordinate_of_the_runs_selects_too(logs):
    found = rows("show", logs, "--where", "run_id=001", "--metric", "loss", "--split", "val")
    assert [row["epoch"] for row in found] == [0, 1, 2]
    found = rows("show", logs, "--where", "status=incomplete", "--all-runs", "--final",
                 "--metric", "loss", "--split", "val")  # fmt: skip
    assert [(row["lr"], row["seed"]) for row in found] == [(1.0, 0)]


def test_a_hyperparameter_goes_before_what_is_known_of_a_run(tmp_path):
    sweeps.write_sweep(tmp_path, sweeps.product_configs(path=["A", "B"]), [0, 1])
    found = rows("show", tmp_path, "--where", "path=A", "--final")
    assert {row["path_"] for row in found} == {"A"}


def test_final_and_at_exclude_each_other(logs):
    assert run("show", logs, "--final", "--at", "epoch=1").exit_code == 2


# --- options ----------------------------------------------------------------------------------


def test_names_and_values_can_be_changed(logs):
    args = ("--rename", "model.weights=init", "--relabel", "model.weights:null=random")
    table = rows("table", logs, *args)
    assert [row["init"] for row in table] == ["random", "DEFAULT", "random", "DEFAULT"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("None", None),
        ("true", True),
        ("False", False),
        ("3", 3),
        ("0.5", 0.5),
        ("1e-3", 1e-3),
        ('"3"', "3"),
        ("DEFAULT", "DEFAULT"),
        ("[1]", "[1]"),
        ("", ""),
    ],
)
def test_values_of_relabel_are_spelled_as_in_json_or_python(text, value, monkeypatch, tmp_path):
    seen = {}

    def fake(path, **keywords):
        seen.update(keywords)
        raise rc.PlanError("stop")

    monkeypatch.setattr(commands, "load_runs", fake)
    fails("table", tmp_path, "--relabel", f"a.b:{text}=x", "--relabel", f"a.b:y={text}")
    assert seen["relabel"] == {"a.b": {value: "x", "y": value}}
    assert type(seen["relabel"]["a.b"]["y"]) is type(value)


def test_every_option_reaches_load_runs(monkeypatch, tmp_path):
    seen = {}

    def fake(path, **keywords):
        seen.update(keywords, path=path)
        raise rc.PlanError("stop")

    monkeypatch.setattr(commands, "load_runs", fake)
    args = (
        "--reader native --path-keys {a}/{b} --dims lr,weights --dims bn --exclude a,b "
        "--rename a=b --seed none --layout configs --x step --align union "
        "--splits val --metrics loss,acc1 --expected 20 --on-duplicate last --errors raise "
        "--parallel off"
    )
    fails("table", tmp_path, *args.split())
    assert seen == {
        "path": str(tmp_path),
        "reader": "native",
        "path_keys": "{a}/{b}",
        "dims": ["lr", "weights", "bn"],
        "exclude": ["a", "b"],
        "rename": {"a": "b"},
        "relabel": {},
        "seed": None,
        "layout": "configs",
        "x": "step",
        "align": "union",
        "splits": ["val"],
        "metrics": ["loss", "acc1"],
        "expected": 20.0,
        "on_duplicate": "last",
        "errors": "raise",
        "parallel": False,
        "progress": False,
    }
    seen.clear()
    fails("table", tmp_path)
    assert (seen["dims"], seen["exclude"], seen["seed"]) == (None, (), "auto")


@pytest.mark.parametrize(
    "args",
    [
        ("--rename", "a"),
        ("--rename", "a=b", "--rename", "a=c"),
        ("--relabel", "a=b"),
        ("--where", "lr"),
        ("--layout", "cube"),
        ("--expected", "many"),
        ("--no-such-option",),
    ],
)
def test_an_option_that_is_wrongly_spelled_is_a_usage_error(logs, args):
    result = run("show", logs, *args)
    assert result.exit_code == 2
    assert "Usage: runcube show" in result.stderr or "Usage: main show" in result.stderr


# --- errors -----------------------------------------------------------------------------------


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
        (("--where", "lr=0.2"), "lr=0.2: no such value; known: 0.1, 1.0"),
        (("--where", "lr=high"), "lr=high: no such value; known: 0.1, 1.0"),
        (("--where", "weights=none"), "weights=none: no such value; known: None, DEFAULT"),
        (("--where", "wieghts=None"), "wieghts: no such name; known: weights"),
        (("--at", "epoch=9"), "epoch=9: no such value; known: 2, 1, 0"),
        (("--over", "sed"), "over=sed: no such dim; known: seed"),
        (("--exclude", "learning_rate"), "learning_rate"),
        (("--metrics", "acc"), "acc1"),
    ],
)
def test_a_typo_in_a_name_is_one_line_with_the_near_ones(logs, args, told):
    assert told in fails("show", logs, "--all-runs", *args)


def test_a_file_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    def refuse(path, **keywords):
        raise PermissionError(13, "Permission denied", "logs/secret")

    monkeypatch.setattr(commands, "load_runs", refuse)
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
    with pytest.warns(UserWarning, match="of another kind"), render.told_on_stderr():
        warnings.warn("of another kind", UserWarning, stacklevel=1)


# --- archive ----------------------------------------------------------------------------------


def test_an_archive_opens_without_runcube(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    with xr.open_dataset(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))
        assert back.curve.dtype == np.float64
    with rc.open_archive(out, messages=True) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs, messages=True))
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_archive_is_replaced_only_by_force(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out, "--metrics", "loss")
    before = out.read_bytes()
    assert "exists; --force replaces it" in fails("archive", logs, "-o", out)
    assert out.read_bytes() == before
    (told,) = rows("archive", logs, "-o", out, "--force")
    counts = {"runs": 11, "complete": 10, "incomplete": 1, "failed": 0}
    assert told == {"path": str(out), **counts, "bytes": out.stat().st_size}
    assert out.read_bytes() != before


def test_what_is_no_archive_is_not_replaced_even_by_force(logs, tmp_path):
    out = tmp_path / "thesis.txt"
    out.write_text("mine")
    assert "is no netCDF file" in fails("archive", logs, "-o", out, "--force")
    assert out.read_text() == "mine"


def test_the_commands_read_an_archive_in_place_of_logs(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    for command in (
        ("table",),
        ("problems",),
        ("missing",),
        ("show", "--metric", "loss", "--split", "val", "--final", "--over", "seed"),
    ):
        assert rows(command[0], out, *command[1:]) == rows(command[0], logs, *command[1:])
    assert "--dims is for logs" in run("table", out, "--dims", "lr").stderr
    assert "this command reads logs" in fails("explain", out)


def test_update_reads_what_is_new_and_verify_finds_what_is_wrong(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    ok("archive", logs, "-o", out)
    assert run("verify", out, logs).exit_code == 0
    sweeps.write_run(
        logs / "more", {"optim": {"lr": 0.1}, "model": {"weights": None}, "seed": 7, "epochs": 3}
    )
    result = run("verify", out, logs, "--json")
    assert result.exit_code == 1
    (found,) = map(json.loads, result.stdout.splitlines())
    assert (found["path"], found["kind"]) == ("more/json_out.jsonl", "new_log")
    (told,) = rows("update", out)
    assert told["runs"] == 12
    assert run("verify", out, logs).exit_code == 0
    assert "no such file" in fails("update", tmp_path / "no.nc")


def test_watch_keeps_an_archive_fresh_and_tells_the_best_run(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    looks = rows("watch", logs, out, "--times", "2", "--every", "0.1", "--metric", "acc1")
    assert [look["complete"] for look in looks] == [10, 10]
    # The values grow with the configuration and the seed.
    assert looks[0]["best"]["seed"] == 2
    assert (looks[0]["best"]["metric"], looks[0]["best"]["split"]) == ("acc1", "val")
    assert "best val acc1" in ok("watch", logs, out, "--times", "1")
    with rc.open_archive(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))


def test_watch_that_is_interrupted_leaves_a_whole_archive(logs, tmp_path):
    out = tmp_path / "sweep.nc"
    command = [sys.executable, "-m", "runcube", "watch", logs, out, "--every", "0.2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
        assert b"is whole" in process.stderr.read()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "sweep.nc"]
    with rc.open_archive(out) as back:
        xr.testing.assert_equal(back, quietly_loaded(logs))


def test_an_archive_needs_a_directory(logs, tmp_path):
    assert "directory" in fails("archive", logs, "-o", tmp_path / "no" / "sweep.nc")
    assert "directory" in fails("archive", logs, "-o", tmp_path)


def test_a_failed_archive_leaves_nothing_behind(logs, tmp_path, monkeypatch):
    def full(self, store, **keywords):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "dump_to_store", full)
    assert "No space left" in fails("archive", logs, "-o", tmp_path / "sweep.nc")
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


# --- selections and tables as functions -------------------------------------------------------


def test_numbers_and_bools_are_read_as_the_axis_has_them(tmp_path):
    configs = sweeps.product_configs(lr=[1e-5, 0.3], bn=[True, False], depth=[2, 16])
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    ds = quietly_loaded(tmp_path)
    for spelled in ("0.00001", "1e-05", "1E-5"):
        assert selection.where(ds, {"lr": [spelled]}).lr.values.tolist() == [1e-5]
    for spelled in ("True", "true", "1"):
        assert selection.where(ds, {"bn": [spelled]}).bn.values.tolist() == [True]
    assert selection.where(ds, {"depth": ["16.0"]}).depth.values.tolist() == [16]
    with pytest.raises(rc.UnknownNameError, match="known: 16, 2"):
        selection.where(ds, {"depth": ["15"]})
    with pytest.raises(rc.UnknownNameError, match=r"known: (True, False|False, True)"):
        selection.where(ds, {"bn": ["maybe"]})
    with pytest.raises(rc.PlanError, match="not a runcube cube"):
        selection.where(xr.Dataset(), {"lr": ["1"]})


def test_a_table_may_run_over_several_dims(logs):
    ds = quietly_loaded(logs).sel(metric="loss", split="val")
    frame = selection.values_table(ds, last=True, over=["seed", "weights"])
    assert frame.columns.tolist() == ["lr", "mean", "se", "n", "nan"]
    assert frame["n"].tolist() == [5, 6]


def test_x_of_each_run_is_a_column(tmp_path):
    for number, seed in enumerate((0, 1)):
        with rc.RunLogger(tmp_path / f"{number}", {"lr": 0.1, "seed": seed}) as log:
            for epoch in range(3):
                log.log("val", {"loss": 1.0}, epoch=epoch + 10 * seed)
    frame = selection.values_table(quietly_loaded(tmp_path, align="order"))
    assert frame["epoch"].tolist() == [0, 1, 2, 10, 11, 12]
    assert frame["point"].tolist() == [0, 1, 2, 0, 1, 2]


def test_json_is_strict():
    assert render._strict({"a": [float("nan"), float("-inf"), 1.5, pd.NA], "b": {"c": None}}) == {
        "a": [None, "-Infinity", 1.5, None],
        "b": {"c": None},
    }


def test_followers_are_what_the_columns_before_tell(tmp_path):
    configs = [{"lr": lr, "model": {"name": n, "depth": d}}
               for lr in (0.1, 1.0) for n, d in (("small", 2), ("big", 8))]  # fmt: skip
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    (follower,) = selection.followers(quietly_loaded(tmp_path))
    assert follower in ("depth", "name", "model_name")


# --- as a user starts it ----------------------------------------------------------------------


def command(*args):
    return [sys.executable, "-m", "runcube", *map(str, args)]


def test_python_m_runcube(logs):
    done = subprocess.run(command("table", logs), capture_output=True, text=True, check=True)
    assert done.stdout == ok("table", logs)
    done = subprocess.run(command("--help"), capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: runcube ")


def test_wide_tables_are_whole_in_a_pipe(tmp_path):
    text = "x" * 150
    sweeps.write_sweep(tmp_path, sweeps.product_configs(a=[text, "b"], c=[text, "d"]), [0, 1])
    env = {**os.environ, "COLUMNS": "40"}
    done = subprocess.run(
        command("table", tmp_path), capture_output=True, check=True, text=True, env=env
    )
    assert done.stdout.splitlines()[1].split()[:2] == [text, text]
    assert "\x1b" not in done.stdout


def test_a_reader_that_stops_early_is_no_error(tmp_path):
    def many(index, seed, split, metric, epoch):
        return float(epoch)

    sweeps.write_sweep(tmp_path, FULL, [0, 1], epochs=600, value=many)
    with subprocess.Popen(
        command("show", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline().split()[0] == "lr"
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(30) == 141


@pytest.fixture(autouse=True)
def _interruptible():
    """Ctrl-C reaches these tests also where they run as a job in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_130_without_a_traceback(tmp_path):
    code = (
        "import os, signal\nfrom runcube.cli import commands\n"
        "def hang(*args, **keywords):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    import time; time.sleep(30)\n"
        "commands.load_runs = hang\n"
        f"commands.main(['table', {str(tmp_path)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


def in_terminal(*args, width=100, stdout=None):
    """Run in a pseudo-terminal; returns what it shows and the exit code."""
    pty = pytest.importorskip("pty")
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    hidden = ("NO_COLOR", "COLUMNS", "LINES", "CI", "FORCE_COLOR", "TERM")
    env = {k: v for k, v in os.environ.items() if k not in hidden} | {"TERM": "xterm-256color"}
    process = subprocess.Popen(command(*args), stdout=stdout or follower, stderr=follower, env=env)
    os.close(follower)
    shown = b""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.2)[0]:
            try:
                piece = os.read(leader, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not piece:
                break
            shown += piece
    os.close(leader)
    return shown.decode(), process.wait(30)


def test_a_terminal_gets_lines_colours_and_progress(logs):
    shown, code = in_terminal("missing", logs)
    assert code == 0
    assert "missing: 2 runs" in shown
    assert "\x1b[33mincomplete\x1b[0m" in shown
    assert "─" in shown
    assert "finding logs" in shown
    shown, _ = in_terminal("explain", logs)
    assert "\x1b[1mdims\x1b[0m" in shown


def test_a_narrow_terminal_leaves_out_what_the_others_tell(tmp_path):
    configs = [
        {"model": {"name": name, "description": f"{name} {'long ' * 12}".strip()}}
        for name in ("small", "big")
    ]
    sweeps.write_sweep(tmp_path, configs, [0, 1])
    args = ("table", tmp_path, "--dims", "model.name")
    shown, _ = in_terminal(*args, width=80)
    assert "without description" in shown
    assert "long long" not in shown
    shown, _ = in_terminal(*args, width=200)
    assert "long long" in shown
    shown, _ = in_terminal(*args, width=30)
    assert "incomplete" in shown  # too narrow for lines: plain, and whole


def test_progress_stays_out_of_a_pipe(logs, tmp_path):
    with (tmp_path / "out").open("wb") as out:
        shown, code = in_terminal("table", logs, stdout=out)
    assert code == 0
    assert "finding logs" in shown
    assert (tmp_path / "out").read_text() == ok("table", logs)
    done = subprocess.run(command("table", logs), capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_the_reports_are_what_the_commands_show(logs):
    ds = quietly_loaded(logs)
    assert rows("table", logs) == json.loads(report.table(ds).to_json(orient="records"))
    assert rows("missing", logs) == report.missing_configs(ds)


def test_an_interrupt_leaves_no_half_archive(logs, tmp_path, monkeypatch):
    def interrupted(self, store, **keywords):
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(xr.Dataset, "dump_to_store", interrupted)
    result = run("archive", logs, "-o", tmp_path / "sweep.nc")
    assert (result.exit_code, result.stderr) == (130, "interrupted\n")
    assert not (tmp_path / "sweep.nc").exists()
    # What was read waits for the next call, which clears it away.
    monkeypatch.undo()
    ok("archive", logs, "-o", tmp_path / "sweep.nc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "sweep.nc"]
