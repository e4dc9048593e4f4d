"""Which folders of event files are one run.

A run is a folder with event files. A folder below it may be a part of it: what ``add_hparams``
writes, a curve of ``add_scalars``, or a split.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS
from runcube.files import folders_above, unpacked_path
from runcube.readers.jsonl import SPLIT_WORDS, meaning, split_and_metric
from runcube.readers.tensorboard.framing import frames
from runcube.readers.tensorboard.scalars import FileEvents, read_events

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from runcube.core import LogFile
    from runcube.files import Tree

_NAME = re.compile(r"(?:^|[./])tfevents\.[^/]*$")
# As ``add_hparams`` names a folder: the time.
_TIME = re.compile(r"\d{9,}\.\d+")


def is_event_name(path: str) -> bool:
    """Return whether a file has the name of an event file."""
    return _NAME.search(unpacked_path(path)) is not None


def folder_of(path: str) -> str:
    """Return the folder of a file; ``""`` is the root."""
    return path.rpartition("/")[0]


def below(folder: str, base: str) -> str:
    """Return the path of a folder from one above it; ``""`` for that itself."""
    return folder if not base else folder[len(base) + 1 :]


def runs_of_folders(tree: Tree) -> Iterator[tuple[str, list[LogFile]]]:
    """Yield each run among the unclaimed files: its folder, and its event files.

    Folders that hold no scalars, and have runs below them, are none.
    """
    folders: dict[str, list[LogFile]] = defaultdict(list)
    for file in tree.unclaimed():
        if is_event_name(file.path) and _is_event_file(tree, file):
            folders[folder_of(file.path)].append(file)
    known = _Folders(tree, folders)
    homes = {folder: known.home(folder) for folder in folders}
    runs: dict[str, list[LogFile]] = defaultdict(list)
    for folder, files in folders.items():
        runs[homes[folder]] += files
    above = {other for folder in runs for other in folders_above(folder)}
    for folder, files in runs.items():
        if not (
            folder in above and all(known.holds_nothing(folder_of(file.path)) for file in files)
        ):
            yield folder, files


def _is_event_file(tree: Tree, file: LogFile) -> bool:
    """Return whether records are at the beginning of a file; of an empty one nothing else shows."""
    return not file.size or len(frames(tree.head(file.path)).starts) > 0


class _Folders:
    """Folders with event files, and what the beginnings of these show.

    Parameters
    ----------
    tree : Tree
    files : dict of str to list of LogFile
        The event files of each folder.
    """

    def __init__(self, tree: Tree, files: dict[str, list[LogFile]]) -> None:
        self._tree = tree
        self._files = files
        self._heads: dict[str, list[FileEvents]] = {}
        self._inside: dict[str, list[str]] = defaultdict(list)
        # Whether all that add_hparams wrote below a folder is the same.
        self._agree: dict[str, bool] = {}
        for folder in files:
            if folder:
                self._inside[folder_of(folder)].append(folder)

    def home(self, folder: str) -> str:
        """Return the folder of the run that a folder belongs to."""
        above = self._part_of(folder)
        if above is None and self._is_split(folder):
            above = folder_of(folder)
        if above is None or above == folder:
            return folder
        return self.home(above) if above in self._files else above

    def holds_nothing(self, folder: str) -> bool:
        """Return whether the files of a folder hold neither scalars nor a session."""
        whole = all(len(self._tree.head(f.path)) >= f.size for f in self._files[folder])
        return whole and not any(
            len(head.values) or head.sessions or head.texts for head in self._beginnings(folder)
        )

    def _beginnings(self, folder: str) -> list[FileEvents]:
        found = self._heads.get(folder)
        if found is None:
            heads = [(f.path, self._tree.head(f.path)) for f in self._files[folder]]
            found = [read_events(h, p, DEFAULT_LIMITS, is_whole=False) for p, h in heads]
            self._heads[folder] = found
        return found

    def _part_of(self, folder: str) -> str | None:
        """Return the folder above that hyperparameters or a curve in a folder are of."""
        above = next((one for one in folders_above(folder) if one in self._files), None)
        if above is None:
            return None
        tags = {tag for head in self._beginnings(folder) for tag in head.tags}
        if curve_of(below(folder, above), tags) is not None:
            return above
        direct = above == folder_of(folder)
        return above if direct and self._are_its_hparams(folder, above) else None

    def _are_its_hparams(self, folder: str, above: str) -> bool:
        """Return whether ``add_hparams`` wrote a folder, for the run of the one above.

        That one has scalars of its own, and no other hyperparameters are for it.
        """
        if self._hparams(folder) is None or self.holds_nothing(above):
            return False
        if above not in self._agree:
            others = [self._hparams(other) for other in self._inside[above]]
            said = [hparams for hparams in others if hparams is not None]
            self._agree[above] = all(hparams == said[0] for hparams in said)
        return self._agree[above]

    def _hparams(self, folder: str) -> dict[str, Any] | None:
        """Return the hyperparameters that ``add_hparams`` wrote into a folder of their own."""
        for head, file in zip(self._beginnings(folder), self._files[folder], strict=True):
            is_short = len(self._tree.head(file.path)) >= file.size
            named = _TIME.fullmatch(folder.rpartition("/")[2]) is not None
            if head.is_of_add_hparams and (named or is_short):
                return head.hparams
        return None

    def _is_split(self, folder: str) -> bool:
        """Return whether a folder is a split of a run: all those beside it are splits as well."""
        if not is_split_name(folder.rpartition("/")[2]):
            return False
        beside = self._inside[folder_of(folder)]
        return all(
            is_split_name(other.rpartition("/")[2]) or self._part_of(other) is not None
            for other in beside
        )


def is_split_name(name: str) -> bool:
    """Return whether a folder is called like a split."""
    return name.lower() in SPLIT_WORDS


def curve_of(path: str, tags: Collection[str]) -> str | None:
    """Return what a folder of ``add_scalars`` adds to the one tag in it; None for any other folder.

    PyTorch names it by the tag and the curve with a ``_`` between, tensorboardX with a ``/``.

    Examples
    --------
    >>> curve_of("loss_train", ["loss"]), curve_of("data/loss/train", ["data/loss"])
    ('train', 'train')
    """
    if len(tags) != 1:
        return None
    (tag,) = tags
    for prefix in (f"{tag}/", tag.replace("/", "_") + "_"):
        if tag and path.startswith(prefix) and len(path) > len(prefix):
            return path[len(prefix) :]
    return None


def names_in_run(path: str, tags: Sequence[str], *, is_session: bool) -> list[str]:
    """Return what the tags (tags,) of a file are called in its run.

    Parameters
    ----------
    path : str
        Its folder, from that of the run on.
    tags : sequence of str
    is_session : bool
        Whether ``add_hparams`` wrote the file.
    """
    curve = curve_of(path, tags)
    if curve is not None:
        return [f"{tag}/{curve}" for tag in tags]
    if not path or is_session:
        return [*tags]
    return [_named(path, tag) for tag in tags]


def _named(path: str, tag: str) -> str:
    own = split_and_metric(tag)[0]
    is_same = own is not None and meaning(own) == meaning(path)
    return tag if is_same else f"{path}/{tag}"
