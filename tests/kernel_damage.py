"""Batches of JSON lines, damaged in every way that came to mind: what both kernels are tried on."""

import json
import random

LINES = [
    b'{"step": 1, "train/loss": 0.25, "val/acc": 1e-3, "lr": 1E+2, "done": true, "x": null}',
    b'{"step":2,"train/loss":NaN,"val/acc":-Infinity,"lr":Infinity,"done":false,"big":1'
    + b"0" * 30,
    b'{"step":2,"loss":NaN,"acc":-Infinity,"lr":Infinity,"done":false,"big":12345678901234567890}',
    '{"name": "caf\\u00e9 \\ud83d\\ude00 \\ud800 é 漢字 😀", "\\"": "\\\\\\/\\b\\f"}'.encode(),
    '{"é": [1, {"a": [], "b": {}}, "]"], "w": ["\\u12", "x"]}'.encode(),
    b'{"cfg": {"lr": 0.1, "sizes": [1, 2], "name": "x"}, "step": 3, "a": {"b": {"c": 1}}, "e": {}}',
    b'{"cfg": {"lr":0.1,"sizes":[1,2],"name":"x"}, "step": 4, "a": {"b": {"c": 2.5}, "d": 7}}',
    b'{"cfg": null, "a": 1, "a": {"b": 2}, "a": {"c": 3, "c": 4}, "b": -0, "f": -0.0, "g": 1e400}',
    b'{"a": {"x": 1}, "b": 2, "a": {"y": 5e-324, "z": {}}, "b": 3e-320, "a": {"y": 1e23}}',
    b' \t{ "a" : { "b" : 1 , "c" : [ 1 , 2 ] } , "cfg" : [1] } \r',
    b"",
    b"\0\0\0",
    b'\0{"a": 1}\0',
    b"[1]",
    b"12",
    b'{"a":1}{"a":2}',
    b"{}",
    b'{"h": 1e-310, "h": 2, "i": 9007199254740993.0, "i": {"j": 3e-320}, "k": -1'
    + b"7" * 400
    + b"}",
    b'{"cfg": 1, "s": 1}',
    b'{"cfg": "x", "s": 3}',
    b'{"cfg": "xy", "s": true}',
    b'{"a": ' * 9 + b"1" + b"}" * 9,
    b'{"a": ' + b"[" * 12 + b"]" * 12 + b"}",
    b'{"\\u0061": 1, "a/b": 2, "a": {"b": 3}, "c\\"g": 4, "c\\\\g": 5}',
    b'{"type": "str", "value": ">> Start Epoch: 3"}',
    b'{"title": "t", "data_name": "val", "agg_stats": {"acc1": 0.25, "loss": 1.5, "n": 3}}',
    b'{"title": "t", "data_name": "train", "agg_stats": {"acc1": 0.1, "loss": NaN, "n": 4}}',
]
PIECES = [
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\n", b"\0", b"\r", b"\t", b"NaN"),
    *(b"null", b"1e5", b"-", b".", b"e", b"\xff", b"\xc3\xa9", b"\xed\xa0\x80", b"\xe0\x80\x80"),
    *(b"\xe0\xa0\x80", b"\xf4\x90\x80\x80", b"\xf0\x80\x80\x80", b"\xf0\x9f\x98\x80", b"\\u12"),
    *(b"\\ud800", b'"a": 1, ', b"Infinity", b"-Infinity", b"0", b"00", b"\x1f", b"\x7f"),
]


def mutated(line: bytes, rng: random.Random) -> bytes:
    out = bytearray(line)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        at, what = rng.randrange(len(out) + 1), rng.randrange(7)
        if what == 0 and out:
            out[at % len(out)] = rng.randrange(256)
        elif what == 1 and out:
            out[at % len(out)] ^= 1 << rng.randrange(8)
        elif what == 2:
            escape = b"\\u%04x" % rng.choice(
                [rng.getrandbits(16), 0x7FF, 0x800 + rng.getrandbits(6)]
            )
            out[at:at] = rng.choice(PIECES) if rng.random() < 0.8 else escape
        elif what == 3:
            del out[at : at + rng.choice([1, 1, 2, 8, 1000])]
        elif what == 4:
            other = rng.choice(LINES)
            out[at:] = other[rng.randrange(len(other) + 1) :]
        elif what == 5:
            to = rng.randrange(len(out) + 1)
            out[at:at] = out[min(at, to) : max(at, to)][:200]
        elif out:
            out[at % len(out) : at % len(out) + 1] = rng.choice(PIECES)
    return bytes(out)


def damaged_file(rng: random.Random) -> bytes:
    """Some lines in a row or anyhow, most of them touched, perhaps cut anywhere."""
    at, count = rng.randrange(len(LINES)), rng.choice([1, 1, 2, 5, 20, 60])
    row = rng.random() < 0.5
    lines = [LINES[(at + i) % len(LINES)] if row else rng.choice(LINES) for i in range(count)]
    touched = [mutated(line, rng) if rng.random() < 0.7 else line for line in lines]
    data = b"\n".join(touched) + rng.choice([b"", b"\n", b"\n\n", b"\r\n", b" "])
    data = rng.choice([b"", b"", b"", b"\xef\xbb\xbf"]) + data
    return data[: rng.randrange(len(data) + 1)] if rng.random() < 0.1 else data


def held(decoded):
    """All that a batch was decoded to, as what compares exactly: bits of floats, JSON of items."""
    return {
        "lines": decoded.lines.tolist(),
        "offsets": decoded.offsets.tolist(),
        "ends": decoded.ends.tolist(),
        "orders": decoded.orders,
        "bad": decoded.bad,
        "left out": list(decoded.left_out.items()),
        "cells": [
            (
                path,
                cells.rows.tolist(),
                cells.kinds.tolist(),
                cells.values.tobytes(),
                cells.words,
                json.dumps(cells.items),
                cells.seen,
            )
            for path, cells in decoded.cells.items()
        ],
    }
