"""From a path to a lazy cube: ``open_runs``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runcube.core import PlanError, UnknownNameError, gc_paused
from runcube.cube import CellIndex, Scatter, cube_dims, cube_frame, cube_shape
from runcube.files import DAMAGED, failed_reads, list_files
from runcube.lazy.array import origins_of
from runcube.lazy.cache_files import but_own, place_of
from runcube.lazy.cube_cache import CubeCache, Opened
from runcube.lazy.schema_cache import SchemaCache
from runcube.pipeline import check_parallel, discover, finish_load, load_policy, parse_logs
from runcube.readers import resolve_reader

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import xarray as xr

    from runcube.curves import Align, MissingX, OnDuplicate
    from runcube.files import Listing, Roots
    from runcube.pipeline import Discovery, Errors, Parallel, Parsed, Policy, Progress
    from runcube.readers import Reader


def open_runs(
    path: Roots,
    *,
    chunks: Any = "auto",
    cache: bool | str | Path = True,
    reader: str | Reader = "auto",
    files: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    path_keys: str | None = "auto",
    dims: str | Sequence[str] | None = None,
    exclude: str | Sequence[str] = (),
    rename: Mapping[str, str] | None = None,
    relabel: Mapping[str, Mapping[Any, Any]] | None = None,
    defaults: Mapping[str, Any] | None = None,
    exact_labels: bool = False,
    seed: str | None = "auto",
    layout: Literal["auto", "grid", "configs"] = "auto",
    x: str | None = None,
    align: Align = "auto",
    missing_x: MissingX = "carry",
    splits: str | Sequence[str] | None = None,
    metrics: str | Sequence[str] | None = None,
    messages: bool = False,
    expected: float | None = None,
    on_duplicate: OnDuplicate = "prefer_complete",
    errors: Errors = "warn",
    progress: bool | Progress = False,
    parallel: Parallel = "auto",
) -> xr.Dataset:
    """Open a directory of training logs as one labelled cube whose values are read when needed.

    The cube is that of :func:`load_runs`, with every coordinate in memory. The first opening parses
    all logs once and keeps what they are like, without values, in a small file; later ones read
    only what has changed since, and nothing if nothing has. Computing reads the files of the runs
    that are selected, and no others: select first, then mask or reduce.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or the URL of either; or several.
    chunks : "auto", int, dict or None
        Blocks of the dask arrays ``curve`` and ``logged``, in labels along each dim; ``"auto"``
        puts some 100 runs into a block. None: no dask, values are read whenever they are used.
    cache : bool or path-like
        File that keeps what the logs are like; True takes one in the directory ``runcube`` of
        ``$RUNCUBE_CACHE``, else of ``$XDG_CACHE_HOME``, else of ``~/.cache``. Finished cubes are
        kept beside it (``*.cube``), those of the last 8 sets of arguments. With False nothing is
        kept, nor with a file that cannot be written. A file that is no cache is never replaced.
    reader, files, ignore, path_keys, dims, exclude, rename, relabel, defaults, exact_labels, \
seed, layout
        As for :func:`scan`.
    x, align, missing_x, splits, metrics, messages, expected, on_duplicate, errors, progress, \
parallel
        As for :func:`load_runs`. ``parallel`` is for the first pass over the logs; computing is
        parallel as dask is configured.

    Returns
    -------
    Dataset
        ``curve`` (float64) and ``logged`` (bool) on (*cell dims*, split, metric, x), lazy; the
        coordinates are those of :func:`load_runs`.

    Raises
    ------
    FileNotFoundError, NoRunsError, StoreError, UnknownNameError
        As :func:`load_runs`; also if ``chunks`` names a dim that the cube does not have.
    PlanError
        As :func:`load_runs`; also if ``chunks`` or ``cache`` is not valid.
    LogError
        With ``errors="raise"``; and when values are computed, if a log has changed since.

    Warns
    -----
    SweepWarning
        As :func:`load_runs`.

    Examples
    --------
    >>> import warnings, runcube as rc
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", rc.SweepWarning)
    ...     ds = rc.open_runs("examples/logs", cache=False)
    >>> runs = ds.sel(weights="DEFAULT", lr=0.2, weight_decay=0)
    >>> end = rc.final(runs.sel(metric="acc1", split="val"))
    >>> end.mean("seed").compute().round(2).item()
    95.55
    """
    policy = load_policy(
        reader=reader,
        files=files,
        ignore=ignore,
        path_keys=path_keys,
        dims=dims,
        exclude=exclude,
        rename=rename,
        relabel=relabel,
        defaults=defaults,
        exact_labels=exact_labels,
        seed=seed,
        layout=layout,
        x=x,
        align=align,
        missing_x=missing_x,
        splits=splits,
        metrics=metrics,
        messages=messages,
        expected=expected,
        on_duplicate=on_duplicate,
        errors=errors,
    )
    check_parallel(parallel)
    file = place_of(path, cache)
    with gc_paused():
        readers = resolve_reader(reader)
        listing = but_own(list_files(path), file)
        results = CubeCache(file, listing, policy, readers)
        opened = results.find()
        if opened is None:
            opened, may_stay = _opened(path, listing, policy, file, progress, parallel)
            if may_stay:
                results.put(opened)
        ds = opened.cube()
    opened.summary.warn(stacklevel=2)
    if chunks is None:
        return ds
    return _in_blocks(ds, chunks)


def _in_blocks(ds: xr.Dataset, chunks: Any) -> xr.Dataset:
    """Return ``curve`` and ``logged`` as dask arrays, whose names change as soon as a log does."""
    blocks = dict(ds["curve"].encoding["preferred_chunks"])
    if isinstance(chunks, Mapping):
        odd = [dim for dim in chunks if dim not in blocks]
        if odd:
            raise UnknownNameError(f"chunks: no dim {odd[0]!r}; there are {[*blocks]}")
        blocks |= chunks
    elif isinstance(chunks, int | np.integer) and not isinstance(chunks, bool):
        blocks = dict.fromkeys(blocks, int(chunks))
    elif chunks != "auto":
        raise PlanError(f"chunks={chunks!r}: expected 'auto', a number, a mapping or None")
    small = [n for n in blocks.values() if isinstance(n, int) and n < 1 and n != -1]
    if small:
        raise PlanError(f"chunks={chunks!r}: {small[0]} is no size; -1 is the whole dim")
    parts = {
        name: ds[name].variable.chunk(blocks, name=f"runcube-{name}-{_digest(blocks)}")
        for name in ("curve", "logged")
    }
    return ds.assign(parts)


def _digest(blocks: Mapping[Any, Any]) -> str:
    return blake2b(repr([*blocks.items()]).encode(), digest_size=4).hexdigest()


def _opened(
    path: Roots,
    listing: Listing,
    policy: Policy,
    cache: Path | None,
    progress: bool | Progress,
    parallel: Parallel,
) -> tuple[Opened, bool]:
    """Return a cube, and whether it may be kept for other openings of the unchanged logs."""
    before = failed_reads()
    store = SchemaCache(cache, listing)
    found = discover(path, **policy.finding, listing=listing, known=store.headers)
    store.expect(found.headers)
    parsed = parse_logs(found, policy, progress, parallel, store=store)
    store.save()
    homes, request = store.homes, replace(parsed.request, messages=False)
    del store  # what it keeps of all logs is a tenth of what an opening takes
    may_stay = failed_reads() == before and not _may_pass(found, parsed)
    made = finish_load(found, parsed, policy)
    selection, labels = made.selection, made.labels
    cell_index = CellIndex.of(parsed.sweep, selection.kept_runs)
    shape = cube_shape(cell_index, selection, labels)
    cells = [*zip(cell_index.positions.tolist(), selection.kept_runs, strict=True)]
    source = origins_of(cells, Scatter(selection.axis, labels), shape, request, homes)
    frame = cube_frame(parsed.sweep, selection, labels, cell_index, messages=policy.messages)
    opened = Opened(frame, cube_dims(cell_index, selection), made.attrs, made.summary, source)
    return opened, may_stay


def _may_pass(found: Discovery, parsed: Parsed) -> bool:
    """Return whether anything failed that may succeed another time, though no file changes.

    A file without permission is none: permissions are in the listing.
    """
    if parsed.failures or any(problem.kind == "reader_error" for problem in found.skipped):
        return True
    problems = (problem for log in parsed.logs for problem in log.problems)
    return any(p.kind == "unreadable" and not p.message.startswith(DAMAGED) for p in problems)
