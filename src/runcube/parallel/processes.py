"""Processes that read logs: how many may run, how they start, how they are stopped."""

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


# Not "fork": a parent with threads (dask, HDF5, BLAS, Jupyter) would hand locks on that nobody
# opens again. "forkserver" forks from a process that does nothing else and has imported runcube:
# 0.55 s for the first pool of a process, 0.01 s for every later one; "spawn" imports anew in every
# worker (0.6 s each time), and is what macOS and Windows can do.
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"


def is_worker() -> bool:
    """Whether this process was itself started to share in some work, which it must not share on."""
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
    """Say why our processes cannot be given an object; None if they can."""
    try:
        # Not loaded: what cloudpickle loads of a class of the main module changes that class.
        cloudpickle.dumps(thing)
    except Exception as error:  # whatever its own pickling raises
        return f"{type(error).__name__}: {error}"
    return None


class StarvedError(OSError):
    """The system gives no more processes, or no more threads."""


class ProcessPool(Executor):
    """Processes that read, all of which end with the pool.

    Parameters
    ----------
    workers : int
        They start as they are needed.
    like : Executor, optional
        One of the user's, whose processes may be set up in a way of their own.
    """

    def __init__(self, workers: int, like: Executor | None = None) -> None:
        context: Any = multiprocessing.get_context(_METHOD)
        if _METHOD == "forkserver":
            context.set_forkserver_preload(["runcube"])
        self._started: list[Any] = []
        remembering: Any = _Remembering(context, self._started)
        setup = b""
        if initializer := getattr(like, "_initializer", None):
            with suppress(Exception):  # what cannot be sent, these processes do without
                setup = cloudpickle.dumps((initializer, getattr(like, "_initargs", ()), {}))
        shared = *_surroundings(), setup
        self._executor = ProcessPoolExecutor(workers, remembering, _begin, shared)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in one of the processes.

        Raises
        ------
        StarvedError
        """
        # Classes of the main module travel whole: our processes do not import it.
        call = cloudpickle.dumps((function, args, kwargs))
        with _without_main():
            try:
                return self._executor.submit(_call, call)
            except BrokenExecutor:
                raise
            # What they are forked from dies of it, and gives no answer; a thread is a RuntimeError.
            except (OSError, EOFError, RuntimeError) as error:
                if self._is_dead:
                    self.kill()
                raise StarvedError(str(error)) from error

    def outcome(self, future: Future[Any]) -> Any:
        """Wait for a result, as long as there is a thread that may bring it.

        Raises
        ------
        BrokenExecutor
            If a process died.
        StarvedError
            If that thread died, which tells nobody.
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
        """Whether there is no thread that sends tasks and brings results."""
        # No public name has it: where this one goes, whoever asks is taken for it.
        current = threading.current_thread()
        thread = getattr(self._executor, "_executor_manager_thread", current)
        return thread is None or not thread.is_alive()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end when they have done what is left."""
        with suppress(RuntimeError):  # a thread that could not be started is waited for
            self._executor.shutdown(wait, cancel_futures=cancel_futures)

    def kill(self) -> None:
        """End the processes now, whatever they do."""
        for process in self._started:
            with suppress(ValueError, AttributeError):  # closed, or not started yet
                process.kill()
        self.shutdown(cancel_futures=True)

    def fate(self) -> str:
        """Say how the processes of a broken pool ended."""
        self.shutdown()
        codes = [process.exitcode for process in self._started if process.exitcode]
        if not codes:
            return "died"
        if codes[0] < 0:
            with suppress(ValueError):
                return f"was killed by {signal.Signals(-codes[0]).name}"
        return f"ended with exit code {codes[0]}"


class _Remembering:
    """A context of multiprocessing that remembers the processes it made."""

    def __init__(self, context: Any, started: list[Any]) -> None:
        self._context = context
        self._started = started

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def Process(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802, the name of multiprocessing
        process = self._context.Process(*args, **kwargs)
        self._started.append(process)
        return process


def _call(call: bytes) -> Any:
    function, args, kwargs = pickle.loads(call)
    return function(*args, **kwargs)


class _Starting:
    """Starting processes, one thread at a time."""

    lock = threading.Lock()
    whole = staticmethod(spawn.get_preparation_data)


def _forked() -> None:
    # A thread that holds this does not exist in a forked process, and never lets go of it.
    _Starting.lock = threading.Lock()
    spawn.get_preparation_data = _Starting.whole


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


@contextmanager
def _without_main() -> Iterator[None]:
    """Let this thread start processes that do not import the main module.

    They would run a script anew that has no ``if __name__ == "__main__"``, and our processes need
    nothing of it. multiprocessing knows no way to say so: it asks this function what to import.
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


def _surroundings() -> tuple[str, dict[str, str], bytes]:
    """Give what a process must share with this one as it is now.

    Ours are forked from a server that has the directory and the environment of the first load.
    """
    directory, config = "", b""
    with suppress(OSError):  # it was removed
        directory = os.getcwd()
    if "fsspec" in sys.modules:
        from fsspec.config import conf

        # What cannot be sent, other processes do without.
        sent = {name: options for name, options in conf.items() if why_unportable(options) is None}
        config = cloudpickle.dumps(sent)
    return directory, dict(os.environ), config


def _take_on(directory: str, environment: dict[str, str], config: bytes) -> None:
    with suppress(OSError):
        os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    if config:
        from fsspec.config import conf

        conf.clear()
        conf.update(pickle.loads(config))


def _begin(directory: str, environment: dict[str, str], config: bytes, setup: bytes) -> None:
    """Set a process up: what stops it is its parent, and the parent's end."""
    _take_on(directory, environment, config)
    if setup:
        _call(setup)
    # Ctrl-C reaches the whole process group: the parent alone decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What was there before is of no concern to the garbage collector.
    gc.freeze()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def ping() -> None:
    """Do nothing: whoever answers is alive."""
