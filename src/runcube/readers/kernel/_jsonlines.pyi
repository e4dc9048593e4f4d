from collections.abc import Collection, Sequence

KINDS: tuple[str, ...]

# Not memoryviews, but anything that has this memory.
_Column = tuple[tuple[str, ...], int, memoryview, memoryview, memoryview, list[str] | list[bytes]]

def decode(
    buffers: Sequence[bytes | memoryview],
    raw: Collection[str],
    always: Collection[str],
    columns: int,
    depth: int,
    line_bytes: int,
    digits: int,
    /,
) -> tuple[
    int,
    memoryview,
    memoryview,
    memoryview,
    list[tuple[int, ...]],
    list[_Column],
    memoryview,
    list[tuple[int, int, int, int]],
    list[tuple[tuple[str, ...], int]],
    bool,
]: ...
