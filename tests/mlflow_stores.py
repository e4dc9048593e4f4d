"""Small stores of MLflow, written by hand: what no version of it would write is among it."""

import sqlite3
from contextlib import closing

COLUMNS = {
    "experiments": "experiment_id INTEGER PRIMARY KEY, name, lifecycle_stage",
    "runs": "run_uuid VARCHAR PRIMARY KEY, name, user_id, status, start_time, end_time,"
    " experiment_id, lifecycle_stage",
    "metrics": "key VARCHAR, value FLOAT, timestamp BIGINT, run_uuid VARCHAR, step BIGINT,"
    " is_nan BOOLEAN",
    "params": "key, value, run_uuid, PRIMARY KEY (key, run_uuid)",
    "tags": "key, value, run_uuid, PRIMARY KEY (key, run_uuid)",
}
BEGAN = 1_700_000_000_000


def run_of(points, *, params=None, tags=None, status="FINISHED", stage="active"):
    """A run: ``points`` are (key, step, value), in the order in which they are logged."""
    return {
        "points": points,
        "params": params or {},
        "tags": tags or {},
        "status": status,
        "stage": stage,
    }


def clock(number):
    return BEGAN + 250 * number


def write_sqlite(path, runs, experiment="sweep"):
    """Write runs, by their ids, as an SQLite database with the tables that are read."""
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA synchronous=OFF")
        for table, columns in COLUMNS.items():
            made.execute(f"CREATE TABLE {table}({columns})")
        made.execute("INSERT INTO experiments VALUES (1, ?, 'active')", (experiment,))
        for run, held in runs.items():
            row = (run, f"name of {run}", "me", held["status"], BEGAN, BEGAN + 1500, 1)
            made.execute("INSERT INTO runs VALUES (?,?,?,?,?,?,?,?)", (*row, held["stage"]))
            for table in ("params", "tags"):
                rows = [(key, str(value), run) for key, value in held[table].items()]
                made.executemany(f"INSERT INTO {table} VALUES (?,?,?)", rows)
            for number, (key, step, value) in enumerate(held["points"]):
                is_nan = value != value
                stored = (
                    0.0
                    if is_nan
                    else max(min(value, 1.7976931348623157e308), -1.7976931348623157e308)
                )
                row = (key, stored, clock(number), run, step, is_nan)
                made.execute("INSERT INTO metrics VALUES (?,?,?,?,?,?)", row)
        made.commit()
    return path


STATUS = {"RUNNING": 1, "SCHEDULED": 2, "FINISHED": 3, "FAILED": 4, "KILLED": 5}


def write_files(root, runs, experiment="sweep"):
    """Write runs, by their ids, as a file store."""
    above = root / "1"
    above.mkdir(parents=True)
    (above / "meta.yaml").write_text(
        f"experiment_id: '1'\nlifecycle_stage: active\nname: {experiment}\n"
    )
    for run, held in runs.items():
        folder = above / run
        for kind in ("params", "tags"):
            for key, value in held[kind].items():
                _write(folder / kind / key, str(value))
        lines = {}
        for number, (key, step, value) in enumerate(held["points"]):
            lines.setdefault(key, []).append(f"{clock(number)} {value!r} {step}\n")
        for key, texts in lines.items():
            _write(folder / "metrics" / key, "".join(texts))
        _write(
            folder / "meta.yaml",
            f"end_time: {BEGAN + 1500}\nexperiment_id: '1'\nlifecycle_stage: {held['stage']}\n"
            f"run_id: {run}\nrun_name: name of {run}\nstart_time: {BEGAN}\n"
            f"status: {STATUS[held['status']]}\nuser_id: me\n",
        )
    return root


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def write(kind, root, runs, **options):
    """Write runs to one of the two storages; return the root of the logs."""
    root.mkdir(exist_ok=True)
    if kind == "files":
        write_files(root / "mlruns", runs, **options)
    else:
        write_sqlite(root / "mlflow.db", runs, **options)
    return root
