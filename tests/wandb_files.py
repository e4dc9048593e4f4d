"""Files ``*.wandb`` made by the test itself, by a second implementation of the format."""

import json
import struct
import zlib

BLOCK, CHUNK = 1 << 15, 7
HEAD = b":W&B\xe1\xbe\x00"


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """A whole number or bytes (text, message) as a field of a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def item(names, value, *, nested=True):
    names = (names,) if isinstance(names, str) else names
    keys = b"".join(field(2 if nested else 1, name) for name in names)
    return keys + field(16, json.dumps(value))


def history(values, step=None, **options):
    items = b"".join(field(1, item(k, v, **options)) for k, v in values.items())
    return field(2, items + (b"" if step is None else field(2, field(1, step))))


def config(updates=(), removed=()):
    updated = b"".join(field(1, item(k, v, nested=False)) for k, v in dict(updates).items())
    return updated + b"".join(field(2, field(1, key)) for key in removed)


def run(values, run_id="abc", **facts):
    numbers = {"project": 3, "group": 6, "job_type": 7, "name": 8, "sweep_id": 12}
    own = b"".join(field(numbers[k], v) for k, v in facts.items())
    return field(17, field(1, run_id) + field(4, config(values)) + own)


def summary(values):
    return field(3, b"".join(field(1, item(k, v)) for k, v in values.items()))


def ended(code=0, **flags):
    return field(18, (field(1, code) if code else b"") + b"".join(field(3, 1) for _ in flags))


def chunk(kind, payload):
    return struct.pack("<IHB", zlib.crc32(bytes([kind]) + payload), len(payload), kind) + payload


def framed(records):
    """The bytes of a file that holds some records."""
    out = bytearray(HEAD)
    for record in records:
        rest, begun = record, False
        while True:
            left = BLOCK - len(out) % BLOCK
            if left < CHUNK:
                out += bytes(left)
                left = BLOCK
            piece, rest = rest[: left - CHUNK], rest[left - CHUNK :]
            out += chunk((3 if rest else 4) if begun else (2 if rest else 1), piece)
            begun = True
            if not rest:
                break
    return bytes(out)


def write(root, records, run_id="abc", time="20260101_000000", **files):
    """Write the directory of a run; ``config_yaml="…"`` is its ``files/config.yaml``."""
    folder = root / "wandb" / f"offline-run-{time}-{run_id}"
    (folder / "files").mkdir(parents=True)
    data = records if isinstance(records, bytes) else framed(records)
    (folder / f"run-{run_id}.wandb").write_bytes(data)
    for name, text in files.items():
        stem, _, ending = name.rpartition("_")
        (folder / "files" / f"{stem.replace('_', '-')}.{ending}").write_text(text)
    return folder
