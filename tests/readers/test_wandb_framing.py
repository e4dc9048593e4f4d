"""The framing of W&B's files, and the fields of their records."""

import math
import struct

import pytest
import wandb_files as made
from hypothesis import given
from hypothesis import strategies as st

from runcube.readers.leveldb_log import is_framed, read_framed
from runcube.readers.protobuf import NotProtobufError, signed, unzigzag, values

# Sizes about the end of a block, where a record is split, or its block is padded.
SIZES = st.one_of(
    st.integers(0, 60),
    st.integers(-20, 20).map(lambda n: made.BLOCK - 14 + n),
    st.integers(60, 80_000),
)
RECORDS = st.lists(SIZES, min_size=1, max_size=6).map(
    lambda sizes: [bytes([65 + i]) * size for i, size in enumerate(sizes)]
)


@given(RECORDS)
def test_what_was_framed_is_read(records):
    found = read_framed(made.framed(records))
    assert (found.records, found.damaged, found.cut) == (records, [], None)


@given(RECORDS, st.data())
def test_of_a_file_that_was_cut_the_whole_records_are_read_and_the_cut_is_named(records, data):
    whole = made.framed(records)
    size = data.draw(st.integers(len(made.HEAD), len(whole) - 1))
    found = read_framed(whole[:size])
    assert found.records == records[: len(found.records)]
    assert not found.damaged
    kept = len(made.framed(records[: len(found.records)]))
    # Padding at the end of a block is no record.
    assert found.cut is not None or not whole[kept:size].strip(b"\0")


@given(RECORDS, st.data())
def test_a_damaged_byte_costs_the_records_of_its_block_and_no_other(records, data):
    whole = bytearray(made.framed(records))
    at = data.draw(st.integers(len(made.HEAD), len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    found = read_framed(bytes(whole))
    ends = [len(made.framed(records[: i + 1])) for i in range(len(records))]
    starts = [len(made.HEAD), *ends]
    block = at // made.BLOCK * made.BLOCK
    safe = [
        record
        for record, start, end in zip(records, starts, ends, strict=False)
        if end <= at or start >= block + made.BLOCK
    ]
    assert set(safe) <= set(found.records) <= set(records)
    assert found.damaged or found.cut is not None or set(found.records) == set(records)


@pytest.mark.parametrize("size", [3, 40, 100_000])
def test_zeros_at_the_end_are_the_end(size):
    records = [b"a" * 100, b"b" * 100]
    found = read_framed(made.framed(records) + bytes(size))
    assert (found.records, found.damaged) == (records, [])
    assert found.cut == len(made.framed(records))


def test_a_record_that_lacks_its_middle_is_named_and_the_next_one_is_read():
    whole = made.framed([b"a" * 100_000, b"b" * 10])
    without = whole[: made.BLOCK] + whole[2 * made.BLOCK :]
    assert read_framed(whole).records == [b"a" * 100_000, b"b" * 10]
    # Its first chunk, and what goes on without one: no checksum tells what stood between.
    lost = bytearray(whole)
    lost[made.BLOCK : 2 * made.BLOCK] = bytes(made.BLOCK)
    found = read_framed(bytes(lost))
    assert found.records == [b"b" * 10]
    assert found.damaged[0][0] == len(made.HEAD)
    assert read_framed(without).records[-1] == b"b" * 10


def test_a_file_is_known_by_its_header_or_by_its_first_record():
    data = made.framed([b"one"])
    assert is_framed(data, made.HEAD[:6])
    assert is_framed(made.HEAD, made.HEAD[:6])
    assert is_framed(b"X" + data[1:], made.HEAD[:6])
    assert not is_framed(b"X" + data[1:-1], made.HEAD[:6])
    assert not is_framed(b"", made.HEAD[:6])
    assert not is_framed(b"version https://git-lfs.github.com/spec/v1\n", made.HEAD[:6])


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 2**64 - 1) | st.binary())))
def test_fields_are_read_as_they_were_written(given_fields):
    message = b"".join(made.field(number, value) for number, value in given_fields)
    assert list(values(message)) == given_fields


@given(st.binary(max_size=40))
def test_any_bytes_are_fields_or_refused(message):
    try:
        found = list(values(message))
    except NotProtobufError:
        return
    assert all(number >= 0 for number, _ in found)
    assert sum(1 for _ in found) <= len(message)


def test_numbers_of_fixed_size_are_skipped_or_read():
    message = b"\x09" + struct.pack("<d", math.pi) + b"\x15" + struct.pack("<f", 1.0)
    assert [(n, len(v)) for n, v in values(message)] == [(1, 8), (2, 4)]


@pytest.mark.parametrize(
    "message", [b"\x08", b"\x0a", b"\x0a\x05ab", b"\x0b", b"\x08" + b"\xff" * 11]
)
def test_what_ends_within_a_field_is_refused(message):
    with pytest.raises(NotProtobufError):
        list(values(message))


def test_negative_numbers():
    assert [signed(2**64 - 1), signed(3)] == [-1, 3]
    assert [unzigzag(n) for n in range(5)] == [0, -1, 1, -2, 2]
