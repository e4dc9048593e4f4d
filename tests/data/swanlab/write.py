"""Writes the runs beside this file with the real logger, offline: needs swanlab 0.10.

``python write.py`` writes ``logs`` anew, and what was logged into ``truth.json``.
"""

import json
import math
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
LOGS = HERE / "logs"


def points(lr, seed, low=0, high=12):
    for step in range(low, high):
        loss = math.nan if (lr, seed, step) == (0.2, 1, 5) else lr / (step + 1) + seed
        yield step, {"train/loss": loss, "val/acc": 1 - lr / (step + 1), "tokens": step * 3}


def start(lr, seed, **options):
    import swanlab

    config = {"lr": lr, "seed": seed, "optim": {"name": "adam", "betas": [0.9, 0.99]}, "amp": True}
    swanlab.init(
        mode="offline",
        log_dir=str(LOGS),
        project="demo",
        name=f"lr{lr}-s{seed}",
        config=config,
        group="g",
        tags=["a"],
        job_type="train",
        **options,
    )
    return swanlab


def main(what, lr, seed):
    lr, seed = float(lr), int(seed)
    if what == "resumed":
        start(lr, seed, id="resumedrun", resume="allow")
        low, high = 6, 12
    else:
        start(lr, seed, **({"id": "resumedrun"} if what == "begun" else {}))
        low, high = 0, {"begun": 8, "killed": 200}.get(what, 12)
    import swanlab

    for step, values in points(lr, seed, low, high):
        more = what == "resumed"
        swanlab.log({name: value + more for name, value in values.items()}, step=step)
        if what == "text":
            swanlab.log({"sample": swanlab.Text(f"step {step}")}, step=step)
        if what == "killed" and step == 199:
            time.sleep(3)
            os._exit(9)
    if what == "crashed":
        swanlab.finish(state="crashed", error="boom")
    else:
        swanlab.finish()


RUNS = [
    ("plain", 0.1, 0),
    ("text", 0.1, 1),
    ("crashed", 0.2, 0),
    ("plain", 0.2, 1),
    ("killed", 0.3, 0),
    ("begun", 0.3, 1),
    ("resumed", 0.3, 1),
]

if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(*sys.argv[1:])
    else:
        shutil.rmtree(LOGS, ignore_errors=True)
        truth = {}
        for what, lr, seed in RUNS:
            command = [sys.executable, __file__, what, str(lr), str(seed)]
            subprocess.run(command, check=what != "killed")
            curves = truth.setdefault(f"{lr} {seed}", {})
            low, high = {"killed": (0, 200), "begun": (0, 8), "resumed": (6, 12)}.get(what, (0, 12))
            for step, values in points(lr, seed, low, high):
                for name, value in values.items():
                    own = "nan" if math.isnan(value) else value + (what == "resumed")
                    curves.setdefault(name, {})[step] = own
        (HERE / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")
        for path in sorted(LOGS.rglob("*"), reverse=True):
            kept = path.suffix == ".swanlab" or path.name == "config.yaml"
            if path.is_file() and not kept:
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()
