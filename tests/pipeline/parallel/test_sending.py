"""What other processes are given: readers, surroundings, and scripts that they import."""

import os
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from hostile import LockedReader, PlainReader
from in_parallel import load, nothing_is_left, quietly, start

import runcube as rc
from runcube.pipeline import on_processes


def notes(call, *arguments, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = call(*arguments, **options)
    return found, "\n".join(str(w.message) for w in caught)


def test_a_reader_that_other_processes_cannot_have_reads_here_and_is_named(logs, tmp_path):
    expected = quietly(rc.load_runs, logs, reader=PlainReader(), parallel=False)
    reader = LockedReader()
    found, said = notes(rc.load_runs, logs, reader=reader, parallel="processes")
    assert found.curve.identical(expected.curve)
    (line,) = said.splitlines()[1:]
    assert line.startswith(
        "  parallel='processes': 'plain' reads in this process, as others lack it"
    )
    assert "cannot pickle" in line
    _, said = notes(rc.archive_runs, logs, tmp_path / "a.nc", reader=reader, parallel="processes")
    assert "reads in this process" in said
    for mode in ("auto", "threads"):
        _, said = notes(rc.load_runs, logs, reader=reader, parallel=mode)
        assert said == ""
    with ThreadPoolExecutor(1) as pool:
        assert quietly(rc.load_runs, logs, parallel=pool, reader=reader).curve.equals(
            expected.curve
        )
    with (
        ProcessPoolExecutor(1) as pool,
        pytest.raises(rc.PlanError, match=r"cannot pickle.*=False"),
    ):
        load(logs, pool, reader=reader)


MINE = """
class Mine(PlainReader):
    def read(self, source, request):
        print(os.getpid(), end=" ")
        sys.stdout.flush()
        return super().read(source, request)
"""


def test_a_reader_of_a_script_under_a_guard_reads_in_other_processes(logs, tmp_path):
    script = f"""
{MINE}
if __name__ == "__main__":
    print(os.getpid(), end=" ", flush=True)
    print(rc.load_runs({str(logs)!r}, reader=Mine(), parallel="processes").curve.size)
"""
    stdout, stderr = start(script).communicate(timeout=120)
    first, *others, size = stdout.split()
    assert int(size) == load(logs, False).curve.size, stderr
    assert len(others) == 11
    assert first not in others


def test_a_reader_that_no_module_has_reads_here(logs):
    # As in a notebook: there is nothing to import.
    text = f"""
def made():
    class Mine(PlainReader):
        pass
    return Mine()

if __name__ == "__main__":
    warnings.simplefilter("always")
    print(rc.load_runs({str(logs)!r}, reader=made(), parallel="processes").curve.size)
"""
    stdout, stderr = start("import warnings\n" + text).communicate(timeout=120)
    assert stdout.split() == [str(load(logs, False).curve.size)], stderr
    assert "'plain' reads in this process, as others lack it" in stderr


def test_a_script_without_a_guard_is_told_so(logs):
    script = f'print("began", rc.load_runs({str(logs)!r}, parallel="processes").curve.size)'
    child = start(script)
    stdout, stderr = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "began" not in stdout
    assert "ExecutorError: parallel='processes': no process comes up" in stderr
    assert "if __name__ == '__main__'" in stderr
    # One process was started, and it started none.
    assert stderr.count("An attempt has been made to start a new process") <= 2


def test_a_script_needs_no_guard_for_threads(logs):
    for mode in ("auto", "threads"):
        child = start(f"print(rc.load_runs({str(logs)!r}, parallel={mode!r}).curve.size)")
        stdout, stderr = child.communicate(timeout=120)
        assert stdout.split() == [str(load(logs, False).curve.size)], stderr


def test_processes_have_the_surroundings_of_the_moment(tmp_path, monkeypatch):
    config = pytest.importorskip("fsspec.config")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("RUNCUBE_TEST", "word")
    monkeypatch.setitem(config.conf, "runcube-test", {"word": "told"})
    with on_processes.processes(1) as pool:
        assert pool.submit(os.getcwd).result() == str(tmp_path / "here")
        assert pool.submit(os.getenv, "RUNCUBE_TEST").result() == "word"
        asked = "__import__('fsspec.config').config.conf['runcube-test']['word']"
        assert pool.submit(eval, asked).result() == "told"
    assert nothing_is_left()


def test_a_relative_path_is_relative_to_where_the_caller_is(logs, monkeypatch):
    expected = load(logs, False)
    monkeypatch.chdir(logs.parent)
    found = load("logs", "processes")
    assert found.curve.identical(expected.curve)
    assert found.attrs["source"] == "logs"
