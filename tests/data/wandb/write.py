"""Writes the runs beside it with the real logger: `WANDB_MODE=offline python write.py`.

Needs wandb 0.31, numpy and pillow. Whatever is logged goes into ``truth.json`` as well, call by
call, before W&B sees it. A sweep's agent gives ids of its own, hence the run's. Files of no use to
the tests are removed afterwards.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
STEPS = 6


def start(run_id, config, **options):
    import wandb

    settings = wandb.Settings(
        x_disable_stats=True, x_disable_meta=True, x_save_requirements=False, host="host"
    )
    return wandb.init(
        project="sweep",
        id=run_id,
        name=f"the {run_id}",
        config=config,
        dir=HERE,
        settings=settings,
        **options,
    )


class Run:
    """A run of W&B that writes down what it is given."""

    def __init__(self, run_id, config, **options):
        self.run = start(run_id, config, **options)
        self.calls = []

    def log(self, values, step):
        kept = {k: v for k, v in values.items() if isinstance(v, float | int)}
        self.calls.append({"step": step, "values": kept})
        self.run.log(values, step=step)

    def save(self):
        made = {"id": self.run.id, "config": dict(self.run.config), "calls": self.calls}
        (HERE / f"{time.time_ns()}.truth").write_text(json.dumps(made))


def train(run, first, last, lr, seed):
    for step in range(first, last):
        run.log({"train/loss": lr / (step + 1) + seed, "epoch": step // 2}, step)
        if step % 2:
            # The same step once more: W&B makes one row of both.
            run.log({"val/loss": lr * step + seed, "val/acc": 0.1 * step}, step)


def whole(lr, seed):
    """Run to its end, with a group, a sweep's id, a summary of its own, and a printed line."""
    os.environ["WANDB_SWEEP_ID"] = "swp12345"
    run = Run(
        f"lr{lr}s{seed}",
        {"optim": {"lr": lr, "name": "adam"}, "seed": seed, "layers": [8, 8]},
        group="all",
        job_type="train",
        tags=["a", "b"],
        notes="a note",
    )
    print("begins")
    train(run, 0, STEPS, lr, seed)
    run.run.summary["best/acc"] = 0.75
    print("ends")
    run.save()
    run.run.finish()


def diverged():
    run = Run("diverged", {"optim": {"lr": 9.0, "name": "adam"}, "seed": 0, "layers": [8, 8]})
    values = (1.5, 1e300, float("inf"), float("nan"), float("-inf"), float("nan"))
    for step, value in enumerate(values):
        run.log({"train/loss": value, "epoch": step // 2}, step)
    run.save()
    run.run.finish()


def crashed():
    run = Run("crashed", {"optim": {"lr": 0.1, "name": "sgd"}, "seed": 0, "layers": [8, 8]})
    train(run, 0, 3, 0.1, 0)
    run.save()
    raise RuntimeError("out of luck")


def killed():
    """Run that is killed while its records are longer than what W&B writes at once."""
    run = Run("killed", {"optim": {"lr": 0.1, "name": "sgd"}, "seed": 1, "layers": [8, 8]})
    for step in range(150):
        run.log({f"train/m{k}": step + 0.1 * k for k in range(4)}, step)
    run.save()
    time.sleep(3)
    os.kill(os.getpid(), signal.SIGKILL)


def resumed():
    """Two directories: the first run fails at step 4, the second goes on from step 2."""
    config = {"optim": {"lr": 0.2, "name": "sgd"}, "seed": 0, "layers": [8, 8]}
    run = Run("resumed", config, resume="allow")
    train(run, 0, 4, 0.2, 0)
    run.run.finish(exit_code=1)
    time.sleep(1.5)
    run.run = start("resumed", config, resume="allow")
    train(run, 2, STEPS, 0.2, 5)
    run.save()
    run.run.finish()


def changed():
    """Everything else: media, texts, lists, a nested metric, a configuration that changes."""
    import numpy as np
    import wandb

    run = Run("changed", {"optim": {"lr": 0.3, "name": "sgd"}, "seed": 0, "width": 3, "gone": 1})
    for step in range(3):
        run.log({"train/loss": float(step), "a": {"b": step, "c/d": 0.5}, "on": True}, step)
        run.log({"hist": wandb.Histogram(np.arange(4.0)), "phase": f"phase {step}"}, step)
    run.log({"image": wandb.Image(np.zeros((2, 2, 3), dtype=np.uint8)), "pair": [1, 2.5]}, 3)
    run.log({"table": wandb.Table(columns=["a"], data=[[1]]), "train/loss": 0.25}, 4)
    run.run.config.update({"width": 4, "late": "yes"}, allow_val_change=True)
    run.run.define_metric("val/acc", summary="max")
    run.log({"val/acc": 0.9}, 5)
    run.log({"val/acc": 0.7}, 6)
    run.run.summary["train/loss"] = -1.0
    run.save()
    run.run.finish()


def main():
    kinds = ["diverged", "crashed", "killed", "resumed", "changed"]
    kinds += [f"whole:{lr}:{seed}" for lr in (0.1, 0.2) for seed in (0, 1)]
    for kind in kinds:
        subprocess.run([sys.executable, __file__, kind], check=False)
        time.sleep(1.5)
    truth = {}
    for path in sorted(HERE.glob("*.truth")):
        made = json.loads(path.read_text())
        truth[made.pop("id")] = made
        path.unlink()
    (HERE / "truth.json").write_text(json.dumps(truth, indent=None) + "\n")


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    else:
        kind, *values = sys.argv[1].split(":")
        globals()[kind](*(json.loads(value) for value in values))
