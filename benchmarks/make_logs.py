"""Sweeps of logs for the benchmarks: made once, deterministic, reused.

The default sweep is the one that the speed requirement names: 5 x 5 x 2 configurations x 40 seeds,
3 splits, 5 metrics, 100 epochs: 2,000 native logs of about 70 kB. Floats have all their digits, as
``json.dumps`` writes them, because short floats would flatter every parser.
"""

from __future__ import annotations

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
FLAT_METRICS = tuple(f"m{number:02d}" for number in range(20))
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
LARGE = Shape(epochs=1_500)
FLAT = Shape(seeds=8, epochs=400)
MANY = Shape(
    tuple(0.001 * i for i in range(1, 51)), tuple(0.01 * i for i in range(10)), seeds=100, epochs=3
)


def native_sweep(root: Path, shape: Shape = FULL, kind: str = "native") -> Path:
    """Make a sweep of logs under ``root``, unless it is there already.

    Parameters
    ----------
    root : Path
        The directory of the sweep; anything else in it is deleted.
    shape : Shape
        The labels, seeds and epochs.
    kind : str
        One of ``KINDS``.

    Returns
    -------
    Path
        ``root``.
    """
    stamp = root.with_name(root.name + ".json")
    words = {"format": FORMAT, "numpy": np.__version__, **asdict(shape)}
    wanted = json.dumps(words if kind == "native" else {**words, "kind": kind})
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
        for name, text in KINDS[kind](config, number).items():
            (run_dir / name).write_text(text)
    stamp.write_text(wanted)
    return root


def standard_sweep() -> tuple[Path, Shape]:
    """Make the sweep of the requirement in ``benchmarks/data``."""
    return native_sweep(DATA / f"native-{FULL.runs}x{FULL.epochs}", FULL), FULL


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


def _curves(number: int, config: dict[str, Any]) -> list[list[list[float]]]:
    """Values as ``[epoch][split][metric]``: learning curves with noise."""
    lr, weight_decay = config["optim"]["lr"], config["optim"]["weight_decay"]
    epochs: int = config["epochs"]
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


def _native(config: dict[str, Any], number: int) -> dict[str, str]:
    return {LOG_NAME: _log_text(config, _curves(number, config))}


def _diverged(config: dict[str, Any], number: int) -> dict[str, str]:
    """Native, with gradients of the training that are NaN in the last tenth."""
    values = _curves(number, config)
    for splits in values[-max(1, len(values) // 10) :]:
        splits[0][-1] = math.nan
    return {LOG_NAME: _log_text(config, values).replace(": nan}", ": NaN}")}


def _flat(config: dict[str, Any], number: int) -> dict[str, str]:
    """Flat records, and the configuration beside them."""
    return {"config.json": json.dumps(config), LOG_NAME: _flat_text(config, number, "")}


def _flat_with_config(config: dict[str, Any], number: int) -> dict[str, str]:
    """Flat records, and the configuration on each line."""
    return {LOG_NAME: _flat_text(config, number, f'"config": {json.dumps(config)}, ')}


KINDS = {
    "native": _native,
    "diverged": _diverged,
    "flat": _flat,
    "flat with config": _flat_with_config,
}


def _flat_text(config: dict[str, Any], number: int, first: str) -> str:
    steps = np.random.default_rng(number).standard_normal((config["epochs"], len(FLAT_METRICS)))
    stats = ", ".join(f'"{metric}": %r' for metric in FLAT_METRICS)
    line = f'{{%s"epoch": %d, {stats}}}\n'
    values = enumerate(np.abs(steps.cumsum(axis=0)).tolist())
    return "".join(line % (first, epoch, *row) for epoch, row in values)


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
