"""Write runs with trackio itself, and what was logged.

Run in an empty directory: ``TRACKIO_DIR=projects python write.py``.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import trackio
from trackio.fragments import FragmentWriter, metric_record

NAN, INF = float("nan"), float("inf")
FOLDER = Path(os.environ["TRACKIO_DIR"])


class Recorder:
    """A run that is being logged, with what is logged."""

    def __init__(self, name, config, **options):
        self.run = trackio.init(
            project="digits", name=name, config=config, auto_log_gpu=False, embed=False, **options
        )
        self.truth = {"name": name, "id": self.run.id, "config": config, "rows": []}

    def log(self, values, step=None):
        trackio.log(values, step=step)
        said = {k: repr(v) if isinstance(v, float) else v for k, v in values.items()}
        said = {k: v for k, v in said.items() if not isinstance(v, trackio.Table)}
        self.truth["rows"].append([step, said])

    def end(self):
        trackio.finish()
        return self.truth


def sweep():
    for lr in (0.1, 0.01):
        for seed in (0, 1):
            run = Recorder(f"lr{lr}-s{seed}", {"lr": lr, "seed": seed, "optim": {"name": "adam"}})
            for step in range(6):
                loss = lr + seed / 8 + 1 / (step + 1)
                run.log({"train/loss": loss, "val/loss": loss + 1}, step)
            yield run.end()


def odd():
    config = {"lr": 1.0, "seed": 0, "optim": {"name": "adam"}, "layers": [64, 32], "none": None}
    run = Recorder("diverged", config)
    for step, value in enumerate((1.0, 1e300, INF, NAN, -INF)):
        run.log({"train/loss": value}, step)
    yield run.end()
    # Another run of a name that is taken already.
    run = Recorder("diverged", config | {"seed": 1})
    for step in range(3):
        run.log({"train/loss": 2.0 - step, "note": "text"}, step)
    yield run.end()
    run = Recorder("unnumbered", config | {"seed": 2})
    for step in range(3):
        run.log({"train/loss": 1.0 + step, "nested": {"a": step, "b": {"c": 0.5}}})
    run.log({"table": trackio.Table(columns=["a"], data=[[1]]), "train/loss": 9.0})
    yield run.end()


def killed():
    run = Recorder("killed", {"lr": 0.01, "seed": 2, "optim": {"name": "adam"}})
    for step in range(4):
        run.log({"train/loss": 3.0 - step}, step)
    time.sleep(4)
    print(json.dumps(run.truth), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def inbox():
    """Logged where SQLite is unsafe: one run that the database has, and one that it has not."""
    config = {"lr": 0.1, "seed": 2, "optim": {"name": "adam"}}
    records = [
        metric_record(
            {
                "project": "digits",
                "run": "in inbox",
                "run_id": "0123456789abcdef",
                "metrics": {"train/loss": value},
                "step": step,
                "timestamp": f"2026-11-29T12:00:0{step}.250000+00:00",
                "config": config,
                "log_id": f"log-{step}",
            }
        )
        for step, value in enumerate((1.0, NAN, 0.25))
    ]
    FragmentWriter("writer").write_local(records, FOLDER / "inbox")
    rows = [[step, {"train/loss": repr(v)}] for step, v in enumerate((1.0, NAN, 0.25))]
    return {"name": "in inbox", "id": "0123456789abcdef", "config": config, "rows": rows}


def main():
    truth = [*sweep(), *odd()]
    command = [sys.executable, __file__, "killed"]
    lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    truth.append(json.loads(lines.splitlines()[-1]))
    truth.append(inbox())
    Path("truth.json").write_text(json.dumps(truth, indent=1) + "\n")


if __name__ == "__main__":
    killed() if sys.argv[1:] else main()
