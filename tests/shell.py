"""The command line called within this process, for the tests."""

import json
import sys
import warnings

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
