"""Packed files: what is undamaged is read, whatever happened to the rest."""

import gzip
import json
import lzma
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runcube.core import Limits, LogFile
from runcube.files.access import damage_problem, read_bytes, read_ends, read_head
from runcube.files.contents import DAMAGED, beginning, contents
from runcube.files.packed import _part_at, begins_packed, may_be_packed

MOST = 1 << 20


def lines(start, stop):
    return [
        json.dumps({"step": i, "loss": i / 7, "who": "é" * (i % 3)}, ensure_ascii=False)
        for i in range(start, stop)
    ]


def text(records):
    return "".join(line + "\n" for line in records).encode()


def zstd(data):
    zstandard = pytest.importorskip("zstandard")
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


PACK = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "plain": bytes,
}
each_format = pytest.mark.parametrize("pack", [PACK[n] for n in ("gzip", "xz", "zstd")])


def held(data, most=MOST):
    """Lines and damage of a file with these bytes."""
    found, damage = contents(data, most)
    assert damage is None or damage.startswith(DAMAGED)
    return found.decode("utf-8", "replace").split("\n"), damage


FIVE = [lines(i, i + 2) for i in range(0, 10, 2)]
GZIPPED = [gzip.compress(text(part)) for part in FIVE]
ALL = [line for part in FIVE for line in part]


def test_all_members_of_a_gzip_file_are_read():
    assert held(b"".join(GZIPPED)) == ([*ALL, ""], None)


def test_an_empty_member_and_padding_are_no_damage():
    data = gzip.compress(b"") + GZIPPED[0] + gzip.compress(b"") + b"".join(GZIPPED[1:])
    assert held(data + b"\0" * 512) == ([*ALL, ""], None)


def test_plain_lines_behind_a_gzip_member_are_read():
    assert held(GZIPPED[0] + b"".join(map(text, FIVE[1:]))) == ([*ALL, ""], None)


def test_gzip_behind_plain_lines_is_read_and_named_since_the_log_is_not_as_it_is_stored():
    found, damage = held(text(FIVE[0]) + b"".join(GZIPPED[1:]))
    assert found == [*ALL, ""]
    assert "behind plain text" in damage


def test_a_member_whose_magic_bytes_are_damaged_is_read_if_its_checksum_is_right():
    at = len(GZIPPED[0])
    for offset in range(3):
        data = bytearray(b"".join(GZIPPED))
        data[at + offset] ^= 0x10
        found, damage = held(bytes(data))
        assert found == [*ALL, ""]
        assert damage == f"gzip: damaged first bytes, in the part from byte {at} on"


def test_a_wrong_checksum_loses_nothing_and_is_named():
    data = GZIPPED[0][:-6] + b"\0\0" + GZIPPED[0][-4:] + b"".join(GZIPPED[1:])
    assert held(data) == ([*ALL, ""], "gzip: incorrect data check")


@pytest.mark.parametrize("behind", [b"".join(GZIPPED[2:]), b"".join(map(text, FIVE[2:]))])
def test_a_cut_member_costs_its_end(behind):
    for cut in range(1, len(GZIPPED[1])):
        found, damage = held(GZIPPED[0] + GZIPPED[1][:-cut] + behind)
        assert found[:2] == ALL[:2]
        assert found[-7:] == [*ALL[4:], ""]
        assert damage


def test_every_damaged_member_is_named_but_not_each_of_thousands():
    broken = bytearray(GZIPPED[0])
    broken[-8] ^= 1
    found, damage = held(bytes(broken) * 2 + b"".join(GZIPPED[1:]))
    assert found == [*ALL[:2], *ALL, ""]
    assert damage.count("incorrect data check") == 2
    _, damage = held(bytes(broken) * 5000)
    assert damage.endswith("4,997 more damaged parts")
    assert len(damage) < 300


@each_format
def test_every_format_is_known_by_its_first_bytes(pack, tmp_path):
    (tmp_path / "log.jsonl").write_bytes(pack(text(ALL)))
    stat = (tmp_path / "log.jsonl").stat()
    file = LogFile("log.jsonl", stat.st_size, stat.st_mtime_ns)
    assert read_bytes(str(tmp_path), "log.jsonl") == (text(ALL), None)
    assert read_head(str(tmp_path), "log.jsonl", 50) == text(ALL)[:50]
    assert read_ends(str(tmp_path), file) == (text(ALL), b"")


@each_format
def test_what_precedes_a_cut_is_read(pack):
    plain = text(lines(0, 20_000))
    data = pack(plain)
    found, damage = contents(data[: len(data) // 2], len(plain))
    assert plain.startswith(found)
    assert len(found) > len(plain) // 3
    assert damage.endswith("the stream ends before its end marker")


def test_formats_follow_each_other():
    parts = [
        PACK[name](text(part))
        for name, part in zip(("zstd", "gzip", "xz", "plain", "gzip"), FIVE, strict=True)
    ]
    assert held(b"".join(parts)) == ([*ALL, ""], None)


def test_zstd_without_a_library_names_the_extra(monkeypatch, tmp_path):
    data = zstd(text(ALL))
    monkeypatch.setattr("runcube.files.decompressors._zstd_library", lambda: None)
    (tmp_path / "a.jsonl.zst").write_bytes(data)
    for read in (read_bytes, read_head):
        with pytest.raises(OSError, match=r"pip install runcube\[zstd\]"):
            read(str(tmp_path), "a.jsonl.zst")


# The parts of a file, each with its own lines, and one byte of it that is damaged.
FORMATS = st.lists(
    st.sampled_from(["gzip", "plain", "gzip", "xz", "zstd"]), min_size=1, max_size=5
).filter(lambda formats: ("plain", "plain") not in pairwise(formats))
SIZES = st.lists(st.sampled_from([0, 1, 2, 40]), min_size=5, max_size=5)


def build(formats, sizes):
    records, parts, at = [], [], 0
    for name, size in zip(formats, sizes, strict=False):
        records.append(lines(at, at + size))
        parts.append(PACK[name](text(records[-1])))
        at += size
    return records, parts


@settings(max_examples=1000, deadline=None)
@given(FORMATS, SIZES)
def test_any_parts_without_damage_are_read_in_order(formats, sizes):
    records, parts = build(formats, sizes)
    assert held(b"".join(parts))[0] == [*(line for part in records for line in part), ""]


# Derandomized: printable bytes of a damaged part may stand before the text behind it.
@settings(max_examples=2000, deadline=None, derandomize=True)
@given(FORMATS, SIZES, st.integers(0), st.integers(1, 255))
def test_one_damaged_byte_costs_no_line_of_another_part(formats, sizes, at, flipped):
    records, parts = build(formats, sizes)
    data = bytearray(b"".join(parts))
    if not data:
        return
    at %= len(data)
    data[at] ^= flipped
    found, damage = held(bytes(data))
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + len(part))
    hit = next(i for i, (start, end) in enumerate(pairwise(ends)) if start <= at < end)
    undamaged = [line for i, part in enumerate(records) if i != hit for line in part]
    left = iter(found)
    assert all(line in left for line in undamaged), "in this order"
    missing = set(records[hit]) - set(found)
    # What no longer looks packed is left to the readers, which name bad lines.
    is_left = any("\0" in line or "\ufffd" in line for line in found)
    assert damage or not missing or formats[hit] == "plain" or is_left
    for size in (1, 50, 1000):
        for given_bytes in (7, 100, len(data)):
            head = beginning(bytes(data[:given_bytes]), size, whole=given_bytes >= len(data))
            assert contents(bytes(data), MOST)[0].startswith(head or b"")


@settings(max_examples=1000, deadline=None)
@given(
    st.binary(max_size=40),
    st.sampled_from([*GZIPPED, text(ALL), lzma.compress(text(ALL))]),
    st.binary(max_size=40),
)
def test_no_bytes_raise(before, part, behind):
    for data in (before + part + behind, part + before + part[:-5] + behind, before + behind):
        held(data)
        held(data, 30)
        beginning(data, 20)
        beginning(data, 20, whole=True)


def test_what_exceeds_the_limit_is_cut_behind_a_whole_line_and_named(tmp_path):
    for name, data in (
        ("plain", text(ALL)),
        ("gzip", gzip.compress(text(ALL))),
        ("utf-16", text(ALL).decode().encode("utf-16")),
    ):
        (tmp_path / name).write_bytes(data)
        found, damage = read_bytes(str(tmp_path), name, limits=Limits(file_bytes=100))
        assert text(ALL).startswith(found)
        assert found.endswith(b"\n")
        assert len(found) <= 100
        assert "Limits(file_bytes=100)" in damage
        assert damage_problem(damage, name).kind == "limit"
        assert read_bytes(str(tmp_path), name, limits=Limits(file_bytes=len(data) * 9)) == (
            text(ALL),
            None,
        )


@each_format
def test_a_bomb_costs_the_limit_and_no_more(pack, tmp_path):
    bomb = pack(bytes(1 << 27))
    (tmp_path / "bomb.gz").write_bytes(bomb)
    tracemalloc.start()
    found, damage = read_bytes(str(tmp_path), "bomb.gz", limits=Limits(file_bytes=1 << 22))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == b""
    assert "Limits(file_bytes=4194304)" in damage
    assert peak < 1 << 26


def test_damage_takes_linear_time():
    # Each of these begins anew a stream that runs to the end and is then wrong.
    header = gzip.compress(b"")[:10]
    data = (header + b"\0\0\0\xff\xff") * 20_000
    assert held(data)[1]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_utf_16_with_a_byte_order_mark_is_read_as_utf_8(encoding, pack, tmp_path):
    many = lines(0, 2000)
    data = pack(("\ufeff" + text(many).decode()).encode(encoding))
    (tmp_path / "log").write_bytes(data)
    root = str(tmp_path)
    assert read_bytes(root, "log") == (text(many), None)
    head = read_head(root, "log", 1000)
    assert head
    assert text(many).startswith(head)
    head, tail = read_ends(root, LogFile("log", len(data), 0))
    assert text(many).startswith(head)
    assert text(many).endswith(tail)
    assert bool(tail) == (pack is bytes)


def test_broken_utf_16_is_named_and_costs_its_characters():
    data = (
        "\ufeff".encode("utf-16-le")
        + "a\n".encode("utf-16-le")
        + b"\x00\xd8"
        + "\nb\n".encode("utf-16-le")
    )
    assert held(data) == (
        ["a", "\ufffd", "b", ""],
        "UTF-16: illegal UTF-16 surrogate at byte 6: U+FFFD in its place",
    )
    assert held(data + b"x")[0][-1] == "\ufffd"


def test_a_byte_order_mark_of_utf_8_stays_where_offsets_are_counted():
    assert contents(b"\xef\xbb\xbf{}\n", MOST) == (b"\xef\xbb\xbf{}\n", None)


def test_the_memory_that_xz_may_take_is_bound_by_the_size_of_a_file():
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    data = lzma.compress(b"{}\n", filters=filters)
    assert contents(data, 1 << 31) == (b"{}\n", None)


def test_memory_that_is_too_little_is_a_limit(monkeypatch):
    monkeypatch.setattr("runcube.files.packed._XZ_BYTES", 1 << 20)
    data = lzma.compress(b"{}\n", preset=9)
    found, damage = contents(data, 1 << 20)
    assert found == b""
    assert "more memory than Limits(file_bytes=1048576)" in damage
    assert damage_problem(damage, "a.xz").kind == "limit"
    assert contents(data, 1 << 28) == (b"{}\n", None)


def test_damage_that_takes_too_much_work_is_a_limit(monkeypatch):
    monkeypatch.setattr("runcube.files.packed._WORK", 0)
    plain = b"{}\n" * 1_000_000
    data = b"\x1e" + gzip.compress(plain)[1:]
    damage = contents(data, 1 << 20)[1]
    assert "more work than Limits(file_bytes=1048576)" in damage
    assert damage_problem(damage, "a.gz").kind == "limit"
    assert contents(data, 1 << 26) == (plain, "gzip: damaged first bytes")


PIECES = st.sampled_from([b"\x1f", b"\x8b", b"\x08", *(b"\xfd7zXZ\0"[i : i + 1] for i in range(6))])
ZSTD = st.sampled_from([b"\x28", b"\xb5", b"\x2f", b"\xfd", b"\x50\x2a\x4d\x18", b"{", b"\n"])
BYTES = st.lists(PIECES | ZSTD | st.binary(max_size=2), max_size=8).map(b"".join)


@settings(max_examples=500)
@given(
    data=BYTES | st.sampled_from([b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"]),
    at=st.integers(0, 7),
    byte=st.binary(max_size=1),
    behind=BYTES,
)
def test_packed_data_is_known_by_its_first_bytes_even_if_one_is_wrong(data, at, byte, behind):
    data = data[:at] + byte + data[at + 1 :] + behind
    parts = [_part_at(data, 0, name) for name in ("gzip", "xz", "zstd")]
    assert begins_packed(data) == any(part is not None and part.exact for part in parts)
    has_telltale = any(data.count(byte) for byte in b"\x1f\x08\xfd\x18")
    assert may_be_packed(data) == (has_telltale or any(part is not None for part in parts))
