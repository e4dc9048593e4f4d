"""Text of logs that a terminal would act on: what is shown has none of it, what is kept has all."""

import json
import re
import shutil
import subprocess
import unicodedata
import warnings
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shell import command, in_terminal, ok, run

import runcube as rc
from runcube.core import printable

# What rich writes itself: colours, the cursor while a bar or a table is redrawn.
OWN = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*[AK]|\r")
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
HOSTILE = "\x1b[31m\x07\x9b2J\x08\x7f\u202eevil\u2066\x1b]0;title\x07\x0e\r[/b][red]x[/nothing]"


def acts(text):
    """The characters of a text that a terminal acts on, beyond those of rich."""
    left = {*OWN.sub("", text)} - {"\n", "\t"}
    return {c for c in left if unicodedata.category(c) in ("Cc", "Cs", "Zl")} | (BIDI & left)


def write_logs(root, text):
    """A sweep with a text in every place: names of files, keys, values, metrics, messages."""
    name = text.replace("\0", "").strip("./ ")[:40] or "x"
    for seed in (0, 1):
        for value in (text, "plain"):
            folder = root / f"{name}-{seed}-{value == text}"
            folder.mkdir(parents=True)
            config = {"key": value, text: value == text, "seed": seed, "epochs": 2, "const": text}
            rows = [
                {"epoch": e, "loss": e + seed, f"m {text}": 1.0 * e, "note": text}
                for e in range(2 - seed * (value == text))
            ]
            lines = [json.dumps({"config": config}), *map(json.dumps, rows), f"a message {text}"]
            (folder / f"{name.rpartition('/')[2]}.jsonl").write_text(
                "\n".join(lines) + "\n", "utf-8", "replace"
            )
            (folder / "other.jsonl").write_text("{" + text + "\n", "utf-8", "replace")
    return root


COMMANDS = [
    ("explain",),
    ("table",),
    ("missing",),
    ("missing", "--format", "yaml"),
    ("missing", "--format", "run {seed} {key}"),
    ("problems",),
    ("show", "--all-runs"),
    ("show", "--all-runs", "--over", "seed"),
    ("best", "--metric", "loss", "--mode", "min", "--split", "all", "--report", "all"),
    ("compare", "--over", "key", "--metric", "loss", "--all-runs"),
    ("results", "--metric", "loss", "--mode", "min", "--all-runs"),
    ("results", "--metric", "loss", "--mode", "min", "--all-runs", "--latex"),
    ("results", "--metric", "loss", "--mode", "min", "--all-runs", "--html"),
    ("results", "--metric", "loss", "--mode", "min", "--all-runs", "--csv"),
]


def every_command(root, folder):
    for name, *more in COMMANDS:
        yield (name, root, *more)
        yield (name, root, *more, "--dims", "nothing" + HOSTILE)
        if "--format" not in more:
            yield (name, root, *more, "--json")
    yield ("watch", root, folder / "watch.nc", "--times", "1")
    yield ("archive", root, "-o", folder / "a.nc", "--force")
    yield ("update", folder / "a.nc")
    yield ("verify", folder / "a.nc", root)
    yield ("problems", folder / "a.nc")


def shown_by_python(root):
    """What is shown of a load without the command: warnings, errors, texts of our classes."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ds = rc.load_runs(root)
        sweep = rc.scan(root)
    yield from (str(w.message) for w in caught if issubclass(w.category, rc.SweepWarning))
    yield from (str(sweep), repr(sweep), sweep.explain(), repr(ds.sweep))
    yield from (sweep._repr_html_(), ds.sweep._repr_html_())
    yield from map(str, sweep.skipped)
    yield from map(repr, sweep.skipped)
    for options in (
        {"errors": "raise"},
        {"metrics": HOSTILE},
        {"dims": HOSTILE},
        {"files": HOSTILE},
    ):
        with pytest.raises(rc.RuncubeError) as raised:
            rc.load_runs(root, **options)
        yield str(raised.value)
        yield repr(raised.value)


@settings(max_examples=3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(), min_size=1, max_size=20))
def test_no_text_of_a_log_reaches_a_terminal_as_it_is(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("hostile")
    root = write_logs(folder / "logs", HOSTILE[:15] + text)
    for args in every_command(root, folder):
        result = run(*args)
        assert result.exit_code in (0, 1, 2), result.output
        assert not isinstance(result.exception, Exception) or result.exit_code
        assert "Traceback" not in result.output
        assert acts(result.output) == set(), args
    for shown in shown_by_python(root):
        assert acts(shown) == set(), shown
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    return write_logs(tmp_path_factory.mktemp("hostile") / "logs", HOSTILE)


@pytest.mark.parametrize("args", [*COMMANDS, ("watch",)], ids=" ".join)
def test_a_terminal_gets_nothing_but_what_rich_writes(hostile, tmp_path, args):
    name, *more = args
    if name == "watch":
        more = [tmp_path / "a.nc", "--times", "1"]
    shown, code = in_terminal(name, hostile, *more, width=200)
    assert code == 0, shown
    assert acts(shown) == set()
    shown = shown.replace(r"\textbackslash{}", "\\")  # as LaTeX writes it
    assert "\\x1b" in shown or name in ("explain", "missing")


def test_markup_in_names_is_text(tmp_path):
    root = write_logs(tmp_path / "logs[", "a[/b]x[bold]")
    shown, code = in_terminal("watch", root, tmp_path / "a.nc", "--times", "1", width=250)
    assert code == 0, shown
    assert "[/b]x[bold]" in shown
    for name in ("table", "problems", "explain"):
        shown, code = in_terminal(name, root, width=250)
        assert code == 0, shown
        assert "a[/b]x" in shown


def test_what_is_kept_is_exact(tmp_path):
    root = write_logs(tmp_path / "logs", HOSTILE)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs(root)
    assert HOSTILE in ds.key.values.ravel().tolist()
    assert f"m {HOSTILE}" in ds.metric.values.tolist()
    assert json.loads(ds.attrs["constant_hparams"])["const"] == HOSTILE
    paths = {p.relative_to(root).as_posix() for p in root.rglob("*.jsonl")}
    assert set(ds.path.values.ravel()) - {""} <= paths
    told = json.loads(ok("table", root, "--json").splitlines()[0])
    assert told["key"] in (HOSTILE, "plain")


def test_file_names_that_are_no_unicode_are_shown(tmp_path):
    folder = Path(write_logs(tmp_path / "logs", "x") / "caf\udce9")
    folder.mkdir()
    (folder / "a.jsonl").write_text("{broken\n")
    done = subprocess.run(command("problems", tmp_path / "logs"), capture_output=True, check=True)
    assert b"caf\\udce9" in done.stdout
    assert r"caf\\udce9" in ok("problems", tmp_path / "logs", "--json")  # as the cube has it


@given(st.text())
def test_printable_text_is_shown_as_it_is_and_all_other_is_safe(text):
    shown = printable(text)
    assert acts(shown) == set()
    assert printable(shown) == shown
    if not acts(text) and text.isprintable():
        assert shown == text
    if text.isascii() and text.isprintable():
        assert shown == text
