"""Native logs to sections: batches of plain logs, and each other log by itself.

Logs that are nothing but records go through one call of the kernel, and share the work on their
columns. A log with anything else is mended, decoded by itself, and goes the same way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.readers.kernel import MAX_DEPTH, decode
from runcube.readers.lines import BOM, is_deep_line, nul_problem
from runcube.readers.native.mending import mended
from runcube.readers.native.records import is_config
from runcube.readers.native.rows import FOREIGN, TEXT, Rows, kinds_of
from runcube.readers.native.sections import FIRST_LINE, LogRows, SectionTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Decoded
    from runcube.readers.native.sections import Section


# Logs of a batch with so many times less cells than their table are read one by one.
_SPARSE = 16


def read_sections(
    logs: Sequence[tuple[bytes, str]], limits: Limits, *, texts: bool = False
) -> list[list[Section]]:
    """Return the sections of each log, in file order; at least one of each.

    A bad line costs that line and shifts nothing after it.

    Parameters
    ----------
    logs : sequence of (bytes, str), (logs,)
        What each log holds, and the path that problems name.
    limits : Limits
    texts : bool
        Keep the text lines.
    """
    heads = {
        number: head
        for number, (data, _) in enumerate(logs)
        if (head := _plain_config(data, limits)) is not None
    }
    rests = [memoryview(logs[number][0])[first:] for number, (_, first) in heads.items()]
    decoded = decode(rests, (), _wide(limits))
    if len(logs) > 1 and (decoded.left_out or _is_sparse(decoded)):
        return [read_sections([log], limits, texts=texts)[0] for log in logs]
    kinds = kinds_of(decoded)
    refused = _refused(decoded, kinds, len(rests))
    starts = np.append(0, decoded.ends)
    kinds[np.repeat(refused, np.diff(starts))] = FOREIGN
    together = {
        number: LogRows(logs[number][1], k, int(starts[k]), int(starts[k + 1]), config)
        for k, (number, (config, _)) in enumerate(heads.items())
        if not refused[k]
    }
    lines = decoded.lines + (FIRST_LINE - 1)
    table = SectionTable(Rows(rests, decoded, kinds, limits), lines, limits)
    read = dict(zip(together, table.sections([*together.values()], texts=texts), strict=True))
    return [
        read[number] if number in read else _alone(data, path, limits, texts=texts)
        for number, (data, path) in enumerate(logs)
    ]


def read_records(data: memoryview, limits: Limits, *, texts: bool = False) -> Section | None:
    """Return the section of records without a configuration; None if it is not plain.

    Parameters
    ----------
    data : memoryview
        Lines after the configuration; they are numbered from 2.
    limits : Limits
    texts : bool
        Keep the text lines.
    """
    decoded = decode([data], (), _wide(limits))
    kinds = kinds_of(decoded)
    if _refused(decoded, kinds, 1)[0]:
        return None
    table = SectionTable(
        Rows([data], decoded, kinds, limits), decoded.lines + (FIRST_LINE - 1), limits
    )
    return table.sections([LogRows("", 0, 0, len(kinds))], texts=texts)[0][0]


def _plain_config(data: bytes, limits: Limits) -> tuple[dict[str, Any], int] | None:
    """Return the record of configuration on the first line, and where the next one begins."""
    start = len(BOM) if data.startswith(BOM) else 0
    first = data.find(b"\n", start) + 1
    line = data[start:first]
    if b"\0" in line or len(line) > limits.line_bytes:
        return None
    try:
        header = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not is_config(header) or is_deep_line(line, header, limits.depth + 1):
        return None
    return header, first


def _wide(limits: Limits) -> Limits:
    """Return limits with room for the keys of the layout, and to count what is left out."""
    return replace(limits, columns=4 * limits.columns + 64)


def _is_sparse(decoded: Decoded) -> bool:
    """Return whether the logs of a batch have so little in common that one table wastes memory."""
    held = sum(len(cells.rows) for cells in decoded.cells.values())
    return len(decoded.cells) * len(decoded.lines) > _SPARSE * held


def _refused(decoded: Decoded, kinds: NDArray[np.int8], count: int) -> NDArray[np.bool_]:
    """Return which of the logs that were decoded together must be looked at by themselves."""
    refused = np.zeros(count, bool)
    refused[[bad.file for bad in decoded.bad]] = True
    odd = np.flatnonzero(kinds > TEXT)
    refused[np.searchsorted(decoded.ends, odd, side="right")] = True
    return refused


def _alone(data: bytes, path: str, limits: Limits, *, texts: bool) -> list[Section]:
    """Return the sections of a log in which something is unusual."""
    log = mended(data, path, limits)
    most = max(limits.line_bytes, len(log.data))
    wide = replace(_wide(limits), line_bytes=most, depth=MAX_DEPTH)
    decoded = decode([log.data], (), wide)
    if decoded.bad:
        raise ValueError(f"line {log.numbers[decoded.bad[0].line - 1]}: cannot be written anew")
    odd = {row: log.odd[line] for row, line in enumerate(decoded.lines.tolist()) if line in log.odd}
    numbers = log.numbers[decoded.lines - 1]
    rows = Rows([log.data], decoded, kinds_of(decoded), limits)
    whole = LogRows(path, 0, 0, len(numbers), odd=odd, is_plain=not odd)
    found = SectionTable(rows, numbers, limits).sections([whole], texts=texts)[0]
    found[-1].problems += nul_problem(data, path)
    return found
