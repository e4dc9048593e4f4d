"""Writes ``reference.json``: the records beside it as W&B's own protobuf code reads them.

The framing follows LevelDB's description, without checks. Needs wandb 0.31.
"""

import json
import struct
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

HERE = Path(__file__).parent
BLOCK, HEADER = 1 << 15, 7


def records(data):
    at, parts = HEADER, []
    while at + HEADER <= len(data):
        if BLOCK - at % BLOCK < HEADER:
            at += BLOCK - at % BLOCK
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        parts.append(data[at + HEADER : at + HEADER + length])
        at += HEADER + length
        if kind in (1, 4):
            yield Record.FromString(b"".join(parts))
            parts = []


def items(given):
    return {"/".join(i.nested_key) or i.key: i.value_json for i in given}


def main():
    found = {}
    for path in sorted(HERE.glob("wandb/*/*.wandb")):
        own = [*records(path.read_bytes())]
        run = next(record.run for record in own if record.HasField("run"))
        ends = [record.exit.exit_code for record in own if record.HasField("exit")]
        found[path.parent.name] = {
            "rows": [items(r.history.item) for r in own if r.HasField("history")],
            "config": items(run.config.update),
            "updates": [items(r.config.update) for r in own if r.HasField("config")],
            "sweep_id": run.sweep_id,
            "exit_code": ends[-1] if ends else None,
        }
    (HERE / "reference.json").write_text(json.dumps(found) + "\n")


main()
