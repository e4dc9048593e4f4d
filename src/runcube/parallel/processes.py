"""Processes that do tasks: how they start, how they are stopped, why one cannot be had."""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor, wait
from contextlib import contextmanager, suppress
from multiprocessing import spawn
from typing import TYPE_CHECKING, Any

import cloudpickle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

# Not "fork": a parent with threads (dask, HDF5, BLAS, Jupyter) would pass on locks that no thread
# releases. "forkserver" forks from a process that does nothing else and has imported runcube:
# 0.55 s for the first pool of a process, 0.01 s for every later one; "spawn" imports again in every
# worker (0.6 s each time), and is what macOS and Windows can do.
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"


def is_worker() -> bool:
    """Return whether this process is a worker itself, which must not distribute its work again."""
    if multiprocessing.parent_process() is not None:
        return True
    distributed = sys.modules.get("distributed.worker")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def why_unportable(thing: object) -> str | None:
    """Return why an object cannot be sent to our processes; None if it can."""
    try:
        # Not loaded back: loading a class of the main module with cloudpickle changes that class.
        cloudpickle.dumps(thing)
    except Exception as error:  # pickling code of the object may raise anything
        return f"{type(error).__name__}: {error}"
    return None


class StarvedError(OSError):
    """The system starts no more processes, or no more threads."""


class ProcessPool(Executor):
    """Worker processes, all of which end with the pool.

    Parameters
    ----------
    workers : int
        Number of processes, at most; they start as they are needed.
    like : Executor, optional
        An executor of the user; its initializer sets these processes up as well.
    """

    def __init__(self, workers: int, like: Executor | None = None) -> None:
        context: Any = multiprocessing.get_context(_METHOD)
        if _METHOD == "forkserver":
            context.set_forkserver_preload(["runcube"])
        self._started: list[Any] = []
        recording: Any = _RecordingContext(context, self._started)
        setup = b""
        if initializer := getattr(like, "_initializer", None):
            with suppress(Exception):  # an initializer that cannot be sent is left out
                setup = cloudpickle.dumps((initializer, getattr(like, "_initargs", ()), {}))
        shared = *_process_state(), setup
        self._executor = ProcessPoolExecutor(workers, recording, _begin, shared)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in one of the processes and return its future.

        Raises
        ------
        StarvedError
            If the system starts no more processes or threads.
        """
        # Classes of the main module are sent by value: our processes do not import it.
        call = cloudpickle.dumps((function, args, kwargs))
        with _without_main():
            try:
                return self._executor.submit(_call, call)
            except BrokenExecutor:
                raise
            # The fork server dies unanswered; a thread that cannot start is a RuntimeError.
            except (OSError, EOFError, RuntimeError) as error:
                if self._is_dead:
                    self.kill()
                raise StarvedError(str(error)) from error

    def outcome(self, future: Future[Any]) -> Any:
        """Return the result of a future, once it is there.

        Raises
        ------
        BrokenExecutor
            If a process died.
        StarvedError
            If the thread that brings results died, which no future reports.
        """
        while not future.done():
            is_dead = self._is_dead
            wait([future], timeout=0 if is_dead else 1)
            if is_dead and not future.done():
                self.kill()
                raise StarvedError("the thread that sends tasks has died")
        return future.result()

    @property
    def _is_dead(self) -> bool:
        """Return whether no thread sends tasks and brings results."""
        # No public name has it: if this one is removed, the calling thread is taken for it.
        current = threading.current_thread()
        thread = getattr(self._executor, "_executor_manager_thread", current)
        return thread is None or not thread.is_alive()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes when they have done what is left."""
        with suppress(RuntimeError):  # it waits for a thread that could not be started
            self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """Kill the processes now."""
        for process in self._started:
            with suppress(ValueError, AttributeError):  # closed, or not started yet
                process.kill()
        self.shutdown(cancel_futures=True)

    def fate(self) -> str:
        """Return how the processes of a broken pool ended, as the end of a sentence."""
        self.shutdown()
        codes = [process.exitcode for process in self._started if process.exitcode]
        if not codes:
            return "died"
        if codes[0] < 0:
            with suppress(ValueError):
                return f"was killed by {signal.Signals(-codes[0]).name}"
        return f"ended with exit code {codes[0]}"


class _RecordingContext:
    """A context of multiprocessing that records the processes it made.

    Parameters
    ----------
    context : BaseContext
        The context that makes the processes.
    started : list of BaseProcess
        Processes are appended here.
    """

    def __init__(self, context: Any, started: list[Any]) -> None:
        self._context = context
        self._started = started

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802, the name of multiprocessing
        """Return a new process, which is recorded."""
        process = self._context.Process(*args, **kwargs)
        self._started.append(process)
        return process


def _call(call: bytes) -> Any:
    """Return the result of a pickled call."""
    function, args, kwargs = pickle.loads(call)
    return function(*args, **kwargs)


class _Starting:
    """Starting processes, one thread at a time.

    Attributes
    ----------
    lock : Lock
        Held by the thread that starts a process.
    whole : callable
        The function of multiprocessing that ``_without_main`` replaces meanwhile.
    """

    lock = threading.Lock()
    whole = staticmethod(spawn.get_preparation_data)


def _forked() -> None:
    # A thread that holds this does not exist in a forked process, and never releases it.
    _Starting.lock = threading.Lock()
    spawn.get_preparation_data = _Starting.whole


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def _without_main() -> Iterator[None]:
    """Make the processes that this thread starts meanwhile not import the main module.

    They would run a script again that has no ``if __name__ == "__main__"``, and our processes need
    nothing of it. multiprocessing has no option for it: it calls ``get_preparation_data`` for what
    to import.
    """
    with _Starting.lock:
        this_thread = threading.get_ident()

        def prepared(name: str) -> dict[str, Any]:
            data = _Starting.whole(name)
            if threading.get_ident() == this_thread:
                data.pop("init_main_from_name", None)
                data.pop("init_main_from_path", None)
            return data

        spawn.get_preparation_data = prepared
        try:
            yield
        finally:
            spawn.get_preparation_data = _Starting.whole


def _process_state() -> tuple[str, dict[str, str], bytes]:
    """Return the directory, environment and fsspec options of this process as they are now.

    Ours are forked from a server that has the directory and the environment of the first load.
    """
    directory, config = "", b""
    with suppress(OSError):  # it was removed
        directory = os.getcwd()
    if "fsspec" in sys.modules:
        from fsspec.config import conf

        # Options that cannot be sent are left out.
        sent = {name: options for name, options in conf.items() if why_unportable(options) is None}
        config = cloudpickle.dumps(sent)
    return directory, dict(os.environ), config


def _restore_state(directory: str, environment: dict[str, str], config: bytes) -> None:
    """Set the directory, environment and fsspec options of this process."""
    with suppress(OSError):
        os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    if config:
        from fsspec.config import conf

        conf.clear()
        conf.update(pickle.loads(config))


def _begin(directory: str, environment: dict[str, str], config: bytes, setup: bytes) -> None:
    """Set a process up; only its parent, or the end of the parent, stops it."""
    _restore_state(directory, environment, config)
    if setup:
        _call(setup)
    # Ctrl-C reaches the whole process group: the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The garbage collector need not walk what existed before.
    gc.freeze()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Exit when the parent process ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def ping() -> None:
    """Do nothing: a process that returns from it is alive."""
