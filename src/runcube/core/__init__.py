"""What every folder may use: the data model, errors, text, arrays, and machine resources.

``model`` defines the types that all of runcube uses (`RunHeader`, `Curves`, `RunLog`, …): start
there; ``roles`` what only the sweep shows of a log. ``errors`` are the exceptions, ``axis_names``
recognises by name what runs along a curve, ``limits`` bounds what one log may cost, ``text``,
``arrays`` and ``nested`` are small helpers, ``resources`` measures memory and CPUs, ``methods``
makes methods of functions. Imports nothing.
"""

from runcube.core.arrays import (
    LONG_TEXT_ENCODING,
    absent_cells,
    are_whole,
    as_whole,
    scatter_text,
    scatter_values,
    text_array,
)
from runcube.core.axis_names import (
    clock_seconds,
    elapsed_seconds,
    is_count_like,
    is_length_name,
    is_time_like,
    is_x_like,
    length_names,
)
from runcube.core.errors import (
    ArchiveError,
    CubeTooLargeError,
    ExecutorError,
    LogError,
    NoRunsError,
    PlanError,
    RuncubeError,
    StoreError,
    SweepWarning,
    UnknownNameError,
    check_choice,
)
from runcube.core.limits import DEFAULT_LIMITS, Limits
from runcube.core.methods import method_of
from runcube.core.model import (
    Curves,
    LogFile,
    Problem,
    Remarks,
    Request,
    Resume,
    RunHeader,
    RunLog,
    Source,
    Status,
)
from runcube.core.nested import PLAIN, leaves, opened, value_at
from runcube.core.resources import check_memory, gc_paused, usable_cpus
from runcube.core.roles import Names, Roles
from runcube.core.text import (
    clean_text,
    close_names,
    counted,
    is_printable,
    listed,
    natural_key,
    nearest,
    printable,
    shell_word,
    shell_words,
    value_text,
)

__all__ = [
    "DEFAULT_LIMITS",
    "LONG_TEXT_ENCODING",
    "PLAIN",
    "ArchiveError",
    "CubeTooLargeError",
    "Curves",
    "ExecutorError",
    "LogError",
    "Limits",
    "LogFile",
    "Names",
    "NoRunsError",
    "PlanError",
    "Problem",
    "Remarks",
    "Request",
    "Resume",
    "Roles",
    "RunHeader",
    "RunLog",
    "RuncubeError",
    "Source",
    "Status",
    "StoreError",
    "SweepWarning",
    "UnknownNameError",
    "absent_cells",
    "are_whole",
    "as_whole",
    "check_choice",
    "check_memory",
    "clean_text",
    "clock_seconds",
    "close_names",
    "counted",
    "elapsed_seconds",
    "gc_paused",
    "is_count_like",
    "is_length_name",
    "is_printable",
    "is_time_like",
    "is_x_like",
    "leaves",
    "length_names",
    "method_of",
    "listed",
    "natural_key",
    "nearest",
    "opened",
    "printable",
    "scatter_text",
    "scatter_values",
    "shell_word",
    "shell_words",
    "text_array",
    "usable_cpus",
    "value_at",
    "value_text",
]
