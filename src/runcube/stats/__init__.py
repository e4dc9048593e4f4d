"""Statistics over seeds: kernels in NumPy on the last axis, and labelled faces above them.

``summarize``, ``bootstrap``, ``compare`` and ``select`` are the faces, ``along_x`` and
``divergence`` have those of curves. ``resamples`` enumerates or draws, ``estimators`` weighs sorted
values, ``intervals`` and ``bands`` bound them, ``summary`` puts them together for many cells at
once, ``contrasts`` does so for two groups, with ``permutations``; ``multiple``, ``simultaneous``
and max-t of ``permutations`` allow for the number of comparisons; ``choosing`` is for a choice
among many, ``explained`` for what hyperparameters explain, with ``effects``, ``top_share`` and
``forest``; ``grouped`` draws in strata and clusters; ``runs`` has one number for each run,
``varied`` the hyperparameters that vary; ``labelled`` leads from cubes to arrays and back. Start in
``summarize``. May import ``core`` and ``cube``; never readers, or how logs are loaded.
"""

from runcube.stats.along_x import auc, best_so_far, resample, smooth, time_to
from runcube.stats.balance import balanced
from runcube.stats.best_of import best_of_k
from runcube.stats.bootstrap import bootstrap
from runcube.stats.choosing import may_be_best
from runcube.stats.compare import compare
from runcube.stats.compare_all import compare_all
from runcube.stats.divergence import divergence
from runcube.stats.importance import importance
from runcube.stats.labelled import RNG, Data, values_and_logged
from runcube.stats.marginals import binned, marginals
from runcube.stats.rank import rank
from runcube.stats.select import select
from runcube.stats.summarize import summarize

__all__ = [
    "RNG",
    "Data",
    "auc",
    "balanced",
    "best_of_k",
    "best_so_far",
    "binned",
    "bootstrap",
    "compare",
    "compare_all",
    "divergence",
    "importance",
    "marginals",
    "may_be_best",
    "rank",
    "resample",
    "select",
    "smooth",
    "summarize",
    "time_to",
    "values_and_logged",
]
