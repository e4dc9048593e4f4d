"""One run after parsing: which quantity is x, its attempts and resumes, its status, its rivals.

``x_choice`` chooses x (rule 11), ``own_x`` so that no run loses values on it, ``x_axis`` aligns the
runs on it (12), ``attempts`` takes a log apart (14), ``history`` resolves what one of them holds
twice (13), ``carry`` places records without x, ``resumes`` finds the branches that a run left,
``units`` the rows whose x is in another unit, ``late_start`` curves without a beginning,
``course`` says how far a run came, ``status`` decides how it ended (15), with ``promise``,
``selection`` selects the run of each cell (10), ``tree`` does so for every axis. Start in
``selection``. May import ``core`` and ``plan``.
"""

from runcube.curves.attempts import Attempt
from runcube.curves.selection import KeptRun, Selection, SelectionPolicy, select_runs
from runcube.curves.status import OnDuplicate
from runcube.curves.tracks import Track, along_x
from runcube.curves.tree import tree_selections
from runcube.curves.x_axis import Align, XAxis, identifier
from runcube.curves.x_values import MissingX

__all__ = [
    "Align",
    "Attempt",
    "KeptRun",
    "MissingX",
    "OnDuplicate",
    "Selection",
    "SelectionPolicy",
    "Track",
    "XAxis",
    "along_x",
    "identifier",
    "select_runs",
    "tree_selections",
]
