"""A page to send to a colleague: one HTML file that asks the network for nothing.

``page`` writes it; start there. ``sections`` has what is text and tables, ``controls`` the form
that the script of the page reads, ``figures`` the figures as Bokeh models without data, ``data``
what they draw, with ``packing`` (values in a few bytes) and ``thinning`` (fewer points of long
curves). ``web`` holds the scripts and styles of the page. May import ``core``, ``cube``,
``stats``, ``tables`` and ``plot``.
"""

from runcube.report.page import report

__all__ = ["report"]
