"""From the headers of runs to what varies: names, seed, dims, layout, the cell of every run.

A pure function, `plan`, from headers to a `Sweep`; no file is read here. ``planner`` puts the
rules in order, and each has its module: ``headers`` (rules 1 and 2), ``exclude`` (3, 4), ``seed``
(5), ``dims`` (6, 7), ``layout`` (8, 9). Keys become columns in ``keys`` and ``values``, labels in
``labels``, names in ``names``. Start in ``planner``. May import ``core``.
"""

from runcube.plan.explain import show_labels
from runcube.plan.headers import drop_copies, name_reconfigured, run_id
from runcube.plan.path_keys import keys_from_paths
from runcube.plan.planner import PlanPolicy, plan
from runcube.plan.sweep import Sweep
from runcube.plan.values import flatten

__all__ = [
    "PlanPolicy",
    "Sweep",
    "drop_copies",
    "flatten",
    "keys_from_paths",
    "name_reconfigured",
    "plan",
    "run_id",
    "show_labels",
]
