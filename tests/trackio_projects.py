"""Small projects of trackio, written by hand: what no version of it would write is among it."""

import json
import sqlite3
from contextlib import closing

STEPS = 6


def write_project(path, *, lrs=(0.1, 0.2), seeds=(0, 1), with_ids=True):
    """Write a database of a run for each learning rate and seed; older ones have no ids."""
    own = "run_id TEXT, " if with_ids else ""
    with closing(sqlite3.connect(path)) as made:
        made.execute(
            f"CREATE TABLE metrics(id INTEGER PRIMARY KEY, {own}timestamp, run_name, step, metrics)"
        )
        made.execute(f"CREATE TABLE configs(id INTEGER PRIMARY KEY, {own}run_name, config)")
        for lr in lrs:
            for seed in seeds:
                known = [f"id-{lr}-{seed}"] * with_ids
                marks = ",?" * len(known)
                name, config = f"name-{lr}-{seed}", json.dumps({"lr": lr, "seed": seed})
                row = (*known, name, config)
                made.execute(f"INSERT INTO configs VALUES (NULL,?,?{marks})", row)
                for step in range(STEPS):
                    time = f"2026-01-01T00:00:{step:02}.500000+00:00"
                    values = json.dumps({"val/loss": lr + seed + step / 8})
                    row = (*known, time, name, step, values)
                    made.execute(f"INSERT INTO metrics VALUES (NULL,?,?,?,?{marks})", row)
        made.commit()
    return path
