"""Write the runs beside this file with Sacred, and ``truth.json``: what was logged, call by call.

``python write.py OUT`` in an environment with sacred and numpy.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
from sacred import SETTINGS, Experiment
from sacred.observers import FileStorageObserver

SETTINGS.CAPTURE_MODE = "sys"
OUT = Path(sys.argv[1])
TRUTH = OUT / "truth.json"
EPOCHS, BATCHES = 4, 3


def log(run, calls, name, value, step=None):
    run.log_scalar(name, value, step)
    calls.append([name, float(value), step])


def append(info, name, value, step):
    """Keep a curve in ``info``, as PyMARL does."""
    info.setdefault(name, []).append(value)
    info.setdefault(f"{name}_T", []).append(step)


def train(_run, lr, ends, calls):
    print("begins")
    shared = np.float64(lr * 2)
    for epoch in range(EPOCHS):
        for batch in range(BATCHES):
            step = epoch * BATCHES + batch
            loss = np.float32(lr / (step + 1)) if lr < 5 or not epoch else np.float64("nan")
            log(_run, calls, "training.loss", loss, step)
        log(_run, calls, "val.acc", np.float64(50 + 10 * epoch - lr), step)
        log(_run, calls, "plain", epoch)
        append(_run.info, "return_mean", np.float64(lr * epoch), epoch * 10)
        # Twice the same object: the second one is a reference.
        append(_run.info, "return_std", shared, epoch * 10)
        # In both, as EPyMARL does.
        append(_run.info, "test_won", np.float64(epoch / 4), step)
        log(_run, calls, "test_won", epoch / 4, step)
        if epoch == 1 and ends == "crashed":
            raise RuntimeError("out of luck")
        if epoch == 1 and ends == "interrupted":
            raise KeyboardInterrupt
        if epoch == 1 and ends == "killed":
            _run._emit_heartbeat()
            note(calls)
            os.kill(os.getpid(), signal.SIGKILL)
    _run.info |= {"best": np.float64(90.0), "note": "fine", "sizes": np.arange(3.0)}
    print("ends")
    return {"acc": np.float64(93.0 - lr)}


def note(calls):
    known = json.loads(TRUTH.read_text()) if TRUTH.exists() else []
    TRUTH.write_text(json.dumps([*known, calls]))


def run(lr, seed, ends="complete"):
    calls = []
    experiment = Experiment("tiny", base_dir="/tmp", save_git_info=False)
    experiment.observers.append(FileStorageObserver(OUT / "runs", copy_sources=False))

    def config():
        lr = 0.1  # noqa: F841
        optim = {"name": "sgd", "betas": (0.9, 0.99)}  # noqa: F841

    experiment.config(config)

    def main(_run, lr):
        return train(_run, lr, ends, calls)

    experiment.main(main)
    with contextlib.suppress(RuntimeError, KeyboardInterrupt):
        experiment.run(config_updates={"lr": lr, "seed": seed})
    note(calls)


if len(sys.argv) > 2:
    run(float(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    for lr in (0.1, 0.2):
        for seed in (1, 2):
            run(lr, seed)
    run(9.0, 1)
    for seed, ends in enumerate(("crashed", "interrupted"), 3):
        run(0.1, seed, ends)
    subprocess.run([sys.executable, __file__, str(OUT), "0.1", "5", "killed"], check=False)
    # Paths of the machine, which say nothing.
    for path in OUT.glob("runs/*/run.json"):
        path.write_text(path.read_text().replace(sys.prefix, "/venv").replace(__file__, "write.py"))
