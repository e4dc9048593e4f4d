"""Write the same runs with MLflow itself, to its file store and to SQLite, and what was logged.

Run with mlflow-skinny, sqlalchemy and alembic (see README.md), in an empty directory:
``MLFLOW_ALLOW_FILE_STORE=true MLFLOW_DISABLE_TELEMETRY=true python write.py``.
"""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

NAN, INF = float("nan"), float("inf")
STORES = {"files": "mlruns", "sqlite": "sqlite:///mlflow.db"}


def curve(lr, seed, count=6):
    return [lr + 0.1 * seed + 1.0 / (step + 1) for step in range(count)]


class Recorder:
    """A run that is being logged, with what is logged."""

    def __init__(self, client, experiment, name, params, **tags):
        self.client = client
        run = client.create_run(experiment, run_name=name, tags=tags)
        self.id = run.info.run_id
        self.params = {key: str(value) for key, value in params.items()}
        self.truth = {"name": name, "params": self.params, "metrics": {}, "status": "RUNNING"}
        client.log_batch(self.id, params=[Param(k, v) for k, v in self.params.items()])

    def log(self, key, value, step=None, **more):
        # Two at one millisecond, of one step and value, are one to MLflow.
        time.sleep(0.002)
        self.client.log_metric(self.id, key, value, step=step, **more)
        self.truth["metrics"].setdefault(key, []).append([step or 0, repr(float(value))])

    def end(self, status="FINISHED"):
        self.client.set_terminated(self.id, status)
        self.truth["status"] = status
        return self.truth


def sweep(client, experiment):
    """Four complete runs: two learning rates by two seeds."""
    for lr in (0.1, 0.01):
        for seed in (0, 1):
            params = {"lr": lr, "seed": seed, "optim.name": "adam", "layers": [64, 32]}
            run = Recorder(client, experiment, f"lr-{lr}-{seed}", params, stage="grid")
            for step, value in enumerate(curve(lr, seed)):
                run.log("train_loss", value, step)
                run.log("val/loss", value + 1, step)
            run.log("test_acc", 0.5 + lr, None)
            yield run.end()


def odd_runs(client, experiment):
    params = {"lr": 1.0, "seed": 0, "optim.name": "adam", "layers": [64, 32]}
    run = Recorder(client, experiment, "diverged", params, stage="grid")
    for step, value in enumerate((1.0, 1e300, INF, NAN, -INF, NAN)):
        run.log("train_loss", value, step)
    yield run.end()

    run = Recorder(client, experiment, "crashed", params | {"seed": 1}, stage="grid")
    for step in range(3):
        run.log("train_loss", 2.0 - step, step)
    yield run.end("FAILED")

    run = Recorder(client, experiment, "stopped", params | {"lr": 0.01, "seed": 2}, stage="grid")
    run.log("train_loss", 2.0, 0)
    yield run.end("KILLED")

    run = Recorder(client, experiment, "resumed", params | {"lr": 0.1, "seed": 2}, stage="grid")
    for step in (*range(4), *range(2, 6)):
        run.log("train_loss", 1.0 + step / 8, step)
    run.log("test_acc", 0.6, None)
    yield run.end()


def names(client, experiment):
    """Names, and values, that fit no folder, no number and no line."""
    params = {"lr": "1e-3", "text": "a: b\nc", "none": "None", "flag": "True", "path/key": "007"}
    run = Recorder(client, experiment, "parent", params, note="first")
    for step in range(3):
        run.log("foo/bar", step, step)
        run.log("again", step, None)
        run.log("system/cpu usage", 50.0 + step, step)
    batch = [
        Metric("batched", 0.25 * step, 1_700_000_000_250 + 500 * step, step) for step in range(4)
    ]
    client.log_batch(run.id, metrics=batch)
    run.truth["metrics"]["batched"] = [[m.step, repr(m.value)] for m in batch]
    run.log("scored", 0.5, 7, dataset_name="mnist", dataset_digest="1a2b3c")
    client.log_text(run.id, "epoch,loss\n1,0.5\n2,0.25\n", "history.csv")
    yield run.end()
    child = Recorder(client, experiment, "child", {"lr": 2}, **{"mlflow.parentRunId": run.id})
    child.log("foo/bar", 1.0, 0)
    yield child.end()


def deleted(client, experiment):
    run = Recorder(client, experiment, "mistake", {"lr": 9.0, "seed": 9})
    run.log("train_loss", 9.0, 0)
    run.end()
    client.delete_run(run.id)


def killed(store):
    """In a process of its own, which is killed."""
    client = MlflowClient(STORES[store])
    experiment = client.get_experiment_by_name("digits").experiment_id
    params = {"lr": 0.01, "seed": 3, "optim.name": "adam", "layers": [64, 32]}
    run = Recorder(client, experiment, "killed", params, stage="grid")
    for step in range(4):
        run.log("train_loss", 3.0 - step, step)
    print(json.dumps(run.truth), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def main():
    truth = {}
    for store, uri in STORES.items():
        mlflow.set_tracking_uri(uri)
        client = MlflowClient(uri)
        digits = client.create_experiment("digits", artifact_location=f"artifacts/{store}")
        found = [*sweep(client, digits), *odd_runs(client, digits)]
        deleted(client, digits)
        command = [sys.executable, __file__, store]
        lines = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        found.append(json.loads(lines.splitlines()[-1]))
        other = client.create_experiment("names", artifact_location=f"artifacts/{store}")
        found += names(client, other)
        gone = client.create_experiment("gone", artifact_location=f"artifacts/{store}")
        Recorder(client, gone, "of gone", {"lr": 5.0}).end()
        client.delete_experiment(gone)
        truth[store] = found
    Path("truth.json").write_text(json.dumps(truth, indent=1) + "\n")
    with open("mlflow.db", "rb") as db, gzip.GzipFile("mlflow.db.gz", "wb", mtime=0) as packed:
        shutil.copyfileobj(db, packed)


if __name__ == "__main__":
    killed(sys.argv[1]) if sys.argv[1:] else main()
