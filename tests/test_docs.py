"""The documents say what the library does: their Python runs, and gives what they show."""

import ast
import doctest
import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import runcube as rc

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "docs/how-to", "docs/loggers")
PAGES = sorted([ROOT / "README.md", *(p for f in FOLDERS for p in ROOT.glob(f"{f}/*.md"))])
SRC = ROOT / "src" / "runcube"
SOURCES = sorted(SRC.rglob("*.py"))
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def name_of(page):
    return page.relative_to(ROOT / "docs").as_posix() if "docs" in page.parts else page.name


# Tables of arguments, of problems and of places: nothing to run.
WITHOUT_EXAMPLES = {
    "architecture.md",
    "benchmarks.md",
    "changelog.md",
    "design-notes.md",
    "developers.md",
    "guide.md",
    "how-to/index.md",
    "loggers/index.md",
    "loggers/recipes.md",
    "notebooks.md",
    "policies.md",
}


@pytest.mark.parametrize(
    "page", [p for p in PAGES if name_of(p) not in WITHOUT_EXAMPLES], ids=name_of
)
def test_examples_run_and_give_what_they_show(page):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert result.failed == 0
    # A page that lost its examples shows nothing.
    shown = re.findall(r"^\s*>>> ", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert result.attempted == len(shown) > 0


@pytest.mark.parametrize("name", sorted(WITHOUT_EXAMPLES))
def test_pages_without_examples_have_none_that_would_not_run(name):
    assert ">>> " not in (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_kind_of_problem_is_explained():
    source = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("src/runcube/**/*.py"))
    kinds = set(re.findall(r'Problem\(\s*"([a-z_]+)"', source))
    kinds |= {"bad_line", "truncated_tail", "non_numeric", "text_number", "superseded_rows"}
    policies = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    assert len(kinds) > 12
    assert {kind for kind in kinds if f"`{kind}`" not in policies} == set()


def documented(node):
    """Names under "Parameters" in the docstring of a function or class."""
    text = ast.get_docstring(node) or ""
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w[\w ]*\n-+$|\Z)", text, re.MULTILINE | re.DOTALL
    )
    heads = re.findall(r"^(\S.*)$", section[1], re.MULTILINE) if section else ()
    return {name.strip().lstrip("*") for head in heads for name in head.split(" : ")[0].split(",")}


def accepted(node):
    """Names that a function takes, or that make an object of a class."""
    if isinstance(node, ast.ClassDef):
        made = [f for f in node.body if isinstance(f, ast.FunctionDef) and f.name == "__init__"]
        if not made:
            return {f.target.id for f in node.body if isinstance(f, ast.AnnAssign)}
        (node,) = made
    every = (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
    return {a.arg for a in (*every, node.args.vararg, node.args.kwarg) if a is not None}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(SRC)))
def test_docstrings_speak_of_what_is_there(path):
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert documented(node) <= accepted(node), node.name
    assert not re.search(r"\b(docs|tests|benchmarks)/", text), "a wheel does not contain it"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """Every page is in it, every public name has its page, notebooks run."""
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
    built = subprocess.run(
        [*command, "-d", tmp_path / "trees", ROOT / "docs", tmp_path / "html"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    made = {p.stem for p in (tmp_path / "html" / "api" / "generated").glob("*.html")}
    functions = {name for name in rc.__all__ if name not in ("tables", "plot")}
    assert {f"runcube.{name}" for name in functions} <= made
    methods = {name for name in vars(rc.accessor.SweepAccessor) if not name.startswith("_")}
    assert {f"xarray.Dataset.sweep.{name}" for name in methods} <= made
