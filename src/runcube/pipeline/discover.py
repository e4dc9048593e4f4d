"""From a path to the headers of its runs: which reader reads which file, and what is no log."""

from __future__ import annotations

import hashlib
import marshal
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runcube.core import (
    LogError,
    NoRunsError,
    Problem,
    RunHeader,
    Source,
    UnknownNameError,
    natural_key,
)
from runcube.files import (
    PACKED_ENDINGS,
    FileFilter,
    Tree,
    as_root,
    display_root,
    list_files,
    may_read,
    read_bytes,
    read_ends,
)
from runcube.pipeline.foreign_logs import aside_problems, foreign_logger, foreign_problems
from runcube.pipeline.jobs import Job, find_sources, needs_whole_logs, of_logger, read_headers
from runcube.pipeline.second_records import second_records
from runcube.plan import keys_from_paths
from runcube.readers import broken_entry_points, reader_fingerprint, resolve_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runcube.core import LogFile
    from runcube.files import Listing, Roots
    from runcube.readers import Reader

# A file of another kind that no reader claims (a checkpoint, a picture) is not reported.
_LOG_LIKE = tuple(
    ending + packed
    for ending in (".jsonl", ".ndjson", ".json", ".wandb")
    for packed in PACKED_ENDINGS
)
_TABLES = tuple(ending + packed for ending in (".csv", ".tsv") for packed in PACKED_ENDINGS)
_EVENT_NAME, _EVENT_VERSION = "tfevents.", b"brain.Event:"
# Sections that each differ (paths) must not pile up.
_MOST_SECTIONS = 1 << 12
_LFS = b"version https://git-lfs.github.com/spec/"
_LFS_BYTES = 1024


@dataclass(frozen=True)
class Discovery:
    """All that the listing of a path and the headers of its logs tell, before any metric is parsed.

    Headers, path keys and digests go together, one for each run, in natural path order.

    Attributes
    ----------
    root : str
        Directory of the logs, or its URL; all other paths are relative to it.
    jobs : list of Job, (sources,)
        Parse tasks, in natural path order.
    headers : list of RunHeader, (runs,)
        What is known of each run before its metrics are parsed.
    path_keys : list of dict, (runs,)
        Hyperparameters that are read from the path of each run: key to value.
    digests : list of str or None, (runs,)
        Hash of the bytes of each log that may be a copy of another; None for all others.
    skipped : list of Problem
        Files that are no logs, or cannot be read.
    template : str or None
        Template of the path keys, or ``"auto"``.
    """

    root: str
    jobs: list[Job] = field(default_factory=list)
    headers: list[RunHeader] = field(default_factory=list)
    path_keys: list[dict[str, Any]] = field(default_factory=list)
    digests: list[str | None] = field(default_factory=list)
    skipped: list[Problem] = field(default_factory=list)
    template: str | None = None

    @property
    def unread(self) -> set[str]:
        """Paths of the sources whose headers only reading the whole log shows, and has not yet."""
        known = {header.source.path for header in self.headers}
        return {
            job.source.path
            for job in self.jobs
            if needs_whole_logs(job.reader) and job.source.path not in known
        }

    def with_headers(self, headers: Iterable[RunHeader]) -> Discovery:
        """Return this with headers of runs that reading the logs showed, where they belong."""
        sharing = _Sharing()
        new = [sharing.slim(header) for header in headers]
        places = {job.source.path: number for number, job in enumerate(self.jobs)}
        pairs = [*zip(self.headers, self.digests, strict=True), *((header, None) for header in new)]
        pairs.sort(key=lambda pair: places[pair[0].source.path])
        every = [header for header, _ in pairs]
        digests = [known or d for (_, known), d in zip(pairs, _digests(every), strict=True)]
        path_keys = keys_from_paths([h.source.path for h in every], self.template)
        return replace(self, headers=every, path_keys=path_keys, digests=digests)


def discover(
    path: Roots,
    reader: str | Reader,
    path_keys: str | None,
    *,
    files: Sequence[str] = (),
    ignore: Sequence[str] = (),
    listing: Listing | None = None,
    known: Callable[[Job], Sequence[RunHeader]] | None = None,
    again: bool = False,
) -> Discovery:
    """List the files under a path, let the readers claim theirs, and read the headers.

    Parameters
    ----------
    path : path-like or URL, or a sequence of these
        Directory of the logs, or one log, or several.
    reader : str or Reader
        ``"auto"``, the name of a reader, or a reader.
    path_keys : str or None
        Template of keys that only the path holds; ``"auto"`` reads what is written as
        ``key=value``, None nothing.
    files, ignore : sequence of str
        Globs of the files that may be logs (none: all), and of those that are left out.
    listing : Listing, optional
        Listing of the path, if it has been made already.
    known : callable, optional
        Takes a ``Job`` and returns the headers that were read of its source before, if the source
        has not changed since; else none.
    again : bool
        Whether logs were found with these arguments before: globs that match nothing any more are
        no error.

    Returns
    -------
    Discovery

    Raises
    ------
    FileNotFoundError
        If there is no such path.
    NoRunsError
        If nothing under it is a log that the reader knows.
    UnknownNameError
        If that is since no log has the ``x`` of the reader.
    PlanError
        If a glob matches no file.
    LogError
        If a reader cannot find its logs, though they were found before.
    """
    readers = resolve_reader(reader)
    fingerprints = [*map(reader_fingerprint, readers)]
    listing = listing or list_files(path)
    wanted = FileFilter(listing.root, files, ignore)
    if not again:
        wanted.check(listing)
    tree = Tree(listing, wanted)
    taken: list[tuple[Job, list[RunHeader], Problem | None]] = []
    sharing = _Sharing()
    for job, headers in _remembered(tree, readers[0], fingerprints[0], known):
        tree.claim(job.source.files)
        taken.append((job, [sharing.slim(header) for header in headers], None))
    if taken or files:
        tree.settle()
    unloaded = broken_entry_points() if reader == "auto" else {}
    broken: dict[str, Exception] = {}
    for candidate, fingerprint in zip(readers, fingerprints, strict=True):
        for source in find_sources(candidate, tree, broken):
            job = Job(candidate, source, fingerprint)
            # At once, while the head of the file is in memory.
            headers, problem = ([], None) if needs_whole_logs(candidate) else read_headers(job)
            taken.append((job, [sharing.slim(h, candidate) for h in headers], problem))
    if again and broken:
        raise LogError("; ".join(broken)) from next(iter(broken.values()))
    second, named = second_records([(job.reader, job.source) for job, _, _ in taken])
    taken = [item for item in taken if item[0].source.path not in second]
    taken.sort(key=lambda item: natural_key(item[0].source.path))
    unread = [problem for _, _, problem in taken if problem is not None]
    found = Discovery(
        tree.root,
        [job for job, _, _ in taken],
        [header for _, slim, _ in taken for header in slim],
        skipped=_skipped(tree, [*_of_readers(unloaded, broken), *named, *unread]),
        template=path_keys,
    )
    if not found.headers and not found.unread:
        _raise_unknown_x(readers, tree)
        cause = next(iter({**unloaded, **broken}.values()), None)
        raise NoRunsError(_nothing(path, tree, found.skipped, readers)) from cause
    return replace(
        found,
        path_keys=keys_from_paths([h.source.path for h in found.headers], found.template),
        digests=_digests(found.headers),
    )


def _of_readers(unloaded: Iterable[str], broken: Iterable[str]) -> Iterator[Problem]:
    """Yield the problems of readers that cannot be loaded, and of those that could not look."""
    yield from (Problem("unloaded_reader", told) for told in unloaded)
    yield from (Problem("reader_error", told) for told in broken)


def _skipped(tree: Tree, unread: Sequence[Problem]) -> list[Problem]:
    """Return all that is no log, or is not read."""
    left = list(tree.unclaimed())
    return [
        *(Problem("unreadable", why, where) for where, why in tree.unreadable),
        *unread,
        *aside_problems(tree.aside),
        *foreign_problems(left, tree.head, tree.has_log),
        *(
            _problem_of(tree, file)
            for file in left
            if _is_log_like(tree, file) and foreign_logger(file.path, tree.head(file.path)) is None
        ),
    ]


def _remembered(
    tree: Tree, reader: Reader, fingerprint: str, known: Callable[[Job], Sequence[RunHeader]] | None
) -> Iterator[tuple[Job, Sequence[RunHeader]]]:
    """Yield the unchanged logs of the reader that is asked first, if it remembers them.

    What it finds of a log depends on that log alone, and no reader is asked before it: whatever
    other files there are now, the log is claimed by it.
    """
    remembered = getattr(reader, "remembered", None)
    if known is None or remembered is None:
        return
    for file in list(tree.unclaimed()):
        job = Job(reader, Source(tree.root, file.path, (file,)), fingerprint)
        headers = remembered(known(job))
        if headers and may_read(tree.root, file.path):
            yield job, headers


class _Sharing:
    """Lets the configurations of a sweep share their equal sections, which are most of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, dict[str, Any]] = {}

    def slim(self, header: RunHeader, reader: Reader | None = None) -> RunHeader:
        """Return the header with its sections shared with other headers where they are equal.

        With a reader it tells which one knew its log.
        """
        known = header if reader is None else of_logger(header, reader)
        config = {
            name: self._shared(value) if type(value) is dict else value
            for name, value in header.config.items()
        }
        return replace(known, config=config)

    def _shared(self, section: dict[str, Any]) -> dict[str, Any]:
        # Not by ==, for which 1, 1.0 and True are the same. This is never read back.
        try:
            key = marshal.dumps(section, 2)
        except ValueError:  # something in it is of no plain type
            return section
        if len(self._known) >= _MOST_SECTIONS:
            self._known.clear()
        return self._known.setdefault(key, section)


def _is_log_like(tree: Tree, file: LogFile) -> bool:
    if file.path.endswith(_TABLES):  # most are no logs; of one that is not there nobody knows
        return 0 < file.size < _LFS_BYTES and tree.head(file.path).startswith(_LFS)
    if file.path.endswith(_LOG_LIKE):
        return True
    # An event file that is one, and of no run, describes the sweep.
    is_named = _EVENT_NAME in file.path.rpartition("/")[2]
    return is_named and _EVENT_VERSION not in tree.head(file.path)


def _problem_of(tree: Tree, file: LogFile) -> Problem:
    """Return the problem of a file that no reader claimed."""
    if not file.size:
        return Problem("empty", "the file is empty", file.path)
    try:
        head = read_ends(tree.root, file)[0]
    except OSError as error:
        return Problem("unreadable", error.strerror or str(error), file.path)
    if head.startswith(_LFS):
        message = "a Git LFS pointer, not the file itself: run git lfs pull"
        return Problem("lfs_pointer", message, file.path)
    if not head.strip(b"\0 \t\r\n"):
        return Problem("empty", "the file holds nothing but blanks", file.path)
    message = "no training log that a reader knows; JsonlReader(...) says outright what is what"
    return Problem("not_a_log", message, file.path)


def _raise_unknown_x(readers: Sequence[Reader], tree: Tree) -> None:
    """Raise if the one reader that was asked takes no file as a log since each lacks its ``x``.

    Raises
    ------
    UnknownNameError
    """
    unknown_x = getattr(readers[0], "unknown_x", None)
    message = unknown_x(tree) if len(readers) == 1 and unknown_x is not None else None
    if message is not None:
        raise UnknownNameError(message)


def _nothing(path: Roots, tree: Tree, skipped: Sequence[Problem], readers: Sequence[Reader]) -> str:
    place = display_root(as_root(path))
    if not tree.files and not tree.unreadable:
        return f"{place}: the directory is empty; pass the directory that holds the logs"
    kinds = ", ".join(sorted({p.kind for p in skipped})) or "no file that looks like a log"
    broken = "".join(f"{p.message}; " for p in skipped if not p.path)
    names = ", ".join(reader.name for reader in readers)
    return (
        f"{place}: no training logs among {len(tree.files)} files ({kinds}); "
        f"{broken}readers asked: {names}; "
        "pass the directory of the logs, or reader=JsonlReader(...), of tables CsvReader(...)"
    )


def _digests(headers: Sequence[RunHeader]) -> list[str | None]:
    """Return the hashes (runs,) of logs that may be copies; None for the others.

    A log may be a copy if another one has the same size and the same configuration.
    """
    by_size: dict[int, list[int]] = defaultdict(list)
    for index, header in enumerate(headers):
        if not header.key:
            by_size[header.source.files[0].size].append(index)
    digests: list[str | None] = [None] * len(headers)
    for members in by_size.values():
        alike: dict[str | bytes, list[int]] = defaultdict(list)
        for index in members if len(members) > 1 else ():
            alike[_spelt(headers[index].config)].append(index)
        for index in (i for group in alike.values() if len(group) > 1 for i in group):
            digests[index] = _digest(headers[index].source)
    return digests


def _spelt(config: Any) -> str | bytes:
    try:
        return marshal.dumps(config, 2)
    except ValueError:  # something in it is of no plain type
        return repr(config)


def _digest(source: Source) -> str | None:
    digest = hashlib.blake2b(digest_size=16)
    try:
        for file in source.files:
            digest.update(read_bytes(source.root, file.path)[0])
    except OSError:
        return None
    return digest.hexdigest()
