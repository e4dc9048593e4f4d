"""What holds the building up: floors, faces, a light import, small bodies."""

import ast
import re
import subprocess
import sys
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "runcube"

# What each folder may import, lowest first: only folders that stand before it here.
FOLDERS = {
    "core": "",
    "files": "core",
    "plan": "core",
    "readers": "core files",
    "curves": "core plan",
    "cube": "core plan curves",
    "stats": "core cube",
    "tables": "core cube stats",
    "plot": "core cube stats tables",
    "report": "core cube stats tables plot",
    "netcdf": "core files cube",
    "pipeline": "core files plan readers curves cube",
    "archive": "core files plan readers curves cube netcdf pipeline",
    "cli": "core files plan cube stats tables report pipeline archive",
}
# The same of the modules that stand in no folder.
MODULES_ALONE = {
    "logger": "",
    "versions": "readers",
    "testing": "",
    "accessor": "core cube stats plot",
    "engine": "files readers curves pipeline archive",
    "__init__": (
        "core plan readers cube stats tables plot report pipeline archive accessor logger versions"
    ),
    "__main__": "cli",
}
ALLOWED = {name: words.split() for name, words in (FOLDERS | MODULES_ALONE).items()}

MAX_BODY = 45
MAX_MODULE = 400

# An extension is known by its stub.
PATHS = sorted([*SRC.rglob("*.py"), *SRC.rglob("*.pyi")])


def module_name(path):
    """Name below the package: ``model``, ``readers.base``, ``readers``, ``__init__``."""
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PATHS}
PACKAGES = {module_name(path) for path in PATHS if path.name == "__init__.py"} - {"__init__"}
each_module = pytest.mark.parametrize("name", MODULES)


def place(name):
    """Folder of a module, or the module itself where it stands in none."""
    return name.partition(".")[0]


def parse(name):
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


def known(dotted):
    """Turn ``runcube.a.b`` into the module it is in: ``b`` may be a name in ``a``."""
    parts = dotted.split(".")[1:]
    if len(parts) == 2 and parts[0] in FOLDERS and parts[1] in exported(parts[0]):
        return parts[0]  # not the module of that name
    while parts and ".".join(parts) not in MODULES:
        parts.pop()
    return ".".join(parts) or "__init__"


def imports(tree, name):
    """Modules of the package that a module imports, wherever the import stands."""
    # Relative imports start at the package that holds the module.
    package = ["runcube", *(name if name in PACKAGES else name.rpartition(".")[0]).split(".")]
    package = [part for part in package if part]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (known(a.name) for a in node.names if a.name.split(".")[0] == "runcube")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            dotted = ".".join([*base, *([node.module] if node.module else [])])
            if dotted.split(".")[0] == "runcube":
                yield from (known(f"{dotted}.{a.name}") for a in node.names)


def at_import(tree):
    """A module without its functions: what is imported with it, types included."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(tree):
        for field in ("body", "orelse"):
            statements = getattr(node, field, None)
            if isinstance(statements, list):
                setattr(node, field, [s for s in statements if not isinstance(s, functions)])
    return tree


def others(name):
    """Modules elsewhere that a module imports."""
    return {other for other in imports(parse(name), name) if place(other) != place(name)}


@cache
def exported(folder):
    """Names in the ``__all__`` of a folder's face."""
    (names,) = (
        ast.literal_eval(node.value)
        for node in parse(folder).body
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__"
    )
    return names


def test_the_folders_are_those_that_are_there():
    assert {place(name) for name in MODULES} == ALLOWED.keys()


@pytest.mark.parametrize("folder", FOLDERS)
def test_floors_lie_on_those_before_them(folder):
    names = list(FOLDERS)
    assert set(ALLOWED[folder]) <= set(names[: names.index(folder)])


@each_module
def test_imports_go_strictly_downward(name):
    upward = sorted(o for o in others(name) if place(o) not in ALLOWED[place(name)])
    assert not upward, f"{name} imports {upward}"


@pytest.mark.parametrize("name", ALLOWED)
def test_nothing_is_allowed_that_nobody_needs(name):
    used = {place(other) for module in MODULES if place(module) == name for other in others(module)}
    assert sorted(used) == sorted(ALLOWED[name])


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_face_says_what_its_folder_may_import(folder):
    text = " ".join(ast.get_docstring(parse(folder)).split())
    said = re.search(r"(?:May import|Imports nothing)(.*?)\.(?:\s|$)", text, re.DOTALL)[1]
    assert re.findall(r"``(\w+)``", said) == ALLOWED[folder]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_circle_inside_a_folder(folder):
    graph = {
        name: {o for o in imports(parse(name), name) if place(o) == folder} - {name}
        for name in MODULES
        if place(name) == folder
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' <- '.join(error.args[1])}")


@each_module
def test_other_folders_are_imported_by_their_faces(name):
    # Within functions modules may be named: those that take long to import are not in a face.
    deep = sorted(
        other
        for other in imports(at_import(parse(name)), name)
        if place(other) != place(name) and "." in other and other not in NAMESPACES
    )
    assert not deep, f"{name} imports {deep}, not what the face of its folder exports"


# What `runcube.readers` offers to authors of readers.
AUTHORS_OF_READERS = set(
    "Curves Limits LogFile Names Problem Reader Remarks Request Resume Roles RunHeader RunLog"
    " Source Status Tree read_bytes register_reader JobsReader JsonlReader MlflowReader"
    " NativeReader RayReader WandbReader".split()
)


@pytest.mark.parametrize("term", ["Source", "Request", "RunHeader", "Curves", "RunLog"])
def test_authors_of_readers_can_import_what_a_term_is_made_of(term):
    from runcube import core, readers

    fields = getattr(readers, term).__dataclass_fields__.values()
    kinds = {word for field in fields for word in re.findall(r"[A-Z]\w+", str(field.type))}
    assert {kind for kind in kinds if hasattr(core, kind)} <= {*readers.__all__}


# The figures, and what goes with them.
PLOTS = set(
    "best_of_k compare coverage curves data distribution heatmap importance marginals parallel"
    " save theme".split()
)
# What is public by the name of its folder: `runcube.tables.results`.
OF_USERS = {"readers": AUTHORS_OF_READERS, "tables": {"Table", "results"}, "plot": PLOTS}
# Modules whose functions have names that only go with that of the module.
NAMESPACES = {"cube.report", "plot.data"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_face_shows_only_what_others_use(folder):
    used = {
        alias.name
        for name in MODULES
        if place(name) != folder
        for node in ast.walk(parse(name))
        if isinstance(node, ast.ImportFrom) and node.module == f"runcube.{folder}"
        for alias in node.names
    }
    assert not set(exported(folder)) - used - OF_USERS.get(folder, set())


@pytest.mark.parametrize(
    ("statement", "module", "expected"),
    [
        ("import runcube.core.model", "cube.build", ["core.model"]),
        ("import runcube", "cube.build", ["__init__"]),
        ("from runcube import core", "cube.build", ["core"]),
        ("from runcube import load_runs", "cube.build", ["__init__"]),
        ("from runcube.core import RunLog", "cube.build", ["core"]),
        ("from runcube.core.model import RunLog", "cube.build", ["core.model"]),
        ("from . import coords", "cube.build", ["cube.coords"]),
        ("from .coords import Place", "cube", ["cube.coords"]),
        ("from .core import RunLog", "__init__", ["core"]),
        ("from ..core.model import RunLog", "readers.lines", ["core.model"]),
        ("from .lines import decode_line", "readers.base", ["readers.lines"]),
        ("if TYPE_CHECKING:\n    from runcube.core import RunLog", "cube.build", ["core"]),
        ("def f():\n    import runcube.core", "cube.build", ["core"]),
        ("import numpy, runcubed.core", "cube.build", []),
    ],
)
def test_no_spelling_of_an_import_escapes(statement, module, expected):
    assert list(imports(ast.parse(statement), module)) == expected


def test_importing_runcube_loads_nothing_heavy():
    code = "import sys, runcube; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", code]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    heavy = {"scipy", "matplotlib", "bokeh", "netCDF4", "dask", "distributed", "click", "rich"}
    assert not heavy & set(answer.stdout.split())


def test_figures_are_loaded_when_they_are_asked_for():
    code = "import sys, runcube; assert 'runcube.plot' not in sys.modules; runcube.plot.curves"
    subprocess.run([sys.executable, "-c", code], check=True)


@each_module
def test_only_the_command_line_prints(name):
    calls = [
        node.lineno
        for node in ast.walk(parse(name))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert name == "cli.commands" or not calls, f"{name}: print in lines {calls}"


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
