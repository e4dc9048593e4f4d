"""Native logs written and read, for the tests."""

import json

from runcube.core.model import Request
from runcube.files.tree import Tree, list_files
from runcube.readers.native.reader import NativeReader

CONFIG = {"optim": {"lr": 0.1}, "seed": 3}


def config(value=CONFIG):
    return json.dumps({"type": "dict_config", "value": value})


def text(value):
    return json.dumps({"type": "str", "value": value})


def record(split, **stats):
    return json.dumps({"title": f"agg_{split}", "data_name": split, "agg_stats": stats})


def epochs(n, start=0, splits=("train", "val"), marker=True):
    lines = []
    for epoch in range(start, start + n):
        lines += [text(f">> Start Epoch: {epoch}")] * marker
        lines += [record(split, loss=epoch + i / 10) for i, split in enumerate(splits)]
        lines.append(text(""))
    return lines


def read(tmp_path, data, name="json_out.jsonl", reader=None, **request):
    """The runs of one log; the header must be what ``headers`` gives."""
    path = tmp_path / "run" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else ("\n".join(data) + "\n").encode())
    reader = reader or NativeReader()
    (source,) = reader.find(Tree(list_files(tmp_path)))
    logs = reader.read(source, Request(**request))
    assert [log.header for log in logs][:1] == list(reader.headers(source))
    return logs


def curve(log, split, metric="loss"):
    (curves,) = [c for c in log.curves if c.split == split]
    row = curves.metrics.index(metric)
    shown = curves.logged[row]
    return dict(
        zip(curves.x["epoch"][shown].tolist(), curves.values[row][shown].tolist(), strict=True)
    )


def kinds(log):
    return [(p.kind, p.line) for p in log.problems]
