"""The steps of every load: discover, plan, parse, select, build.

``load`` has the public functions `scan` and `load_runs`, ``tree`` has `load_tree`; start there.
``discover`` asks readers for headers, ``parse`` for runs, by ``jobs``, through ``tasks`` (in this
thread, in others, ``on_processes``, ``on_dask``); ``arguments`` checks what users pass, ``policy``
holds it, ``records`` what is kept of a parsed log besides its values (``stored`` makes them and
goes back, ``record_key`` says how long they hold), ``summary`` the attrs and the warning at the end
of a load. May import ``core``, ``files``, ``plan``, ``readers``, ``curves`` and ``cube``.
"""

from runcube.pipeline.arguments import load_policy
from runcube.pipeline.array_table import ArrayTable
from runcube.pipeline.discover import Discovery, discover
from runcube.pipeline.jobs import Job, of_logger
from runcube.pipeline.load import load_runs, scan
from runcube.pipeline.parse import Parsed, parse_logs
from runcube.pipeline.policy import Errors, Policy, policy_attr, policy_facts, policy_key, policy_of
from runcube.pipeline.progress import Progress, progress_bar, progress_callback
from runcube.pipeline.provenance import attrs_of_now, git_commit, library_versions
from runcube.pipeline.record_key import RecordKey
from runcube.pipeline.records import (
    RECORD_FORM,
    CurvesRecord,
    LogRecord,
    Record,
    TrackRecord,
    decode_record,
    encode_record,
)
from runcube.pipeline.stored import (
    StoredCurves,
    has_repeats,
    headers_of,
    logged_of,
    rebased_record,
    resume_of,
    to_logs,
    to_record,
)
from runcube.pipeline.summary import (
    LoadSummary,
    finish_load,
    inner_labels,
    load_attrs,
    selected_runs,
)
from runcube.pipeline.tasks import Parallel, check_parallel
from runcube.pipeline.tree import load_tree

__all__ = [
    "RECORD_FORM",
    "ArrayTable",
    "CurvesRecord",
    "Discovery",
    "Errors",
    "Job",
    "LoadSummary",
    "LogRecord",
    "Parallel",
    "Parsed",
    "Policy",
    "Progress",
    "Record",
    "RecordKey",
    "StoredCurves",
    "TrackRecord",
    "attrs_of_now",
    "check_parallel",
    "decode_record",
    "discover",
    "encode_record",
    "finish_load",
    "git_commit",
    "has_repeats",
    "headers_of",
    "inner_labels",
    "library_versions",
    "load_attrs",
    "load_policy",
    "load_runs",
    "load_tree",
    "logged_of",
    "of_logger",
    "parse_logs",
    "policy_attr",
    "policy_facts",
    "policy_key",
    "policy_of",
    "progress_bar",
    "progress_callback",
    "rebased_record",
    "resume_of",
    "scan",
    "selected_runs",
    "to_logs",
    "to_record",
]
