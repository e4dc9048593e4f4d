"""Ctrl-C, and whatever else ends a load: how soon, and that nothing is left."""

import os
import signal
import sys
import time

import pytest
from in_parallel import load, start, wait_for
from sweeps import product_configs, write_sweep

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="process groups are those of POSIX")


def group_is_gone(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.fixture
def marks(tmp_path):
    (tmp_path / "marks").mkdir()
    return tmp_path / "marks"


@pytest.fixture
def ended(marks, tmp_path):
    """A function that starts calls, sends a signal, and tells what became of the script.

    That is its return code, what it said, and the seconds until it heard of Ctrl-C.
    """
    children = []

    def run(call, number=signal.SIGINT, *, to_group=False, pause=0.1):
        child = start(
            f"""
            import os, time
            os.chdir({str(tmp_path)!r})
            if __name__ == "__main__":
                try:
                    {call}
                except KeyboardInterrupt:
                    print(time.time())
                    raise
            """
        )
        children.append(child)
        wait_for(lambda: child.poll() is not None or list(marks.iterdir()))
        time.sleep(pause)
        began = time.time()
        (os.killpg if to_group else os.kill)(child.pid, number)
        stdout, stderr = child.communicate(timeout=60)
        wait_for(lambda: group_is_gone(child.pid), seconds=10)
        return child.returncode, stderr, float(stdout or "nan") - began

    yield run
    for child in children:
        if not group_is_gone(child.pid):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()


@pytest.fixture
def sleepy(logs, marks):
    """A function that writes a call whose reader is in the middle of logs, and has many to go."""

    def call(mode, seconds, function="rc.load_runs(logs"):
        reader = f"SleepyReader(marks={str(marks)!r}, seconds={seconds})"
        function = function.replace("logs", repr(str(logs)))
        return f"{function}, reader={reader}, parallel={mode!r})"

    return call


def is_interrupted(code, stderr):
    assert code == -signal.SIGINT, stderr
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert stderr.count("Traceback") == 1, stderr


@POSIX
@pytest.mark.parametrize("call", ["rc.load_runs(logs", "rc.archive_runs(logs, logs + '.nc'"])
@pytest.mark.parametrize("to_group", [False, True])
def test_ctrl_c_ends_threads_with_the_logs_they_read(sleepy, ended, marks, call, to_group):
    code, stderr, took = ended(sleepy("threads", 0.25, call), to_group=to_group)
    is_interrupted(code, stderr)
    assert took < 0.5  # with all 11 logs it would be a second and a half
    assert len(list(marks.iterdir())) < 6


@POSIX
def test_ctrl_c_ends_a_load_of_long_logs_within_half_a_second(tmp_path, marks, ended):
    configs = product_configs(optim__lr=[0.1, 1.0])
    logs = write_sweep(tmp_path / "logs", configs, range(20), epochs=2000)
    # Once before, so that all is imported when it is interrupted.
    load = f"rc.load_runs({str(logs)!r}, parallel='threads')"
    begin = f"__import__('pathlib').Path({str(marks)!r}, 'begun').touch()"
    code, stderr, took = ended(f"while {load} and not {begin}: pass", pause=0.5)
    is_interrupted(code, stderr)
    assert took < 0.5


@POSIX
def test_ctrl_c_in_a_terminal_ends_processes_at_once(sleepy, ended):
    code, stderr, took = ended(sleepy("processes", 30), to_group=True)
    # A process that is still starting says so, too.
    assert code == -signal.SIGINT, stderr
    assert took < 5


@POSIX
@pytest.mark.parametrize("mode", ["processes", "dask"])
def test_an_interruption_of_this_process_alone_ends_others_with_their_tasks(
    sleepy, ended, marks, mode
):
    code, stderr, _ = ended(sleepy(mode, 0.3))
    assert code == -signal.SIGINT, stderr
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert len(list(marks.iterdir())) < 11


@POSIX
@pytest.mark.parametrize("mode", ["threads", "processes"])
def test_processes_end_with_a_parent_that_is_killed(sleepy, ended, mode):
    code, stderr, _ = ended(sleepy(mode, 30), signal.SIGKILL)
    assert code == -signal.SIGKILL, stderr


@POSIX
def test_what_was_interrupted_leaves_no_file(sleepy, ended, logs, tmp_path):
    def files():
        return {path for path in tmp_path.rglob("*") if "marks" not in path.parts}

    before = files()
    ended(sleepy("threads", 0.1))
    assert files() == before
    assert load(logs, "threads").curve.size
