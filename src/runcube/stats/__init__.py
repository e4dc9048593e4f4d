"""Statistics over seeds: kernels in NumPy on the last axis, and labelled faces above them.

``summarize``, ``bootstrap``, ``compare`` and ``select`` are the faces. ``resamples`` enumerates or
draws, ``estimators`` weighs sorted values, ``intervals`` and ``bands`` bound them, ``summary`` puts
them together for many cells at once, ``contrasts`` does so for two groups, ``choosing`` for a
choice among many; ``labelled`` leads from cubes to arrays and back. Start in ``summarize``. May
import ``core`` and ``cube``; never readers, or how logs are loaded.
"""

from runcube.stats.bootstrap import bootstrap
from runcube.stats.compare import compare
from runcube.stats.select import select
from runcube.stats.summarize import summarize

__all__ = ["bootstrap", "compare", "select", "summarize"]
