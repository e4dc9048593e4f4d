"""One run after parsing: which quantity is x, its attempts and resumes, its status, its rivals.

``x_axis`` chooses x (rules 11, 12), ``attempts`` resolves what a log holds twice (13, 14),
``status`` decides how a run ended (15), ``selection`` selects the run of each cell (10). Start in
``selection``. May import ``core`` and ``plan``.
"""

from runcube.curves.attempts import Attempt, Track
from runcube.curves.selection import KeptRun, Selection, SelectionPolicy, select_on, select_runs
from runcube.curves.status import OnDuplicate
from runcube.curves.x_axis import Align, XAxis, axis_names, identifier, unseparated_curves

__all__ = [
    "Align",
    "Attempt",
    "KeptRun",
    "OnDuplicate",
    "Selection",
    "SelectionPolicy",
    "Track",
    "XAxis",
    "axis_names",
    "identifier",
    "select_on",
    "select_runs",
    "unseparated_curves",
]
