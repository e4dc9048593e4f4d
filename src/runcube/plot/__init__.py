"""Figures for papers, drawn with matplotlib, which is imported when the first one is drawn.

What is drawn is computed first, by functions that draw nothing: start in ``data``, which stands on
``lines``, ``scales`` and ``on_x``, curves on another x-axis; ``labels`` names things. May import
``core``, ``cube`` and ``stats``.
"""

from runcube.plot import data

__all__ = ["data"]
