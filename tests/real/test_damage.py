"""Damage of any one byte of one log, in five layouts: no other run loses a value or a key."""

import json
from dataclasses import dataclass, field

import independent_loader
import pytest
from conservation import Run, cells, load, misplaced, values_of
from hypothesis import given, settings
from hypothesis import strategies as st
from independent_loader import Layout

PINNED = {"x": "epoch", "align": "union", "layout": "configs"}
# No byte turns one configuration, or the id of one run, into another.
CONFIGS = (
    {"lr": 0.125, "opt": "adam", "seed": 17},
    {"lr": 0.25, "opt": "sgdm", "seed": 23},
    {"lr": 0.5, "opt": "adam", "seed": 31},
    {"lr": 0.75, "opt": "muon", "seed": 49},
)


def rows_of(run, config=None):
    """Rows of one run; runs have three to six of them."""
    for e in range(3 + run):
        yield {"epoch": e, **(config or {}), "train_loss": run + e / 7, "val_acc": -e / 3 - run}


def object_in_the_header(run):
    return [{"config": CONFIGS[run]}, *rows_of(run)]


def columns_on_each_row(run):
    return rows_of(run, CONFIGS[run])


def split_column(run):
    yield {"config": CONFIGS[run]}
    for e in range(3 + run):
        for split in ("train", "val"):
            yield {"epoch": e, "split": split, "loss": run + e / 7 + 100 * (split == "val")}


def header_rows_and_trailer(run):
    rows = list(rows_of(run))
    summary = CONFIGS[run] | {"final_acc": rows[-1]["val_acc"], "elapsed_sec": 2.5 + run}
    return [{"_meta": CONFIGS[run]}, *rows, {"_summary": summary}]


IDS = ("aa11", "bb22", "cc33", "dd44")


def run_column(file):
    """Two runs a file, row by row."""
    runs = (2 * file, 2 * file + 1)
    yield from ({"run_id": IDS[run], "config": CONFIGS[run]} for run in runs)
    for e in range(4):
        yield from (
            {"run_id": IDS[run], "epoch": e, "train_loss": run + e / 7, "val_acc": -e / 3 - run}
            for run in runs
        )


@dataclass
class Sweep:
    """A layout: what its records are, and what an independent loader has to know of it."""

    records: object
    layout: Layout
    logs: int = 4
    _whole: list = field(default_factory=list)

    def write(self, root):
        for i in range(self.logs):
            (root / f"r{i}").mkdir(parents=True)
            text = "".join(f"{json.dumps(r)}\n" for r in self.records(i))
            (root / f"r{i}" / "log.jsonl").write_text(text)

    def whole(self, root):
        """Values and keys of the runs before any damage; made once."""
        if not self._whole:
            self._whole += [by_run(load(root, **PINNED)), keys_by_run(load(root, **PINNED))]
        return self._whole


SWEEPS = {
    "object in the header": Sweep(object_in_the_header, Layout("epoch", header="config")),
    "columns on each row": Sweep(
        columns_on_each_row, Layout("epoch", columns=("lr", "opt", "seed"))
    ),
    "run column": Sweep(run_column, Layout("epoch", run="run_id", columns=("config",)), logs=2),
    "split column": Sweep(split_column, Layout("epoch", header="config", split="split")),
    "header, rows and trailer": Sweep(
        header_rows_and_trailer, Layout("epoch", header="_meta", trailer="_summary")
    ),
}
each_layout = pytest.mark.parametrize("name", SWEEPS)


def by_run(ds):
    """Values of each run: {path#run id: {(split, metric, x): text of the value}}."""
    found = {f"{c.path.item()}#{c.run_id.item()}": {} for c in cells(ds)}
    for (run, *at), value in values_of(ds, "epoch", run=True).items():
        found[run][tuple(at)] = repr(value)
    return found


def keys_by_run(ds):
    """Configuration of each run with its values: {path#run id: {(full key, value)}}."""
    return {
        f"{cell.path.item()}#{cell.run_id.item()}": {
            ("/".join(key), value)
            for key, value in Run(cell).config
            if key[-1] != "epoch" and value != "absent"
        }
        for cell in cells(ds)
    }


@each_layout
def test_the_undamaged_sweep_is_what_an_independent_loader_reads(tmp_path, name):
    sweep = SWEEPS[name]
    sweep.write(tmp_path)
    expected = independent_loader.values(tmp_path, sweep.layout)
    assert len(expected) >= 32
    ds = load(tmp_path, **PINNED)
    assert misplaced(ds, expected, "epoch", run=sweep.layout.run is not None) == {}
    if not sweep.layout.trailer:
        assert len(values_of(ds, "epoch", run=True)) == len(expected)
    for run, keys in keys_by_run(ds).items():
        assert {k.rpartition(".")[2] for k, _ in keys} >= {"lr", "opt", "seed"}, run


def test_the_comparison_sees_a_split_that_is_not_told_apart(tmp_path):
    SWEEPS["split column"].write(tmp_path)
    expected = independent_loader.values(tmp_path, Layout("epoch", header="config"))
    assert misplaced(load(tmp_path, **PINNED), expected, "epoch")


@each_layout
@settings(print_blob=True)
@given(data=st.data())
def test_damage_of_a_byte_costs_no_other_run_a_value_or_a_key(tmp_path_factory, name, data):
    sweep, root = SWEEPS[name], tmp_path_factory.mktemp("sweep")
    sweep.write(root)
    values, keys = sweep.whole(root)
    file = root / "r0" / "log.jsonl"
    content = bytearray(file.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1), "place")
    old = content[at]
    content[at] = data.draw(st.sampled_from(b'0"x,{} \n\0/.') | st.integers(0, 255), "byte")
    hit = runs_of_lines(file, at, old, sweep)
    file.write_bytes(content)
    ds = load(root, **PINNED)
    after, keys_after = by_run(ds), keys_by_run(ds)
    for run in values.keys() - hit:
        assert values[run].items() <= after.get(run, {}).items(), run
        assert keys[run] <= keys_after[run], run


def runs_of_lines(file, at, old, sweep):
    """Runs of which a line is damaged: those of the line, and of the next if they are joined."""
    lines = file.read_bytes().split(b"\n")
    number = file.read_bytes()[:at].count(b"\n")
    path = f"{file.parent.name}/{file.name}"
    touched = [json.loads(x) for x in lines[number : number + 1 + (old == 10)] if x]
    if sweep.layout.run:
        return {f"{path}#{record['run_id']}" for record in touched}
    return {run for run in sweep._whole[0] if run.startswith(f"{path}#")}
