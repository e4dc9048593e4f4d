"""The figures of the page as Bokeh models without data: the script of the page fills them."""

from __future__ import annotations

from typing import Any

_TOOLS = "pan,box_zoom,wheel_zoom,reset"
DASHES = ("solid", "dashed", "dotted", "dotdash")


def curves_figure() -> Any:
    """Return the figure of curves.

    Its sources, by name: ``bands``; ``raw``, lines before smoothing; ``runs``, thin lines of single
    runs; ``lines_solid`` and so on, one for each style; ``points``, which have no neighbour;
    ``marks``, triangles where a value is not finite.
    """
    from bokeh.models import HoverTool

    made = _figure("curves", height=440)
    bands = _source("bands", "xs", "ys", "colour")
    made.patches("xs", "ys", source=bands, fill_color="colour", fill_alpha=0.18, line_alpha=0)
    hit = []
    for name, alpha, width, dash in (
        ("raw", 0.3, 1.0, "solid"),
        ("runs", 0.5, 0.8, "solid"),
        *((f"lines_{dash}", 1.0, 2.0, dash) for dash in DASHES),
    ):
        lines = made.multi_line(
            "xs",
            "ys",
            source=_source(name, "xs", "ys", "colour"),
            line_color="colour",
            line_alpha=alpha,
            line_width=width,
            line_dash=dash,
        )
        if name != "raw":
            hit.append(lines)
    points = _source("points", "x", "y", "colour")
    hit.append(made.scatter("x", "y", source=points, size=6, color="colour"))
    marks = _source("marks", "x", "y", "colour", "angle")
    hit.append(
        made.scatter(
            "x",
            "y",
            source=marks,
            marker="triangle",
            size=10,
            angle="angle",
            color="colour",
            line_color="white",
        )
    )
    made.add_tools(HoverTool(renderers=hit, line_policy="nearest", name="curves_hover"))
    return made


def _source(name: str, *columns: str) -> Any:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def _figure(name: str, height: int) -> Any:
    from bokeh.models import PlainText, Range1d
    from bokeh.plotting import figure

    made = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=_TOOLS,
        x_range=Range1d(0, 1),
        y_range=Range1d(0, 1),
        min_width=200,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    made.toolbar.logo = None
    made.xaxis.axis_label = PlainText("", name=f"{name}_x")
    made.yaxis.axis_label = PlainText("", name=f"{name}_y")
    for axis in (made.xaxis[0], made.yaxis[0]):
        axis.axis_label_text_font_style = "normal"
    return made
