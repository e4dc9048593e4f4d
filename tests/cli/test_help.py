"""Help texts, and what they promise."""

from shell import ok

import runcube as rc
from runcube.cli import commands

COMMANDS = (
    "archive",
    "best",
    "compare",
    "explain",
    "missing",
    "problems",
    "report",
    "results",
    "show",
    "table",
    "update",
    "verify",
    "watch",
)


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
