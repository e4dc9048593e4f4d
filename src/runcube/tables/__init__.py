"""Tables for papers: results with honest digits, as Markdown, LaTeX, HTML, CSV or a DataFrame.

``results`` says what stands in a table, ``rows`` what tells its rows apart, ``marks`` which runs
are not in it; ``layout`` is the table and how it is written, ``digits`` rounds. Start in
``results``. May import ``core``, ``cube`` and ``stats``.
"""

from runcube.tables.digits import decimals_of, places_of, shown
from runcube.tables.layout import Table
from runcube.tables.marks import MARKS, count_runs, legend, marked
from runcube.tables.results import results

__all__ = [
    "MARKS",
    "Table",
    "count_runs",
    "decimals_of",
    "legend",
    "marked",
    "places_of",
    "results",
    "shown",
]
