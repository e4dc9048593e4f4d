"""The command as a user starts it: a process, in a terminal or not."""

import json
import os
import signal
import subprocess
import sys

import sweeps
import xarray as xr
from shell import FULL, command, in_terminal, ok, quietly_loaded, rows, run

from runcube.cube import report


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


def test_ctrl_c_is_130_without_a_traceback(tmp_path):
    code = (
        "import os, signal\nfrom runcube.cli import commands, logs\n"
        "def hang(*args, **keywords):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    import time; time.sleep(30)\n"
        "logs.load_runs = hang\n"
        f"commands.main(['table', {str(tmp_path)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "interrupted\n")


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
