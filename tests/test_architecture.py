"""What holds the building up: floors, a light import, small bodies."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "runcube"

# A module imports only from floors above it in this list; a new module gets its place here.
TIERS = (
    # Terms, names and arithmetic that know nothing of each other.
    "model numerics codes collector hparams xnames logger options daskpool roots heads stamps "
    "readers.epochs readers.lines readers.shape",
    # Where files are: here, or behind a URL.
    "listing",
    "localfiles retries readahead",
    "remote",
    "files arrays labels names pathkeys pathmerge elimination exclusions cellrows problems "
    "plandata tracks workers exchange readers.column readers.scalars readers.native_lines "
    "readers.native_typed readers.records",
    # Readers: files to runs.
    "readers.base readers.native_more readers.sidecar readers.table keytable gather explain axes "
    "crew",
    "readers.identity",
    "readers.native readers.roles discover sweep completion report parallel",
    "readers.log query render watching packing",
    "readers.axes",
    "readers.columns",
    "readers.engine",
    "readers.jsonl readers.ray readers.jobs",
    "readers",
    # The plan: headers to what varies.
    "layout_choice seeds layouts",
    "keyroles notes contest",
    "planner cellcoords",
    # The cube, and what is made of it.
    "scatter",
    "cube",
    "stats.*",
    "stats plot tables provenance",
    "pipeline",
    "load",
    "policyfacts ncencode ledger logtable plainform",
    "chunks",
    "ncfile ncread replace parsedlogs",
    "lazy cachefiles",
    "configtable blocks",
    "spool schema results",
    "opening",
    "oldarchive",
    "shelves",
    "mergedshelf",
    "archivewriter",
    "archiving verify merging",
    "archive",
    # Faces.
    "backend accessor",
    "cli",
    "__main__",
    "__init__",
    "testing",
)
FLOORS = {name: floor for floor, tier in enumerate(TIERS) for name in tier.split()}

MAX_BODY = 60
MAX_MODULE = 450

PATHS = sorted(SRC.rglob("*.py"))


def module_name(path):
    """Name below the package: ``model``, ``readers.base``, ``readers``, ``__init__``."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PATHS}
PACKAGES = {module_name(path) for path in PATHS if path.name == "__init__.py"}
each_module = pytest.mark.parametrize("name", MODULES)


def floor(name):
    return FLOORS[name] if name in FLOORS else FLOORS.get(name.rpartition(".")[0] + ".*")


def parse(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def known(dotted):
    """Turn ``runcube.a.b`` into the module it is in: ``b`` may be a name in ``a``."""
    parts = dotted.split(".")[1:]
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts) or "__init__"


def imports(tree, name):
    """Modules of the package that a module imports, wherever the import stands."""
    # Relative imports start at the package that holds the module.
    package = (
        ["runcube", *name.split(".")] if name in PACKAGES else ["runcube", *name.split(".")[:-1]]
    )
    if name == "__init__":
        package = ["runcube"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (known(a.name) for a in node.names if a.name.split(".")[0] == "runcube")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            dotted = ".".join([*base, *([node.module] if node.module else [])])
            if dotted.split(".")[0] == "runcube":
                yield from (known(f"{dotted}.{a.name}") for a in node.names)


def test_the_source_is_where_this_test_looks():
    assert "model" in MODULES


@each_module
def test_every_module_has_a_floor(name):
    assert floor(name) is not None, f"{name}: give it a floor in {Path(__file__).name}"


@each_module
def test_imports_go_strictly_downward(name):
    upward = sorted(
        f"{name} (floor {floor(name)}) imports {other} (floor {floor(other)})"
        for other in set(imports(parse(name), name)) - {name}
        if floor(other) >= floor(name)
    )
    assert not upward


@pytest.mark.parametrize(
    ("statement", "module", "expected"),
    [
        ("import runcube.model", "cube", ["model"]),
        ("import runcube", "cube", ["__init__"]),
        ("from runcube import model", "cube", ["model"]),
        ("from runcube import load_runs", "cube", ["__init__"]),
        ("from runcube.model import RunLog", "cube", ["model"]),
        ("from . import model", "cube", ["model"]),
        ("from .model import RunLog", "__init__", ["model"]),
        ("from ..model import RunLog", "readers.lines", ["model"]),
        ("from .lines import decode_line", "readers.base", ["readers.lines"]),
        ("if TYPE_CHECKING:\n    from runcube.model import RunLog", "cube", ["model"]),
        ("def f():\n    import runcube.model", "cube", ["model"]),
        ("import numpy, runcubed.model", "cube", []),
    ],
)
def test_no_spelling_of_an_import_escapes(statement, module, expected):
    assert list(imports(ast.parse(statement), module)) == expected


@pytest.mark.skipif("__init__" not in MODULES, reason="the package has no public face yet")
def test_importing_runcube_loads_nothing_heavy():
    code = "import sys, runcube; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    heavy = {"matplotlib", "netCDF4", "dask", "distributed", "click", "rich"}
    assert not heavy & set(answer.stdout.split())


@each_module
def test_only_the_command_line_prints(name):
    calls = [
        node.lineno
        for node in ast.walk(parse(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert name == "cli" or not calls, f"{name}: print in lines {calls}"


def body_lines(function):
    """Lines of a function's body without its docstring."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


@each_module
def test_bodies_and_modules_stay_small(name):
    source = MODULES[name].read_text(encoding="utf-8")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = {
        node.name: body_lines(node)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, functions) and body_lines(node) > MAX_BODY
    }
    assert not long, f"{name}: bodies of more than {MAX_BODY} lines: {long}"
    assert source.count("\n") <= MAX_MODULE, f"{name}: more than {MAX_MODULE} lines"
