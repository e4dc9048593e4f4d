"""The figures of the page as Bokeh models without data: the script of the page fills them."""

from __future__ import annotations

from typing import Any

_TOOLS = "pan,box_zoom,wheel_zoom,reset"


def figures() -> dict[str, Any]:
    """Return the figures of the page by name."""
    return {
        "curves": _curves(),
        "distribution": _distribution(),
        "heatmap": _heatmap(),
        "parallel": _parallel(),
    }


def _curves() -> Any:
    """Return the figure of curves.

    Its sources, by name: ``bands``; ``lines``, thin ones before smoothing and of single runs, then
    means; ``points``, which have no neighbour; ``marks``, triangles where a value is not finite.
    """
    from bokeh.models import HoverTool

    made = _figure("curves", height=440)
    bands = _source("bands", "xs", "ys", "colour")
    made.patches("xs", "ys", source=bands, fill_color="colour", fill_alpha=0.18, line_alpha=0)
    lines = made.multi_line(
        "xs",
        "ys",
        source=_source("lines", "xs", "ys", "colour", "alpha", "width", "dash"),
        line_color="colour",
        line_alpha="alpha",
        line_width="width",
        line_dash="dash",
    )
    hit = [lines]
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
    made.add_tools(HoverTool(renderers=hit, line_policy="nearest", name="hover"))
    return made


def _distribution() -> Any:
    """Return the figure of last values: a point for each run, mean and interval of each group."""
    from bokeh.models import HoverTool

    made = _figure("distribution", height=380)
    made.ygrid.visible = False
    intervals = _source("intervals", "y", "left", "right", "colour")
    hit = [
        made.segment("left", "y", "right", "y", source=intervals, line_color="colour", line_width=2)
    ]
    means = _source("means", "mean", "low", "high", "colour")
    hit += [
        made.segment(
            "mean", "low", "mean", "high", source=means, line_color="colour", line_width=3
        ),
        made.scatter(
            "x",
            "y",
            source=_source("runs", "x", "y", "colour"),
            size=6,
            color="colour",
            fill_alpha=0.5,
            line_alpha=0.5,
        ),
    ]
    made.add_tools(HoverTool(renderers=hit, name="hover"))
    return made


def _heatmap() -> Any:
    """Return the figure of two hyperparameters: numbers in coloured cells, empty ones hatched."""
    from bokeh.models import HoverTool

    made = _figure("heatmap", height=380)
    made.grid.visible = False
    empty = _source("empty", "x", "y")
    made.rect(
        "x",
        "y",
        width=1,
        height=1,
        source=empty,
        fill_alpha=0,
        line_color="#888888",
        hatch_pattern="/",
        hatch_color="#888888",
        hatch_alpha=0.6,
    )
    cells = _source("cells", "x", "y", "colour", "ink", "text")
    hit = made.rect("x", "y", width=1, height=1, source=cells, color="colour", line_color=None)
    made.text(
        "x",
        "y",
        text="text",
        source=cells,
        text_color="ink",
        text_align="center",
        text_baseline="middle",
        text_font_size="11px",
    )
    made.add_tools(HoverTool(renderers=[hit], name="hover"))
    return made


def _parallel() -> Any:
    """Return the figure of parallel coordinates: a line for each configuration."""
    from bokeh.models import HoverTool

    made = _figure("parallel", height=380)
    made.grid.visible = False
    made.yaxis.visible = False
    axes = _source("axes", "x", "low", "high")
    made.segment("x", "low", "x", "high", source=axes, line_color="#888888")
    lines = _source("lines", "xs", "ys", "colour")
    hit = made.multi_line(
        "xs", "ys", source=lines, line_color="colour", line_alpha=0.6, line_width=1.5
    )
    labels = _source("labels", "x", "y", "text")
    made.text(
        "x",
        "y",
        text="text",
        source=labels,
        name="ink",
        background_fill_alpha=0.8,
        text_baseline="middle",
        text_font_size="11px",
        x_offset=4,
    )
    made.add_tools(HoverTool(renderers=[hit], line_policy="nearest", name="hover"))
    return made


def _source(name: str, *columns: str) -> Any:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def _figure(name: str, height: int) -> Any:
    from bokeh.models import Legend, PlainText, Range1d, Title
    from bokeh.plotting import figure

    made = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        tools=_TOOLS,
        x_range=Range1d(start=0, end=1),
        y_range=Range1d(start=0, end=1),
        min_width=200,
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
    )
    made.toolbar.logo = None
    # For what is exported: there the page is not around the figure.
    made.add_layout(Legend(name="legend", visible=False, items=[], ncols=6, spacing=12), "above")
    made.add_layout(Title(name="note", visible=False, text_font_style="normal"), "below")
    made.xaxis.axis_label = PlainText(text="", name="x")
    made.yaxis.axis_label = PlainText(text="", name="y")
    for axis in (made.xaxis[0], made.yaxis[0]):
        axis.axis_label_text_font_style = "normal"
        axis.minor_tick_line_color = None
    return made
