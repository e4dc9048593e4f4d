"""Tables for papers: results with honest digits, as Markdown, LaTeX, HTML, CSV or a DataFrame.

``results`` says what stands in a table and ``rows`` what tells its rows apart, ``layout`` is the
table and how it is written, ``digits`` rounds. Start in ``results``. May import ``core``, ``cube``
and ``stats``.
"""

from runcube.tables.digits import decimals_of, places_of, shown
from runcube.tables.layout import Table
from runcube.tables.results import results

__all__ = ["Table", "decimals_of", "places_of", "results", "shown"]
