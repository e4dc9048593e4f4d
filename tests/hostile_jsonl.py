"""Sweeps of JSON lines with hostile keys and values, for the property tests."""

import json
import math
from dataclasses import dataclass

from hypothesis import strategies as st


def write_lines(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records))


PLAIN_KEYS = ("loss", "acc", "lr")
HOSTILE_KEYS = (
    *PLAIN_KEYS,
    *("train_loss", "train/loss", "val.loss", "valLoss", "loss_val", "test", "Train Loss"),
    *("config", "split", "metric", "seed", "epoch", "step", "path", "status", "run_id", "args"),
    *("name/0", "name", "0", "a.b", "a/b", "a\\b", "'a'", '"', " loss", "loss ", " ", ""),
    *("µ ß", "損失", "😀", "e\u0301", "lambda", "_meta", "py/object", "time", "None", "NaN"),
)
keys = st.sampled_from(HOSTILE_KEYS) | st.text(max_size=3)
moving = st.integers(-3, 3).map(lambda n: n / 2)
hostile_values = st.one_of(
    moving,
    st.integers(-2, 2),
    st.sampled_from(
        ("a", "NaN", "1.000", "1e-3", "train", "val", "x\ny", "", "a'b", "\0", "\udce9")
    ),
    st.sampled_from((math.nan, math.inf, -math.inf, True, False, None)),
    st.floats(),
    st.sampled_from((10**20, 2**53 + 1, -(10**400), 5e-324, -0.0)),
    st.lists(moving, min_size=1, max_size=3),
    st.sampled_from(([], {}, [1, "a"], [[1, 2], [3]], [None], [True, 2], [{"a": 1}])),
    st.dictionaries(keys, moving | st.sampled_from(("a", True, None)), max_size=2),
)
objects = st.dictionaries(keys, hostile_values, max_size=3)
WHERE = ("header", "flat header", "every line", "columns", "trailer", "sidecar", "nowhere")


@dataclass(frozen=True)
class Log:
    """One file of a sweep: its records, and a configuration beside it or None."""

    path: str
    records: tuple
    sidecar: dict | None = None
    x: str | None = None


@st.composite
def rows_of_a_run(draw, x, columns):
    """Rows with x, one plain metric, and columns that hold whatever they hold from row to row."""
    count = draw(st.integers(1, 4))
    kinds = {key: draw(st.sampled_from((moving, hostile_values))) for key in columns}
    rows = []
    for i in range(count):
        row = {x: i} if x else {}
        row["loss"] = draw(moving)
        row |= {key: draw(kind) for key, kind in kinds.items() if draw(st.integers(0, 4))}
        rows.append(row)
    return rows


@st.composite
def sweeps(draw):
    """A few logs of one habit: where the configuration is, what is x, run and split columns."""
    where = draw(st.sampled_from(WHERE))
    key = draw(st.sampled_from(("config", "args", "_meta", "a.b", "split", "metric", "", " hp ")))
    x = draw(st.sampled_from(("epoch", "step", "task", "words", None)))
    split = draw(st.sampled_from((None, "split", "mode")))
    run = draw(st.sampled_from((None, "run_id", "trial")))
    columns = draw(st.lists(keys, max_size=3, unique=True))
    names = draw(st.lists(keys, max_size=3, unique=True))
    logs = []
    for number in range(draw(st.integers(1, 3))):
        lines = []
        for part in range(2 if run else 1):
            config = {name: draw(hostile_values) for name in names}
            rows = draw(rows_of_a_run(x, columns))
            if split:
                rows = [row | {split: draw(st.sampled_from(("train", "val")))} for row in rows]
            lines.append(_placed(where, key, config, rows))
            if run:
                lines[-1] = [record | {run: f"r{number}{part}"} for record in lines[-1]]
        records = [record for pair in lines for record in pair]
        for event in draw(st.lists(objects, max_size=2)):
            records.insert(draw(st.integers(0, len(records))), event)
        sidecar = config if where == "sidecar" else None
        logs.append(Log(f"r{number}/log.jsonl", tuple(records), sidecar, x))
    return tuple(logs)


def _placed(where, key, config, rows):
    if where == "header":
        return [{key: config}, *rows]
    if where == "flat header":
        return [config, *rows]
    if where == "every line":
        return [{key: config} | row for row in rows]
    if where == "columns":
        return [config | row for row in rows]
    if where == "trailer":
        return [{key: config}, *rows, {"_summary": config | {"final": 0.5, "elapsed_sec": 3.25}}]
    return rows


def write(root, logs):
    for log in logs:
        write_lines(root / log.path, log.records)
        if log.sidecar is not None:
            (root / log.path).with_name("config.json").write_text(json.dumps(log.sidecar))
