"""Train a sweep of small networks on scikit-learn's digits and log it with ``RunLogger``.

Learning rate x weight decay x initial weights x seed, each run a process of its own, as on a
cluster: some runs diverge, some are killed in mid-epoch, and one of those is run again in
another directory. Needs scikit-learn: ``pip install --group examples``.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import time
from multiprocessing.connection import wait
from pathlib import Path
from typing import NamedTuple

# One thread a run: the jobs are the parallelism. It must be said before NumPy is loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from sklearn.datasets import load_digits

from runcube import RunLogger

LRS = (0.004, 0.028, 0.2, 1.4)
WEIGHT_DECAYS = (0.0, 0.01, 0.1)
WEIGHTS = (None, "DEFAULT")
SEEDS = range(5)
EPOCHS = 20
PRETRAIN_EPOCHS = 30
HIDDEN = 32
LEAK = 0.1
BATCH = 25
# Parts of the 1,797 digits; the pretrained weights come from digits that no run sees again.
PARTS = {"pretrain": 500, "train": 500, "val": 400, "eval": 397}


class Part(NamedTuple):
    """Images ``x`` (n, 64), scaled to about unit variance, and their digits ``y`` (n,)."""

    x: np.ndarray
    y: np.ndarray


class Network:
    """One hidden layer of leaky rectified units under a softmax, trained by plain SGD."""

    def __init__(self, rng: np.random.Generator, hidden: int, layer: tuple | None = None):
        w = rng.normal(0, np.sqrt(2 / 64), (64, hidden))
        v = rng.normal(0, np.sqrt(1 / hidden), (hidden, 10))
        first = (w, np.zeros(hidden)) if layer is None else layer
        # Single precision, as on an accelerator: a run that explodes gets to inf and NaN.
        self.params = [param.astype(np.float32) for param in (*first, v, np.zeros(10))]

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return hidden units (n, hidden) and log-probabilities (n, 10)."""
        w, b, v, c = self.params
        hidden = x @ w + b
        hidden = np.maximum(hidden, LEAK * hidden)
        logits = hidden @ v + c
        logits = logits - logits.max(axis=1, keepdims=True)
        return hidden, logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))

    def step(self, part: Part, lr: float, weight_decay: float) -> None:
        """Take one step of SGD; weight decay acts on the weights, not on the biases."""
        hidden, logp = self.forward(part.x)
        out = np.exp(logp)
        out[np.arange(len(part.y)), part.y] -= 1
        out /= len(part.y)
        back = out @ self.params[2].T
        back[hidden < 0] *= LEAK
        slopes = [part.x.T @ back, back.sum(0), hidden.T @ out, out.sum(0)]
        decays = (weight_decay, 0.0) * 2
        self.params = [
            param - lr * (slope + decay * param)
            for param, slope, decay in zip(self.params, slopes, decays, strict=True)
        ]

    def metrics(self, part: Part) -> dict[str, float]:
        """Loss, and top-1 and top-5 accuracy in percent."""
        _, logp = self.forward(part.x)
        ranked = np.argsort(-logp, axis=1, kind="stable") == part.y[:, None]
        return {
            "loss": -logp[np.arange(len(part.y)), part.y].mean(),
            "acc1": 100 * ranked[:, 0].mean(),
            "acc5": 100 * ranked[:, :5].any(axis=1).mean(),
        }


def load_parts() -> dict[str, Part]:
    """Digits in one fixed order, cut into the parts."""
    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    x = ((x - x.mean()) / x.std()).astype(np.float32)
    cuts = np.split(order, np.cumsum(list(PARTS.values()))[:-1])
    return {name: Part(x[cut], y[cut]) for name, cut in zip(PARTS, cuts, strict=True)}


def epochs(network: Network, part: Part, rng, *, count: int, lr: float, weight_decay: float):
    """Train, in a new order each epoch; yields after every step, with the epoch and its end."""
    for epoch in range(count):
        batches = np.split(rng.permutation(len(part.y)), len(part.y) // BATCH)
        for i, batch in enumerate(batches, 1):
            network.step(Part(part.x[batch], part.y[batch]), lr, weight_decay)
            yield epoch, i == len(batches)


def pretrain(parts: dict[str, Part]) -> tuple[np.ndarray, np.ndarray]:
    """Train the weights called DEFAULT: the hidden layer only, each run gets a head of its own."""
    rng = np.random.default_rng(2026)
    network = Network(rng, HIDDEN)
    for _ in epochs(
        network, parts["pretrain"], rng, count=PRETRAIN_EPOCHS, lr=0.1, weight_decay=0.0
    ):
        pass
    return network.params[0], network.params[1]


def configuration(run_dir: Path, lr: float, weight_decay: float, weights: str | None, seed: int):
    """Nest the configuration of one run as training scripts nest theirs."""
    return {
        "paths": {"root": str(run_dir.parent), "run_dir": str(run_dir)},
        "data": {"name": "digits", "train": {"size": PARTS["train"], "batch_size": BATCH}},
        "model": {"name": "mlp", "hidden": HIDDEN, "weights": weights},
        "optim": {"name": "sgd", "lr": lr, "weight_decay": weight_decay, "momentum": None},
        "seed": seed,
        "epochs": EPOCHS,
        "device": "cpu",
    }


def train(config: dict, parts: dict[str, Part], default: tuple, step_limit: int | None) -> None:
    """One run; at ``step_limit`` its process ends at once, as when a cluster takes a node back."""
    model, optim = config["model"], config["optim"]
    rng = np.random.default_rng(config["seed"])
    network = Network(rng, model["hidden"], default if model["weights"] else None)
    # Divergence is a result: it is logged as NaN, not raised.
    with np.errstate(all="ignore"), RunLogger(config["paths"]["run_dir"], config) as log:
        steps = epochs(
            network,
            parts["train"],
            rng,
            count=config["epochs"],
            lr=optim["lr"],
            weight_decay=optim["weight_decay"],
        )
        started = -1
        for count, (epoch, ended) in enumerate(steps, 1):
            if epoch > started:
                log.start_epoch(epoch)
                started = epoch
            if count == step_limit:
                os._exit(137)
            if ended:
                log.log("train", network.metrics(parts["train"]) | {"lr": optim["lr"]})
                log.log("val", network.metrics(parts["val"]))
                log.log("eval", network.metrics(parts["eval"]))


def run_all(jobs: list[tuple], shared: tuple, workers: int) -> None:
    """Run each job in a process of its own, ``workers`` at a time."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("fork" if "fork" in methods else None)
    waiting, running = list(reversed(jobs)), {}
    while waiting or running:
        while waiting and len(running) < workers:
            config, step_limit = waiting.pop()
            process = context.Process(target=train, args=(config, *shared, step_limit))
            process.start()
            running[process.sentinel] = process, config
        for sentinel in wait(list(running)):
            process, config = running.pop(sentinel)
            process.join()
            if process.exitcode:
                print(f"{config['paths']['run_dir']}: ended with exit code {process.exitcode}")


def main() -> None:
    """Train the sweep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("examples/logs"))
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="runs at a time")
    parser.add_argument(
        "--kill-some",
        type=int,
        default=3,
        metavar="N",
        help="end N runs at some step in mid-epoch; the first of them is run again in OUT/rerun",
    )
    args = parser.parse_args()
    if args.out.exists() and any(args.out.iterdir()):
        parser.error(f"{args.out} is not empty: remove it, or name another directory with --out")

    start = time.perf_counter()
    parts = load_parts()
    shared = parts, pretrain(parts)
    grid = list(itertools.product(LRS, WEIGHT_DECAYS, WEIGHTS, SEEDS))
    rng = np.random.default_rng(3)
    victims = sorted(rng.choice(len(grid), args.kill_some, replace=False).tolist())
    total = EPOCHS * PARTS["train"] // BATCH
    limits = dict(zip(victims, rng.integers(2, total, len(victims)).tolist(), strict=True))
    jobs = [
        (configuration(args.out / "sweep" / f"{i:03d}", *point), limits.get(i))
        for i, point in enumerate(grid)
    ]
    run_all(jobs, shared, args.jobs)
    again = [(configuration(args.out / "rerun" / f"{i:03d}", *grid[i]), None) for i in victims[:1]]
    run_all(again, shared, args.jobs)
    elapsed = time.perf_counter() - start
    print(f"{len(jobs) + len(again)} runs in {elapsed:.0f} s, logs in {args.out}")


if __name__ == "__main__":
    main()
