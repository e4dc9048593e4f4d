"""Sweeps of native logs for the benchmarks: made once, deterministic, reused.

The default sweep is the one that the speed requirement names: 5 x 5 x 2 configurations x 40 seeds,
3 splits, 5 metrics, 100 epochs: 2,000 logs of about 70 kB. Floats have all their digits, as
``json.dumps`` writes them, because short floats would flatter every parser.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

DATA = Path(__file__).parent / "data"
LOG_NAME = "json_out.jsonl"
SPLITS = ("train", "val", "eval")
METRICS = ("loss", "acc1", "acc5", "ece", "grad_norm")
FORMAT = 1
"""Raised when the text of the logs changes, so that older ones are made anew."""


@dataclass(frozen=True)
class Shape:
    """What a sweep consists of; one log for each element of the product of the first four."""

    lrs: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03, 0.1)
    weight_decays: tuple[float, ...] = (0.0, 1e-05, 0.0001, 0.001, 0.01)
    weights: tuple[str | None, ...] = (None, "DEFAULT")
    seeds: int = 40
    epochs: int = 100

    @property
    def configs(self) -> int:
        """The number of configurations."""
        return len(self.lrs) * len(self.weight_decays) * len(self.weights)

    @property
    def runs(self) -> int:
        """The number of logs."""
        return self.configs * self.seeds

    @property
    def cube_bytes(self) -> int:
        """Bytes of the float64 values of the whole sweep."""
        return 8 * self.runs * self.epochs * len(SPLITS) * len(METRICS)

    def __str__(self) -> str:
        return (
            f"{self.runs:,} runs = {len(self.lrs)} x {len(self.weight_decays)} x "
            f"{len(self.weights)} configurations x {self.seeds} seeds, {len(SPLITS)} splits, "
            f"{len(METRICS)} metrics, {self.epochs} epochs"
        )


FULL = Shape()
SMALL = Shape(lrs=(0.01, 0.1), weight_decays=(0.0, 0.001), seeds=3, epochs=7)


def flat_shape(runs: int, *, epochs: int = 20) -> Shape:
    """Give the shape of ``runs`` shorter logs, equal per run whatever ``runs`` is."""
    shape = Shape(seeds=runs // FULL.configs, epochs=epochs)
    if shape.runs != runs:
        raise ValueError(f"runs={runs}: not a multiple of the {FULL.configs} configurations")
    return shape


def native_sweep(root: Path, shape: Shape = FULL) -> Path:
    """Make a sweep of native logs under ``root``, unless it is there already.

    Parameters
    ----------
    root : Path
        The directory of the sweep; anything else in it is deleted.
    shape : Shape
        The labels, seeds and epochs.

    Returns
    -------
    Path
        ``root``.
    """
    stamp = root.with_name(root.name + ".json")
    wanted = json.dumps({"format": FORMAT, "numpy": np.__version__, **asdict(shape)})
    if stamp.exists() and stamp.read_text() == wanted:
        return root
    stamp.unlink(missing_ok=True)
    shutil.rmtree(root, ignore_errors=True)
    start = datetime(2025, 3, 7, 9, tzinfo=UTC)
    grid = product(shape.lrs, shape.weight_decays, shape.weights, range(shape.seeds))
    for number, (lr, weight_decay, weights, seed) in enumerate(grid):
        started = start + timedelta(seconds=61 * number)
        run_dir = root / f"{started:%Y-%m-%d}" / f"{started:%H-%M-%S}_run"
        run_dir.mkdir(parents=True)
        config = _config(run_dir.name, lr, weight_decay, weights, seed, shape.epochs)
        values = _curves(number, lr, weight_decay, shape.epochs)
        (run_dir / LOG_NAME).write_text(_log_text(config, values))
    stamp.write_text(wanted)
    return root


def standard_sweep(runs: int | None = None) -> tuple[Path, Shape]:
    """Make the sweep of the requirement, or one of ``runs`` short logs, in ``benchmarks/data``."""
    shape = FULL if runs is None else flat_shape(runs)
    return native_sweep(DATA / f"native-{shape.runs}x{shape.epochs}", shape), shape


def _config(
    name: str, lr: float, weight_decay: float, weights: str | None, seed: int, epochs: int
) -> dict[str, Any]:
    return {
        "paths": {"root": "/scratch/me", "run_dir": f"/scratch/me/logs/{name}"},
        "data": {
            "name": "cifar100",
            "num_workers": 8,
            "train": {"normalize": {"mean": [0.507, 0.487, 0.441], "std": [0.267, 0.256, 0.276]}},
        },
        "model": {"name": "resnet18", "num_classes": 100, "weights": weights},
        "optim": {
            "name": "sgd",
            "lr": lr,
            "momentum": 0.9,
            "weight_decay": weight_decay,
            "clip_grad_norm": None,
        },
        "lr_scheduler": {"name": "cosine", "warmup_epochs": 5, "min_lr": 0.0},
        "train": {"batch_size": 128, "drop_last": True},
        "val": {"batch_size": 512},
        "seed": seed,
        "epochs": epochs,
        "device": "cuda",
        "amp": False,
        "write_checkpoint": f"/scratch/me/ckpt/{name}",
    }


def _curves(number: int, lr: float, weight_decay: float, epochs: int) -> list[list[list[float]]]:
    """Values as ``[epoch][split][metric]``: learning curves with noise."""
    rng = np.random.default_rng(number)
    noise = 1 + 0.05 * rng.standard_normal((len(METRICS), epochs, len(SPLITS)))
    pace = 1 - np.exp(-np.arange(1, epochs + 1) / (20 + abs(math.log(lr / 0.02)) * 8))
    skill = (pace[:, None] * np.array([1.0, 0.8, 0.78])) * (1 - 10 * weight_decay)
    loss = 4.6 * (1 - 0.9 * skill) * noise[0]
    acc1 = np.clip(95 * skill * noise[1], 0, 100)
    acc5 = np.clip(100 - (100 - acc1) * 0.4 * noise[2], 0, 100)
    ece = 0.1 * skill * np.abs(noise[3])
    grad_norm = np.abs(3 * (1 - 0.5 * skill) * noise[4])
    curves: list[list[list[float]]] = np.stack([loss, acc1, acc5, ece, grad_norm], axis=-1).tolist()
    return curves


def _log_text(config: dict[str, Any], values: list[list[list[float]]]) -> str:
    lines = [
        json.dumps({"type": "dict_config", "value": config}),
        '{"type": "str", "value": ">> Running: train"}',
    ]
    stats = ", ".join(f'"{metric}": %r' for metric in METRICS)
    epoch_text = '{"type": "str", "value": ">> Start Epoch: %d"}\n'
    epoch_text += "".join(
        f'{{"title": "agg_{split}", "data_name": "{split}", "agg_stats": {{{stats}}}}}\n'
        for split in SPLITS
    )
    epoch_text += '{"type": "str", "value": ""}'
    for epoch, splits in enumerate(values):
        lines.append(epoch_text % (epoch, *(value for split in splits for value in split)))
    took = timedelta(seconds=int(11 * len(values) + values[-1][0][0]))
    lines.append(json.dumps({"type": "str", "value": f"Training time {took}"}))
    lines.append('{"type": "str", "value": ">> Done"}')
    return "\n".join(lines) + "\n"


def main() -> None:
    """Make the sweeps of the benchmarks."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("runs", nargs="*", type=int, help="sizes of the flatness test to make too")
    for runs in (None, *parser.parse_args().runs):
        path, shape = standard_sweep(runs)
        sizes = [log.stat().st_size for log in path.rglob(LOG_NAME)]
        total = sum(sizes)
        print(f"{path}: {shape}: {total / 1e6:.1f} MB, {total / len(sizes) / 1e3:.1f} kB a log")


if __name__ == "__main__":
    main()
