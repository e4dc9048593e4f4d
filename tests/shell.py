"""The command line, called within this process or in a terminal, for the tests."""

import json
import os
import select
import subprocess
import sys
import time
import warnings

import pytest
import sweeps
from click.testing import CliRunner

import runcube as rc
from runcube.cli import commands

FULL = sweeps.product_configs(optim__lr=[0.1, 1.0], model__weights=[None, "DEFAULT"])


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


def command(*args):
    return [sys.executable, "-m", "runcube", *map(str, args)]


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
