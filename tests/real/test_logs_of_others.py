"""Logs as others write them, and logs that are damaged or built to hurt: what each is to become.

Each input stands for its kind. What is asserted is a cube with its values, or a named problem.
"""

import gzip
import json
import re
import warnings

import numpy as np
import pytest
from conservation import (
    at_key,
    cells,
    curves,
    load,
    load_warned,
    lost,
    named_by_path,
    names_it,
    values_of,
)

import runcube as rc
from runcube.readers import JsonlReader, Limits
from runcube.testing import write_native


def write(root, files):
    """Files of records, of lines as they are, or of bytes."""
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            (root / path).write_bytes(content)
        else:
            (root / path).write_text("".join(f"{_line(item)}\n" for item in content))
    return root


def _line(item):
    return item if isinstance(item, str) else json.dumps(item)


def run_of(lr, **more):
    """A run with its configuration on the first line: train loss lr + e, val acc lr * e."""
    rows = [{"epoch": e, "train_loss": lr + e, "val_acc": lr * e} for e in range(3)]
    return [{"config": {"lr": lr, **more}}, *rows]


def is_run_of(found, lr):
    """Are these the curves of ``run_of(lr)``?"""
    return found == {
        ("train", "loss"): {e: lr + e for e in range(3)},
        ("val", "acc"): {e: lr * e for e in range(3)},
    }


def native(config, n=3):
    rows = [{"data_name": "train", "agg_stats": {"loss": 1.0 * e}} for e in range(n)]
    return [{"type": "dict_config", "value": config}, *rows]


def by_path(ds, x=None):
    """Path of each run to what it logged: {(split, metric): {x: value}}."""
    return {cell.path.item(): curves(cell, x) for cell in cells(ds)}


def problems_of(ds, path):
    return [p for at, ps in named_by_path(ds).items() if at.startswith(path) for p in ps]


def labels(ds, *names):
    """Labels of each run: a set of tuples."""
    return {tuple(cell[name].item() for name in names) for cell in cells(ds)}


# Configurations in other shapes.


def two_objects_on_every_line(root, seed, lr, rows):
    head = {"args": {"seed": seed}, "hparams": {"lr": lr}}
    write(root, {f"r{seed}.jsonl": [head | row for row in rows]})


def two_objects_on_the_first_line(root, seed, lr, rows):
    write(root, {f"r{seed}.jsonl": [{"args": {"seed": seed}, "hparams": {"lr": lr}}, *rows]})


def two_objects_on_two_lines(root, seed, lr, rows):
    write(root, {f"r{seed}.jsonl": [{"args": {"seed": seed}}, {"hparams": {"lr": lr}}, *rows]})


def two_files_beside_the_log(root, seed, lr, rows):
    write(
        root,
        {
            f"{seed}/log.jsonl": rows,
            f"{seed}/config.json": [{"seed": seed}],
            f"{seed}/hparams.yaml": [f"lr: {lr}"],
        },
    )


@pytest.mark.parametrize(
    "way",
    [
        two_objects_on_every_line,
        two_objects_on_the_first_line,
        two_objects_on_two_lines,
        two_files_beside_the_log,
    ],
)
def test_two_configurations_of_one_run_are_both_its_configuration(tmp_path, way):
    for i in range(12):
        acc = [90, 10][i % 2]
        way(tmp_path, i, [0.1, 0.9][i % 2], [{"epoch": e, "val_acc": acc + e} for e in range(3)])
    ds = load(tmp_path)
    assert labels(ds, "lr", "seed") == {([0.1, 0.9][i % 2], i) for i in range(12)}
    assert "seed" in ds.curve.dims
    last = {(c.lr.item(), at_key(c, "val_acc")[2]) for c in cells(ds)}
    assert last == {(0.1, 92.0), (0.9, 12.0)}
    assert lost(tmp_path, ds) == []


def test_a_configuration_object_may_have_any_name(tmp_path):
    for i in range(6):
        config = {"hp": {"seed": i // 2, "lr": [0.1, 0.9][i % 2]}}
        write(tmp_path, {f"r{i}.jsonl": [config, *run_of(0.5 + i)[1:]]})
    ds = load(tmp_path)
    assert {d: ds.sizes[d] for d in ("lr", "seed")} == {"lr": 2, "seed": 3}
    assert ds.seed.attrs["hparam"] == "hp.seed"
    assert all(ds.status.values.ravel() != "absent")


def test_a_second_configuration_line_begins_the_next_run(tmp_path):
    lines = []
    for i, lr in enumerate((0.1, 0.2, 0.3)):
        lines.append({"config": {"lr": lr, "seed": 0}})
        lines += [{"epoch": e, "val_acc": 100 * i + e} for e in range(3)]
    ds = load(write(tmp_path, {"all.jsonl": lines}))
    found = {c.lr.item(): at_key(c, "val_acc") for c in cells(ds)}
    assert found == {
        lr: {e: 100.0 * i + e for e in range(3)} for i, lr in enumerate((0.1, 0.2, 0.3))
    }


def test_a_run_of_one_flat_record_has_one_point(tmp_path):
    for i in range(4):
        row = {"lr": [0.1, 0.2][i % 2], "seed": i // 2, "epoch": 9, "val_acc": i + 0.5}
        write(tmp_path, {f"r{i}.jsonl": [row]})
    ds = load(tmp_path)
    assert {d: ds.sizes[d] for d in ("lr", "seed", "epoch")} == {"lr": 2, "seed": 2, "epoch": 1}
    for i in range(4):
        cell = ds.sel(lr=[0.1, 0.2][i % 2], seed=i // 2)
        assert at_key(cell, "val_acc") == {9: i + 0.5}


def test_a_metric_that_stays_the_same_in_every_run_is_a_metric(tmp_path):
    for i in range(4):
        rows = [
            {"epoch": e, "train_loss": 1 / (e + 1), "val_acc": [0.5, 0.7][i % 2]} for e in (0, 1, 2)
        ]
        write(tmp_path, {f"r{i}.jsonl": [{"config": {"seed": i}}, *rows]})
    ds = load(tmp_path)
    for i in range(4):
        (cell,) = (c for c in cells(ds) if c.path.item() == f"r{i}.jsonl")
        assert curves(cell)["val", "acc"] == dict.fromkeys(range(3), [0.5, 0.7][i % 2])


# Names that become one.

CLASHES = {
    "prefix and slash": ({"val/loss": 1.0}, {"val_loss": 100.0}),
    "slash and prefix": ({"train_loss": 1.0}, {"train/loss": 100.0}),
    "two objects": ({"metrics": {"loss": 1.0}}, {"stats": {"loss": 100.0}}),
    "object and slash": ({"a": {"b": 1.0}}, {"a/b": 100.0}),
}


@pytest.mark.parametrize("clash", CLASHES)
def test_two_columns_that_become_one_metric_are_both_kept_or_named(tmp_path, clash):
    one, other = CLASHES[clash]
    rows = []
    for e in range(3):
        text = json.dumps({"epoch": e, **one, **other})
        rows.append(json.loads(text, parse_float=lambda number, e=e: float(number) + e))
    ds = load(write(tmp_path, {"a.jsonl": [{"config": {"lr": 0.1}}, *rows]}))
    assert lost(tmp_path, ds) == []
    kept = list(by_path(ds)["a.jsonl"].values())
    for first in (1.0, 100.0):
        if {e: first + e for e in range(3)} not in kept:
            (key,) = (one if first == 1.0 else other).keys()
            assert any(key in q for p in problems_of(ds, "a.jsonl") for q in p.quoted)


# Axes.


def test_samples_beside_native_records_are_a_coordinate_of_the_epochs(tmp_path):
    for i in range(2):
        lines = [{"type": "dict_config", "value": {"lr": [0.1, 0.2][i], "seed": 0, "epochs": 3}}]
        for e in range(3):
            train = {"title": "agg_train", "data_name": "train", "agg_stats": {"loss": 1.0 + e}}
            lines += [
                {"type": "str", "value": f">> Start Epoch: {e}"},
                train | {"samples": (e + 1) * 100},
                {"title": "agg_val", "data_name": "val", "agg_stats": {"loss": 20.0 + e}},
            ]
        write(tmp_path, {f"r{i}/json_out.jsonl": lines})
    ds = load(tmp_path)
    assert ds.curve.dims[-1] == "epoch"
    assert ds.epoch.values.tolist() == [0, 1, 2]
    for found in by_path(ds).values():
        assert found["train", "loss"] == {e: 1.0 + e for e in range(3)}
        assert found["val", "loss"] == {e: 20.0 + e for e in range(3)}
    assert set(np.ravel(ds.samples.values)) == {100, 200, 300}
    assert lost(tmp_path, ds) == []


def test_a_step_that_is_the_epoch_on_val_rows_loses_no_train_row(tmp_path):
    for run in (1, 2):
        rows = []
        for epoch in (1, 2, 3):
            for iteration in (1, 2, 3, 4):
                step = 4 * (epoch - 1) + iteration
                rows.append({"epoch": epoch, "iter": step, "step": step, "loss": run + 1 / step})
            rows.append({"acc/top1": run + epoch / 10, "step": epoch})
        write(tmp_path, {f"{run}/scalars.json": [{"config": {"seed": run}}, *rows]})
    ds = load(tmp_path)
    for cell in cells(ds):
        run = cell.seed.item()
        assert sorted(at_key(cell, "loss").values()) == sorted(run + 1 / s for s in range(1, 13))
        assert sorted(at_key(cell, "acc/top1").values()) == [run + e / 10 for e in (1, 2, 3)]
    assert lost(tmp_path, ds) == []


def test_steps_of_two_units_become_one_and_are_named(reported):
    root = reported / "step_of_two_units"
    ds, warned = load_warned(root)
    for cell in cells(ds):
        assert at_key(cell, "loss")[120] == 0.75
        assert len(at_key(cell, "loss")) == 12
        # Each accuracy stands where its epoch ended, not at steps 1, 2 and 3.
        assert at_key(cell, "acc/top1") == pytest.approx({40: 0.2, 80: 0.4, 120: 0.6})
    assert "missing_x" in warned
    named = [text for text in rc.problems(ds).message if "it is the epoch" in text]
    assert len(named) == 2
    assert all(text.startswith("'step' on 3 rows of validation") for text in named)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        tree = rc.load_tree(root)
    holding = [
        {str(m) for m in node.metric.values if node.logged.sel(metric=m).any()}
        for node in tree.leaves
    ]
    assert any({"acc/top1"} == metrics or "loss" not in metrics for metrics in holding)
    assert lost(root, ds) == []


def test_a_resume_in_a_second_file_goes_on_with_the_run(reported):
    root = reported / "resume_in_a_second_file"
    ds = load(root)
    assert labels(ds, "seed") == {(1,), (2,)}
    assert len(list(cells(ds))) == 2
    assert ds.curve.dims[-1] == "epoch"
    for cell in cells(ds):
        found = curves(cell)
        assert found["train", "loss"] == {e: 1 / e for e in range(1, 7)}
        assert found["val", "mAP"] == pytest.approx({e: e / 10 for e in range(1, 6)})
    assert lost(root, ds) == []


def test_names_have_no_blanks_around_and_infinity_is_a_value(reported):
    root = reported / "names_with_blanks"
    ds = load(root)
    assert ds.curve.dims[-1] == "epoch"
    assert labels(ds, "seed") == {(1,), (2,)}
    for found in by_path(ds).values():
        assert found["train", "box_loss"] == {1: 1.5, 2: 0.75, 3: 0.5}
        assert found["val", "box_loss"] == {1: 2.0, 2: np.inf, 3: 2.0}
    assert all(m == m.strip() for m in ds.metric.values.tolist())
    assert lost(root, ds) == []


def test_a_metric_that_comes_late_has_all_its_values(reported):
    root = reported / "metric_from_row_151"
    ds = load(root)
    for cell in cells(ds):
        rows = [json.loads(x) for x in (root / cell.path.item()).read_text().splitlines()]
        late = {k for r in rows[151:] for k in r} - {"step", "loss", "config"}
        (metric,) = late
        want = {r["step"]: r[metric] for r in rows if metric in r}
        assert len(want) == 850
        assert at_key(cell, metric) == want
    assert len(list(cells(ds))) == 2


def test_x_is_the_count_that_keeps_the_rows_apart(reported):
    root = reported / "clocks_and_nulls"
    ds = load(root)
    assert ds.curve.dims[-1] == "current_steps"
    assert ds.current_steps.values.tolist() == [10, 20, 30, 35]
    assert at_key(next(cells(ds)), "loss") == pytest.approx({10: 4.3, 20: 4.2, 30: 4.1})


def test_what_is_null_everywhere_is_no_metric(reported):
    ds = load(reported / "clocks_and_nulls")
    for key in ("eval_loss", "reward"):
        assert not any(names_it(m, (key,)) and m != "loss" for m in ds.metric.values.tolist())
    assert "eval" not in ds.split.values


def test_clocks_as_text_are_named_once_or_kept(reported):
    root = reported / "clocks_and_nulls"
    ds = load(root)
    for key in ("elapsed_time", "remaining_time"):
        for found in named_by_path(ds).values():
            assert sum(p.of_key((key,)) for p in found) <= 1
    assert lost(root, ds) == []


def test_rotated_parts_are_one_run_oldest_first(reported):
    root = reported / "rotated_parts"
    ds = load(root)
    assert not [p for p in problems_of(ds, "") if "copy" in p.message]
    assert len(list(cells(ds))) == 2
    assert labels(ds, "seed") == {(1,), (2,)}
    (first,) = (c for c in cells(ds) if c.seed == 1)
    assert at_key(first, "loss") == pytest.approx({s: 1 - s / 10 for s in range(1, 7)})
    assert lost(root, ds) == []


def test_records_stand_between_and_behind_text_with_numbers_as_text(reported, tmp_path):
    root = reported / "json_between_text_lines"
    behind = {}
    for file in root.rglob("*.jsonl"):
        lines = file.read_text().splitlines()
        path = file.relative_to(root).as_posix()
        behind[path] = [f"2024-02-02 | INFO | train | {x}" if x[:1] == "{" else x for x in lines]
    for logs in (root, write(tmp_path, behind)):
        ds = load(logs)
        assert ds.curve.dims[-1] == "epoch"
        assert labels(ds, "seed") == {(1,), (2,)}
        for found in by_path(ds).values():
            assert found["train", "loss"] == {1: 2.0, 2: 1.0, 3: 0.667}
            assert found["train", "ppl"] == {1: 4.0, 2: np.inf, 3: 1.33}
        assert lost(logs, ds) == []


# Arguments, and rows that no reading can tell apart.


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"run": "run_ib"}, "run_id"),
        ({"split": "spilt"}, "split"),
        ({"metrics": ["losss"]}, "loss"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else value,
)
def test_a_name_that_matches_nothing_is_an_error_with_the_nearest(tmp_path, options, near):
    lines = [
        {"run_id": f"r{run}", "epoch": e, "split": split, "loss": run + e / 7}
        for run in range(2)
        for e in range(3)
        for split in ("train", "val")
    ]
    write(tmp_path, {"all.jsonl": lines})
    with pytest.raises(rc.RuncubeError, match=rf"{next(iter(options))}=.*'{near}'"):
        load(tmp_path, reader=JsonlReader(**options))


def interleaved_runs():
    for e in range(4):
        for run in (1, 2):
            yield {"epoch": e, "loss": run * 10 + e / 7, "lr": run / 10}


def name_and_value_rows():
    for e in range(4):
        for name in ("loss", "acc"):
            yield {"step": e, "name": name, "value": len(name) + e / 7}


def two_ranks():
    for e in range(4):
        for rank in (0, 1):
            yield {"step": e, "rank": rank, "loss": rank + e / 7}


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        (interleaved_runs, r"run=|several runs|interleaved"),
        (name_and_value_rows, r"'name'.*'value'|name/value"),
        (two_ranks, r"'rank'"),
    ],
)
def test_rows_that_share_their_x_are_named_with_the_likely_cause(tmp_path, rows, cause):
    ds, warned = load_warned(write(tmp_path, {"log.jsonl": list(rows())}))
    assert re.search(cause, warned + "\n".join(rc.problems(ds).message), re.DOTALL)
    assert lost(tmp_path, ds) == []


# Damage that spreads.


def test_a_short_log_without_configuration_takes_no_values_of_others(tmp_path):
    short = [{"epoch": 2, "train_loss": 0.5, "val_acc": 0.9}]
    ds = load(
        write(tmp_path, {"a/l.jsonl": run_of(0.1), "b/l.jsonl": run_of(0.2), "c/best.jsonl": short})
    )
    found = by_path(ds)
    assert is_run_of(found["a/l.jsonl"], 0.1)
    assert is_run_of(found["b/l.jsonl"], 0.2)
    assert lost(tmp_path, ds) == []


def test_a_byte_of_a_run_id_takes_no_values_of_other_runs(tmp_path):
    lines = [{"run_id": f"r{run}", "config": {"lr": 0.1 + run}} for run in range(2)]
    lines += [
        {"run_id": f"r{run}", "epoch": e, "train_loss": run + e / 7}
        for e in range(3)
        for run in range(2)
    ]
    lines[4]["run_id"] = "r9"
    ds = load(write(tmp_path, {"all.jsonl": lines}))
    found = {c.run_id.item(): curves(c) for c in cells(ds)}
    assert found["r1"] == {("train", "loss"): {e: 1 + e / 7 for e in range(3)}}
    assert found["r0"] == {("train", "loss"): {0: 0.0, 2: 2 / 7}}
    assert lost(tmp_path, ds) == []


def test_a_run_without_its_job_takes_no_values_of_others(tmp_path):
    files = {f"jobs/{i}.json": [{"config": {"lr": i / 10}}] for i in (1, 2)}
    rows = [{"step": e, "train/loss": e / 10} for e in range(3)]
    files |= {f"a_{i}/metrics.jsonl": rows for i in (1, 2)}
    files["a_3/metrics.jsonl"] = [{"step": 0, "train/loss": 1.0}]
    ds = load(write(tmp_path, files))
    found = by_path(ds)
    for i in (1, 2):
        assert found[f"a_{i}/metrics.jsonl"] == {("train", "loss"): {e: e / 10 for e in range(3)}}
    assert {str(lr) for (lr,) in labels(ds, "lr")} >= {"0.1", "0.2"}
    assert lost(tmp_path, ds) == []


def test_an_archive_keeps_its_values_when_a_short_log_comes_and_goes(tmp_path):
    logs = write(tmp_path / "logs", {f"{x}/l.jsonl": run_of(i / 10) for i, x in enumerate("abc")})
    path = tmp_path / "sweep.nc"

    def archived(change):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rc.SweepWarning)
            change()
        with rc.open_archive(path) as ds:
            return values_of(ds.load())

    before = archived(lambda: rc.archive_runs(logs, path))
    assert len(before) == 18
    write(logs, {"best.jsonl": [{"epoch": 3, "train_loss": 0.1, "val_acc": 0.9}]})
    between = archived(lambda: rc.update_archive(path))
    assert before.items() <= between.items()
    (logs / "best.jsonl").unlink()
    after = archived(lambda: rc.update_archive(path))
    assert before.items() <= after.items()


def test_a_byte_of_a_constant_column_removes_no_key_of_other_runs(tmp_path):
    settings = [(lr, name) for lr in (0.1, 0.2) for name in ("adam", "sgd")]
    logs = {
        f"r{i}/l.jsonl": [{"epoch": e, "lr": lr, "opt": name, "loss": i + e / 9} for e in range(3)]
        for i, (lr, name) in enumerate(settings)
    }
    logs["r3/l.jsonl"][1]["opt"] = "sgf"
    ds = load(write(tmp_path, logs))
    for cell in cells(ds):
        i = int(cell.path.item()[1])
        if i != 3:
            assert (cell.lr.item(), cell.opt.item()) == settings[i]
            assert at_key(cell, "loss") == {e: i + e / 9 for e in range(3)}
    assert lost(tmp_path, ds) == []


def test_a_byte_of_a_split_word_costs_its_own_line(tmp_path):
    lines = [{"config": {"lr": 0.1}}]
    for e in range(3):
        for split in ("train", "val"):
            word = "trbin" if (split, e) == ("train", 1) else split
            lines.append({"epoch": e, "split": word, "loss": 100.0 * (split == "val") + e})
    ds = load(write(tmp_path, {"a/l.jsonl": lines}))
    found = by_path(ds)["a/l.jsonl"]
    assert found["val", "loss"] == {e: 100.0 + e for e in range(3)}
    assert found["train", "loss"] == {0: 0.0, 2: 2.0}
    assert any(p.line == 4 for p in problems_of(ds, "a/l.jsonl"))
    assert lost(tmp_path, ds) == []


def test_splits_have_the_same_names_in_every_log(tmp_path):
    for name in "ab":
        more = {"test_acc": 0.9} if name == "b" else {}
        rows = [{"epoch": e, "loss_train": 1.0 + e, "loss_val": 5.0 + e, **more} for e in range(3)]
        write(tmp_path, {f"{name}/l.jsonl": [{"config": {"lr": name}}, *rows]})
    ds = load(tmp_path)
    for found in by_path(ds).values():
        assert found["train", "loss"] == {e: 1.0 + e for e in range(3)}
        assert found["val", "loss"] == {e: 5.0 + e for e in range(3)}
    assert by_path(ds)["b/l.jsonl"]["test", "acc"] == dict.fromkeys(range(3), 0.9)


# Files that cost more than themselves.


def deep_list_in_a_configuration():
    text = '{"type":"dict_config","value":{"lr":1,"d":%s}}' % ("[" * 500 + "]" * 500)
    return {"c/j.jsonl": [text, *native({})[1:]]}


def deep_object_in_a_row():
    row = '{"epoch":3,"train_loss":1,"x":' + '{"a":' * 600 + "1" + "}" * 601
    return {"c/l.jsonl": [*run_of(0.3), row]}


def yaml_within_itself():
    return {"c/config.yaml": ["lr: 1", "a: &a [*a]"], "c/l.jsonl": run_of(0.3)[1:]}


def long_number_in_yaml():
    return {"c/config.yaml": ["lr: 1", "a: 0x" + "f" * 4000], "c/l.jsonl": run_of(0.3)[1:]}


@pytest.mark.parametrize(
    "hostile",
    [deep_list_in_a_configuration, deep_object_in_a_row, yaml_within_itself, long_number_in_yaml],
)
def test_a_configuration_beyond_all_bounds_costs_its_own_file(tmp_path, hostile):
    ds = load(write(tmp_path, {"a/j.jsonl": native({"lr": 0.1}), **hostile()}))
    found = by_path(ds)
    assert found["a/j.jsonl"] == {("train", "loss"): {0: 0.0, 1: 1.0, 2: 2.0}}
    assert problems_of(ds, "c/")
    if "c/l.jsonl" in hostile():
        assert found["c/l.jsonl"]["val", "acc"] == {e: 0.3 * e for e in range(3)}


@pytest.mark.parametrize("metric", ["layer\\w", "a\\", "\\", 'say "w"'])
def test_a_metric_may_have_any_name(tmp_path, metric):
    write_native(tmp_path / "by_hand", {"lr": 0.1}, [{"train": {"loss": 1.0, metric: 2.0}}])
    with rc.RunLogger(tmp_path / "logged", {"lr": 0.2}) as log:
        log.start_epoch(0)
        log.log("train", {"loss": 1.0, metric: 2.0})
    ds = load(tmp_path)
    for found in by_path(ds).values():
        assert {name for _, name in found} == {"loss", metric}
        assert found["train", metric] == {0: 2.0}
    assert len(by_path(ds)) == 2


def test_a_damaged_number_of_many_digits_costs_its_line(tmp_path):
    stats = {"data_name": "train", "agg_stats": {"loss": "1" * 6_000 + "x"}}
    ds = load(
        write(
            tmp_path, {"a/j.jsonl": [*native({"lr": 0.1}), stats], "b/j.jsonl": native({"lr": 0.2})}
        )
    )
    assert [f["train", "loss"] for f in by_path(ds).values()] == [{0: 0.0, 1: 1.0, 2: 2.0}] * 2
    (named,) = problems_of(ds, "a/")
    assert named.line == 5
    assert len(named.message) < 1000


LINES = [f"{json.dumps(r)}\n".encode() for r in native({"lr": 0.1}, 5)]
MEMBERS = [gzip.compress(LINES[0] + LINES[1]), *map(gzip.compress, LINES[2:])]
PACKED = {
    "members": b"".join(MEMBERS),
    "plain lines behind it": MEMBERS[0] + b"".join(LINES[2:]),
    "an empty member before it": gzip.compress(b"") + b"".join(MEMBERS),
}
DAMAGED = {
    "magic of the second member": MEMBERS[0] + b"\x1e" + b"".join(MEMBERS[1:])[1:],
    "checksum of the first member": MEMBERS[0][:-6]
    + b"\0\0"
    + MEMBERS[0][-4:]
    + b"".join(MEMBERS[1:]),
}


@pytest.mark.parametrize("kind", PACKED)
def test_all_members_of_a_gzip_are_read(tmp_path, kind):
    ds = load(write(tmp_path, {"a/j.jsonl": native({"lr": 0.2}), "z.jsonl.gz": PACKED[kind]}))
    assert by_path(ds)["z.jsonl.gz"] == {("train", "loss"): {e: 1.0 * e for e in range(5)}}
    assert problems_of(ds, "z.jsonl.gz") == []


@pytest.mark.parametrize("kind", DAMAGED)
def test_a_damaged_member_of_a_gzip_is_named(tmp_path, kind):
    ds = load(write(tmp_path, {"a/j.jsonl": native({"lr": 0.2}), "z.jsonl.gz": DAMAGED[kind]}))
    assert problems_of(ds, "z.jsonl.gz")
    found = by_path(ds)
    assert found["a/j.jsonl"] == {("train", "loss"): {0: 0.0, 1: 1.0, 2: 2.0}}
    if kind == "magic of the second member":
        assert found["z.jsonl.gz"]["train", "loss"][0] == 0.0


# Bounds: they strike late, say so, and can be raised. Small ones here, so that it is quick.


def limits_named(ds, path, field):
    return [
        p for p in problems_of(ds, path) if p.kind == "limit" and f"Limits({field}=" in p.message
    ]


def test_a_new_name_on_each_row_costs_what_is_beyond_the_bound(tmp_path):
    rows = [{"epoch": e, "loss": 1.0 * e, f"m{e}": 1.0 * e} for e in range(120)]
    write(tmp_path, {"a.jsonl": rows, "b.jsonl": run_of(0.2)})
    ds = load(tmp_path, reader=JsonlReader(limits=Limits(columns=50)))
    found = by_path(ds)
    assert is_run_of(found["b.jsonl"], 0.2)
    assert found["a.jsonl"]["all", "loss"] == {e: 1.0 * e for e in range(120)}
    assert found["a.jsonl"]["all", "m20"] == {20: 20.0}
    assert limits_named(ds, "a.jsonl", "columns")
    raised = load(tmp_path, reader=JsonlReader(limits=Limits(columns=200)))
    assert by_path(raised)["a.jsonl"]["all", "m119"] == {119: 119.0}
    assert not limits_named(raised, "a.jsonl", "columns")


def test_a_new_name_on_each_row_adds_one_value_each(tmp_path):
    rows = [{"epoch": e, "loss": 1.0 * e, f"m{e}": 1.0 * e} for e in range(400)]
    ds = load(write(tmp_path, {"a.jsonl": rows}))
    assert int(ds.logged.sum()) == 800


def test_rows_of_many_keys_cost_what_is_beyond_the_bound(tmp_path):
    rows = [
        {"epoch": e, "loss": 1.0 * e, **{f"k{i}": i + e / 7 for i in range(300)}} for e in (0, 1, 2)
    ]
    write(tmp_path, {"a.jsonl": rows, "b.jsonl": run_of(0.2)})
    ds = load(tmp_path, reader=JsonlReader(limits=Limits(columns=100)))
    found = by_path(ds)
    assert is_run_of(found["b.jsonl"], 0.2)
    assert found["a.jsonl"]["all", "loss"] == {0: 0.0, 1: 1.0, 2: 2.0}
    assert limits_named(ds, "a.jsonl", "columns")


def test_configurations_of_many_keys_are_whole(tmp_path):
    files = {
        f"{run}.jsonl": [{"config": {f"k{i}": i + run for i in range(1500)}}, *run_of(run)[1:]]
        for run in (1, 2)
    }
    ds = load(write(tmp_path, files))
    assert is_run_of(by_path(ds)["1.jsonl"], 1)
    assert lost(tmp_path, ds) == []


def test_a_gzip_that_grows_beyond_the_bound_keeps_the_lines_before(tmp_path):
    lines = "".join(f"{json.dumps(r)}\n" for r in run_of(0.1)).encode()
    bomb = gzip.compress(lines + b'{"epoch": 3, "train_loss": 1}\n' + b" " * 1_000_000 + b"\n{}\n")
    write(tmp_path, {"a.jsonl.gz": bomb, "b.jsonl": run_of(0.2)})
    ds = load(tmp_path, reader=JsonlReader(limits=Limits(file_bytes=10_000)))
    found = by_path(ds)
    assert is_run_of(found["b.jsonl"], 0.2)
    assert {e: 0.1 * e for e in range(3)} == found["a.jsonl.gz"]["val", "acc"]
    assert limits_named(ds, "a.jsonl.gz", "file_bytes")


def test_a_long_line_costs_itself(tmp_path):
    lines = [
        *run_of(0.1),
        {"epoch": 3, "train_loss": 3.1, "note": "x" * 5000},
        {"epoch": 4, "val_acc": 4.0},
    ]
    write(tmp_path, {"a.jsonl": lines})
    ds = load(tmp_path, reader=JsonlReader(limits=Limits(line_bytes=1000)))
    assert by_path(ds)["a.jsonl"]["val", "acc"][4] == 4.0
    (named,) = limits_named(ds, "a.jsonl", "line_bytes")
    assert named.line == 5


def test_bad_lines_among_texts_cost_themselves(tmp_path):
    lines = [{"type": "dict_config", "value": {"lr": 0.1}}]
    for i in range(600):
        lines += [{"type": "str", "value": f"at {i}"}, '{"type": "str", "val']
    lines += native({}, 3)[1:]
    ds = load(write(tmp_path, {"a/j.jsonl": lines}))
    assert by_path(ds)["a/j.jsonl"] == {("train", "loss"): {0: 0.0, 1: 1.0, 2: 2.0}}
    (cell,) = cells(ds)
    assert cell.n_problems == 600
    assert [f"at {i}" for i in range(600)] == cell.messages.item().split("\n")


def test_yaml_that_multiplies_itself_costs_its_file(tmp_path):
    lines = ["lr: 1", "a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in (1, 2, 3)]
    write(
        tmp_path, {"a/config.yaml": lines, "a/l.jsonl": run_of(0.1)[1:], "b/l.jsonl": run_of(0.2)}
    )
    ds = load(tmp_path, reader=JsonlReader(limits=Limits(keys=1000)))
    found = by_path(ds)
    assert is_run_of(found["a/l.jsonl"], 0.1)
    assert is_run_of(found["b/l.jsonl"], 0.2)
    assert limits_named(ds, "a/", "keys")
