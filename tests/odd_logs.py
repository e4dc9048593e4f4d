"""Logs with a history, and logs that are odd: each function writes several runs."""

import gzip
import json
import shutil

import numpy as np

from runcube.readers import JsonlReader
from runcube.testing import write_native


def lines(*records):
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)


def jsonl(path, records):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines(*records))


def config_line(**config):
    return {"type": "dict_config", "value": config}


def epoch_line(epoch):
    return {"type": "str", "value": f">> Start Epoch: {epoch}"}


def stats_line(split="val", **stats):
    return {"title": f"agg_{split}", "data_name": split, "agg_stats": stats}


def native(root, name, records):
    jsonl(root / name / "json_out.jsonl", records)


def write(root, name, config, values, split="val", metric="loss"):
    write_native(root / name, config, [{split: {metric: v}} for v in values])


def plain(root):
    for lr in (0.1, 0.2):
        for seed in (0, 1, 2):
            write(root, f"{lr}_{seed}", {"lr": lr, "seed": seed, "epochs": 3}, [lr, seed, 1])


def one_log(root):
    write(root, "only", {"lr": 0.1}, [1, 2, 3])


def reconfigured(root):
    plain(root)
    more = lines(config_line(lr=0.7, seed=0), *(stats_line(loss=v) for v in (7, 8, 9)))
    for name in ("0.1_0", "0.2_2"):
        with (root / name / "json_out.jsonl").open("a") as log:
            log.write(more * (1 + (name == "0.2_2")))


def second_attempts(root):
    for seed in range(4):
        short, long = range(2), range(4)
        spans = ((short, long), (long, short), (short, short), (long, long))[seed]
        records = [config_line(seed=seed, lr=0.1)]
        for number, span in enumerate(spans):
            for e in span:
                records += [epoch_line(e), stats_line(loss=10 * number + e + seed / 2)]
        native(root, str(seed), records)


def resumed(root):
    for seed in range(4):
        records = [config_line(seed=seed, lr=0.1)]
        for start, stop in ((0, 8), (6, 12), (11, 14))[: 1 + seed]:
            for e in range(start, stop):
                records.append(epoch_line(e))
                records += [stats_line(s, loss=e + start / 8) for s in ("train", "val") if e != 7]
        native(root, str(seed), records)


def special_values(root):
    values = [float("nan"), float("inf"), float("-inf"), -0.0, 5e-324, 1.7976931348623157e308, 0.1]
    for seed in range(3):
        write(root, str(seed), {"seed": seed, "lr": 0.1}, values[seed:])


def repeated_x(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": e, "val_loss": e + seed + i / 8} for e in range(3) for i in range(2)]
        jsonl(root / f"{seed}.jsonl", rows)


def x_that_never_moves(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"epoch": 0, "val_loss": 1 + seed + i * (seed > 1)} for i in range(3)]
        jsonl(root / f"{seed}.jsonl", rows)


def one_row_logged_again(root):
    for seed in range(4):
        native(root, str(seed), [config_line(seed=seed), *([epoch_line(0), stats_line(a=7.0)] * 3)])


def no_x(root):
    for seed in range(4):
        rows = [{"config": {"seed": seed}}]
        rows += [{"val_loss": v / 4 + seed, "val_acc": v} for v in range(3 + seed % 2)]
        jsonl(root / f"{seed}.jsonl", rows)


def x_that_some_lack(root):
    for seed in range(6):
        axis = "epoch" if seed < 4 else "step"
        rows = [{"config": {"seed": seed}}, *({axis: e, "val_loss": e / 2} for e in range(3))]
        jsonl(root / f"{seed}.jsonl", [*rows, {"val_loss": 9.0}])


def no_shared_x(root):
    rng = np.random.default_rng(0)
    for seed in range(6):
        steps = np.sort(rng.choice(10_000, size=5 + seed % 3, replace=False)).tolist()
        rows = [{"config": {"seed": seed}}, *({"step": s, "val_loss": s / 10} for s in steps)]
        jsonl(root / f"{seed}.jsonl", rows)


def two_axes(root):
    for seed in range(3):
        rows = [{"config": {"seed": seed, "lr": 0.1}}]
        for e in range(3):
            rows += [
                {"step": s, "epoch": e, "wall_time": s + seed / 2, "train_loss": s + seed / 2}
                for s in range(10 * e, 10 * e + 10)
            ]
            rows.append({"step": 10 * e + 9, "epoch": e, "val_acc": e + seed / 2})
        jsonl(root / f"{seed}.jsonl", rows)


def several_runs_in_a_file(root):
    for part in range(3):
        rows = [
            {"run_id": f"{part}{run}", "lr": run / 8, "part": part, "step": s, "loss": s + run / 4}
            for s in range(4)
            for run in range(3)
        ]
        jsonl(root / f"{part}.jsonl", rows)


def columns_of_configuration(root):
    for number, (lr, wd) in enumerate([(0.1, 0), (0.1, 1), (0.2, 0), (0.2, 1)]):
        rows = [{"lr": lr, "wd": wd, "epoch": e, "val_loss": e + lr + wd} for e in range(4)]
        jsonl(root / f"{number}.jsonl", rows)


def a_column_that_varies_in_one_log(root):
    columns_of_configuration(root)
    rows = [{"lr": 0.1, "wd": e, "epoch": e, "val_loss": e} for e in range(4)]
    jsonl(root / "varying.jsonl", rows)


def duplicates(root):
    plain(root)
    for name, values in (("twin", [5, 5, 5]), ("shorter", [4]), ("longer", [1, 2, 3, 4])):
        write(root, name, {"lr": 0.1, "seed": 0, "epochs": 3, "tag": name}, values)


def copies(root):
    plain(root)
    for name in ("a_copy", "z_copy"):
        shutil.copytree(root / "0.1_0", root / name)


def no_logs_among_the_logs(root):
    plain(root)
    jsonl(root / "manifest.json", [{"what": "a manifest"}])
    (root / "empty.jsonl").write_text("")
    (root / "pointer.jsonl").write_text("version https://git-lfs.github.com/spec/v1\noid x\n")
    native(root, "headless", [epoch_line(0), stats_line(loss=1.0)])
    (root / "nothing").symlink_to(root / "nowhere")


def compressed(root):
    for seed in range(3):
        write(root, str(seed), {"seed": seed}, [1, 2, 3])
        log = root / str(seed) / "json_out.jsonl"
        packed = gzip.compress(log.read_bytes())
        (root / str(seed) / "log.jsonl.gz").write_bytes(packed[: len(packed) - 20 * (seed == 1)])
        log.unlink()


def sidecars(root):
    for number in range(3):
        folder = root / f"run{number}"
        jsonl(folder / "metrics.jsonl", [{"epoch": e, "val_loss": e / 2} for e in range(3)])
        day = f"start: 2026-01-0{number + 1}\n"
        (folder / "hparams.yaml").write_text(f"lr: 0.{number}\nsteps: {{1: a, 2: b}}\n{day}")


def odd_configurations(root):
    odd = [10**25, -(2**63), 1e400, float("nan"), "\ud800\0", [1, [2, {"a": None}]], {}, 1e-5]
    for number, value in enumerate(odd):
        write(root, f"r{number}", {"v": value, "seed": 0, "n": number % 2}, [number, 1])


def odd_names(root):
    for seed in range(4):
        stats = {"a": 1.0 + seed, "a\0": 2.0 + seed, "\ud800": 3.0, "x/y z": 4.0, "": 5.0}
        curves = [{"v\udcff": stats, "µ": stats, "": stats}] * 2
        write_native(root / f"run \udce9{seed}", {"seed": seed, "ü é": "\ud800"}, curves)


def nothing_logged(root):
    for seed in range(3):
        native(root, str(seed), [config_line(seed=seed, lr=0.1)])


def little_logged(root):
    for seed in range(4):
        rows = [epoch_line(e) for e in range(2)]
        stats = [stats_line("val", loss=1.0)] if seed > 1 else []
        native(root, str(seed), [config_line(seed=seed), *rows, *stats])


def long_messages(root):
    plain(root)
    with (root / "0.1_1" / "json_out.jsonl").open("a") as log:
        log.write(lines({"type": "str", "value": "é\0 " * 250_000}))
        log.write(lines({"type": "str", "value": "short"}))
    with (root / "0.2_0" / "json_out.jsonl").open("a") as log:
        log.writelines(f'{{"title": "agg_val", bad {i}\n' for i in range(10_000))


def jobs(root):
    for number in range(3):
        rows = [
            {"step": i, "metrics": {"train_loss": i / 2, "timestamp": 1.7e9 + i}} for i in range(4)
        ]
        jsonl(root / "runs" / f"net_a{number}" / "metrics.jsonl", rows)
        job = {"config": {"lr": number / 8}, "status": ("completed", "failed", "running")[number]}
        jsonl(root / "jobs" / f"a{number}.json", [job])


def keys_in_paths(root):
    for number, name in enumerate(("a/m", "a/n", "b/m", "b/n")):
        write(root, f"{name}/trial_1", {"lr": 0.1}, [number])


BY_COLUMN = JsonlReader(config=["lr", "part"], run="run_id", x="step", split=False)
SWEEPS = {
    maker.__name__: (maker, options)
    for maker, options in [
        (plain, {}),
        (one_log, {}),
        (reconfigured, {}),
        (second_attempts, {}),
        (resumed, {}),
        (special_values, {}),
        (repeated_x, {}),
        (x_that_never_moves, {}),
        (one_row_logged_again, {}),
        (no_x, {}),
        (x_that_some_lack, {}),
        (no_shared_x, {}),
        (two_axes, {}),
        (several_runs_in_a_file, {"reader": BY_COLUMN}),
        (columns_of_configuration, {}),
        (a_column_that_varies_in_one_log, {}),
        (duplicates, {"layout": "grid"}),
        (copies, {}),
        (no_logs_among_the_logs, {}),
        (compressed, {}),
        (sidecars, {}),
        (odd_configurations, {}),
        (odd_names, {}),
        (nothing_logged, {}),
        (little_logged, {}),
        (long_messages, {}),
        (jobs, {}),
        (keys_in_paths, {"path_keys": "{study}/{workload}/trial_{trial}"}),
    ]
}
FURTHER = {
    "two_axes": [{"x": "epoch"}, {"align": "order"}],
    "x_that_some_lack": [{"x": "step"}, {"x": "epoch", "expected": 3}],
    "no_shared_x": [{"align": "union"}],
    "duplicates": [{"on_duplicate": "first", "layout": "grid"}, {"layout": "configs"}],
    "second_attempts": [{"on_duplicate": "last"}, {"on_duplicate": "first"}],
    "several_runs_in_a_file": [
        {"reader": JsonlReader(run="run_id", metrics=["loss"], name="mine")},
        {"reader": JsonlReader(split=r"(?P<split>train|val)?_?(?P<metric>.+)")},
    ],
    "resumed": [{"splits": "train"}],
    "special_values": [{"splits": ["val"], "metrics": "loss", "dims": [], "layout": "grid"}],
}
CASES = [(name, options) for name, (_, options) in SWEEPS.items()]
CASES += [(name, options) for name, several in FURTHER.items() for options in several]
