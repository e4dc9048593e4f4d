"""Native logs to sections: batches of plain logs, and each other log by itself.

Logs that are nothing but records go through one call of the kernel, and share the work on their
columns. Those with anything else are mended, and go the same way once more.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from runcube.readers.kernel import MAX_DEPTH, decode
from runcube.readers.lines import BOM, is_deep_line, nul_problem
from runcube.readers.native.mending import mended
from runcube.readers.native.records import OWN_KEYS, is_config, is_record
from runcube.readers.native.rows import FOREIGN, METRICS, TEXT, Rows, kinds_of
from runcube.readers.native.sections import FIRST_LINE, LogRows, SectionTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from runcube.core import Limits
    from runcube.readers.kernel import Decoded
    from runcube.readers.native.mending import Mended
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
    found = _plain(logs, limits, texts=texts)
    rest = {n: log for n, log in enumerate(logs) if n not in found}
    if rest:
        found |= _odd(rest, limits, texts=texts)
    return [found[n] for n in range(len(logs))]


def _odd(
    logs: Mapping[int, tuple[bytes, str]], limits: Limits, *, texts: bool
) -> dict[int, list[Section]]:
    """Return the sections of logs in which anything is unusual."""
    whole = [mended(data, path, limits) for data, path in logs.values()]
    decoded = decode([log.data for log in whole], (), _written(limits, whole), OWN_KEYS)
    if len(logs) > 1 and _has_little_in_common(decoded):
        alone = [_odd({n: log}, limits, texts=texts) for n, log in logs.items()]
        return {n: sections for one in alone for n, sections in one.items()}
    paths = [path for _, path in logs.values()]
    if decoded.bad:
        raise ValueError(f"{paths[decoded.bad[0].file]}: a line that cannot be written anew")
    starts = np.append(0, decoded.ends).tolist()
    lines = np.empty(len(decoded.lines), np.int64)
    parts = []
    for file, log in enumerate(whole):
        own = slice(starts[file], starts[file + 1])
        numbers = decoded.lines[own]
        lines[own] = log.numbers[numbers - 1]
        at = np.searchsorted(numbers, [*log.odd]).tolist()
        odd = dict(zip(at, log.odd.values(), strict=True))
        parts.append(LogRows(paths[file], file, own.start, own.stop, odd=odd, is_plain=not odd))
    kinds = _kinds_beyond(decoded, parts)
    rows = Rows([log.data for log in whole], decoded, kinds, limits)
    found = SectionTable(rows, lines, limits).sections(parts, texts=texts)
    for sections, (data, path) in zip(found, logs.values(), strict=True):
        sections[-1].problems += nul_problem(data, path)
    return dict(zip(logs, found, strict=True))


def _plain(
    logs: Sequence[tuple[bytes, str]], limits: Limits, *, texts: bool
) -> dict[int, list[Section]]:
    """Return the sections of the logs that are nothing but a configuration and records."""
    heads = {n: head for n, (data, _) in enumerate(logs) if (head := _plain_config(data, limits))}
    rests = [memoryview(logs[n][0])[first:] for n, (_, first) in heads.items()]
    decoded = decode(rests, (), _wide(limits), OWN_KEYS)
    if len(rests) > 1 and _has_little_in_common(decoded):
        return {n: own for n in heads for own in _plain([logs[n]], limits, texts=texts).values()}
    kinds = kinds_of(decoded)
    refused = _refused(decoded, kinds, len(rests))
    starts = np.append(0, decoded.ends)
    kinds[np.repeat(refused, np.diff(starts))] = FOREIGN
    together = {
        n: LogRows(logs[n][1], k, int(starts[k]), int(starts[k + 1]), config)
        for k, (n, (config, _)) in enumerate(heads.items())
        if not refused[k]
    }
    lines = decoded.lines + (FIRST_LINE - 1)
    table = SectionTable(Rows(rests, decoded, kinds, limits), lines, limits)
    return dict(zip(together, table.sections([*together.values()], texts=texts), strict=True))


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
    decoded = decode([data], (), _wide(limits), OWN_KEYS)
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


def _written(limits: Limits, logs: Sequence[Mended]) -> Limits:
    """Return limits that let through what was looked at before, and written anew."""
    longest = max((len(log.data) for log in logs), default=0)
    return replace(_wide(limits), line_bytes=max(limits.line_bytes, longest), depth=MAX_DEPTH)


def _kinds_beyond(decoded: Decoded, logs: Sequence[LogRows]) -> NDArray[np.int8]:
    """Return what each row is, also those of which every key is beyond the bound on columns."""
    kinds = kinds_of(decoded)
    for log in logs if decoded.left_out else ():
        for row, odd in log.odd.items():
            if kinds[log.start + row] == FOREIGN and is_record(odd.record):
                is_text = not isinstance(odd.record.get("agg_stats"), dict)
                kinds[log.start + row] = TEXT if is_text else METRICS
    return kinds


def _has_little_in_common(decoded: Decoded) -> bool:
    """Return whether one table of several logs would waste memory, or leave something out."""
    held = sum(len(cells.rows) for cells in decoded.cells.values())
    is_sparse = len(decoded.cells) * len(decoded.lines) > _SPARSE * held
    return is_sparse or bool(decoded.left_out)


def _refused(decoded: Decoded, kinds: NDArray[np.int8], count: int) -> NDArray[np.bool_]:
    """Return which of the logs that were decoded together must be looked at by themselves."""
    refused = np.zeros(count, bool)
    refused[[bad.file for bad in decoded.bad]] = True
    odd = np.flatnonzero(kinds > TEXT)
    refused[np.searchsorted(decoded.ends, odd, side="right")] = True
    return refused
