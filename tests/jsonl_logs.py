"""JSONL logs written and read, for the tests."""

import json
from pathlib import Path

from runcube.core.model import Request
from runcube.files.tree import Tree, list_files
from runcube.readers.jsonl.reader import JsonlReader

DATA = Path(__file__).parent / "data" / "overfit-init-transfer"


def write(path, records, *, end="\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [r if isinstance(r, str) else json.dumps(r) for r in records]
    path.write_text(end.join(lines) + end, encoding="utf-8", newline="")
    return path


def load(root, reader=None, request=None):
    """All runs under a root; headers must be what ``read`` gives."""
    reader = reader or JsonlReader()
    runs = []
    for source in reader.find(Tree(list_files(Path(root)))):
        headers = list(reader.headers(source))
        full = reader.read(source, Request(messages=True))
        assert headers == [run.header for run in full]
        runs += full if request is None else reader.read(source, request)
    return runs


def curve(run, metric, split="all"):
    found = next(c for c in run.curves if c.split == split)
    row = found.metrics.index(metric)
    return found.values[row], found.logged[row], found


def kinds(run):
    return [problem.kind for problem in run.problems]


def epochs(n, **extra):
    return [{"epoch": i, "loss": 1.0 / (i + 1), **extra} for i in range(n)]
