"""W&B's own files: one directory for each start of a run, ``run-<time>-<id>/run-<id>.wandb``."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runcube.core import DEFAULT_LIMITS, Limits, Problem, Source
from runcube.readers.config_files import load_named, load_sidecars, with_section
from runcube.readers.jsonl import Options, open_log, runs_of_log
from runcube.readers.reading import HeadersByReading, content_of, text_if_any
from runcube.readers.run_folders import RunFolders, in_files
from runcube.readers.table import Part
from runcube.readers.wandb.records import PRIVATE, RunRecords

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runcube.core import LogFile, Request, RunLog
    from runcube.files import Tree

# ":W&B", the number 0xBEE1, and the version, which has been 0 so far.
_MAGIC = b":W&B\xe1\xbe"
_CONFIG, _SUMMARY, _CONSOLE = "config.yaml", "wandb-summary.json", "output.log"
# Machine and versions: of no use for curves, but not to be taken for a log.
_BESIDE = (_CONFIG, _SUMMARY, _CONSOLE, "wandb-metadata.json")
_FOLDERS = RunFolders("wandb", _MAGIC, _BESIDE)
# A link to the newest run; a directory where links were followed.
_LATEST = "latest-run"
_OPTIONS = Options.of_logger("_step", "_runtime", "_timestamp")


@dataclass(frozen=True)
class WandbReader(HeadersByReading):
    """Reads the files ``run-*.wandb`` of W&B, offline or synced, with what stands beside them.

    Directories of one id in the same ``wandb`` folder are one run, which was resumed. ``_step`` is
    the x-axis. The line of a problem is the number of the row: of the call of ``run.log``.

    Parameters
    ----------
    name : str
        Name for ``reader=``.
    limits : Limits
        Bounds on what one log may cost.
    """

    name: str = "wandb"
    limits: Limits = DEFAULT_LIMITS

    # The configuration may change up to the end of a file.
    whole_headers = True

    def find(self, tree: Tree) -> Iterator[Source]:
        """Yield a source for each run: its files in order of time, then what stands beside them."""
        runs = _FOLDERS.runs(tree)
        for (place, run_id), logs in runs.items():
            above, _, own = place.rpartition("/")
            sizes = {file.size for file in runs.get((above, run_id), ())}
            files = (*logs, *_FOLDERS.beside_logs(tree, logs))
            if own == _LATEST and all(file.size in sizes for file in logs):
                tree.set_aside(f"second names ({_LATEST}) of W&B runs", files)
            else:
                yield Source(tree.root, logs[0].path, files)

    def read(self, source: Source, request: Request) -> Sequence[RunLog]:
        """Parse the one run of a source."""
        logs = _FOLDERS.logs_of(source.files)
        records = RunRecords(self.limits)
        parts: list[Part] = []
        damages: list[Problem] = []
        for file in logs:
            data = content_of(source.root, file.path, self.limits, damages, binary=True)
            parts.append(Part(file.path, records.read(file.path, data)))
        # The last directory has the summary of the whole run.
        files = [f for f in source.files if f.path == in_files(logs[-1], _SUMMARY)]
        summary, problems = load_sidecars(source, files, self.limits)
        last = replace(parts[-1], data=parts[-1].data + records.trailer(summary))
        log = open_log([*parts[:-1], last], replace(_OPTIONS, limits=self.limits))
        known = self._configuration(source, logs[-1], records)
        runs = runs_of_log(log, source, request, *known)
        for run in runs:
            run.problems += [*problems, *records.problems, *damages]
            run.marker = records.status
            if request.messages:
                for file, printed in zip(logs, records.console, strict=True):
                    run.messages += self._printed(source, file, printed, run.problems)
        return runs

    def _configuration(
        self, source: Source, log: LogFile, records: RunRecords
    ) -> tuple[dict[str, Any], list[Problem], list[str]]:
        """Return the configuration with facts, what is wrong with it, and where it is from."""
        own = (log.path, records.config)
        found, problems, names = load_named(source, self.limits, own=own)
        config = {k: v for k, v in found.items() if k not in (PRIVATE, "wandb_version")}
        if records.facts:
            names = ["records of the run", *names]
            config = with_section(config, "wandb", records.facts)
        elif not config:
            problems.append(Problem("no_config", "the file has no record of the run", log.path))
        return config, problems, names

    def _printed(
        self, source: Source, log: LogFile, printed: str, problems: list[Problem]
    ) -> list[str]:
        """Return the lines that a run printed: those of ``output.log``, else of the records."""
        path = in_files(log, _CONSOLE)
        if any(file.path == path for file in source.files):
            console = text_if_any(source.root, path, self.limits, problems)
            printed = printed if console is None else console
        return [line for line in printed.splitlines() if line.strip()]
