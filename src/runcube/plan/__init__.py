"""From the headers of runs to what varies: names, seed, dims, layout, the cell of every run.

A pure function, `plan`, from headers to a `Sweep`; no file is read here. ``planner`` puts the
rules in order, and each has its module: ``headers`` (rules 1 and 2), ``exclude`` (3), ``run_names``
(4), ``seed`` (5), ``dims`` (6, 7), ``layout`` (8, 9). Keys become columns in ``keys`` and
``values``, labels in ``labels``, names in ``names``; ``path_keys`` reads keys from paths,
``path_template`` suggests how, ``path_reading`` decides when that is done unasked,
``several_roots`` adds those of roots. ``explain`` says what was decided, ``reading`` how the logs
were read. Start in ``planner``. May import ``core``.

The rules by number, here and elsewhere: 1 a null section makes its keys null; 2 copies of a log are
one run; 3 keys excluded by name; 4 texts that name a run; 5 the seed; 6 dims, the fewest
labels that tell configurations apart; 7 coordinates; 8 grid or configs; 9 runs that nothing tells
apart; 10 two runs in one cell; 11 the x-axis; 12 its alignment; 13 an x that is logged again; 14
attempts and resumes; 15 complete, incomplete, failed.
"""

from runcube.plan.explain import show_labels
from runcube.plan.headers import (
    FlatConfigs,
    drop_copies,
    flatten_headers,
    name_reconfigured,
    reconfigured,
)
from runcube.plan.model import PlanPolicy
from runcube.plan.path_keys import keys_from_paths
from runcube.plan.planner import find_names, plan, plan_configs
from runcube.plan.several_roots import keys_of_roots, mixes_roots
from runcube.plan.sweep import Sweep
from runcube.plan.values import flatten

__all__ = [
    "FlatConfigs",
    "PlanPolicy",
    "Sweep",
    "drop_copies",
    "find_names",
    "flatten",
    "flatten_headers",
    "keys_from_paths",
    "keys_of_roots",
    "mixes_roots",
    "name_reconfigured",
    "plan",
    "plan_configs",
    "reconfigured",
    "show_labels",
]
