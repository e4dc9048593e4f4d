"""What stands on the Axes: the drawn artists, their data, what the captions and legends say.

Pictures are compared by what they are made of: fonts and antialiasing differ between versions of
matplotlib, the data of lines, bands and marks does not.
"""

import subprocess
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from plot_cubes import made

import runcube as rc

mpl.use("Agg")
plt = pytest.importorskip("matplotlib.pyplot")


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def ds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs("examples/logs")


def legend_of(figure):
    (legend,) = figure.get_figure().legends
    return [legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())]


def caption_of(figure):
    return figure.get_figure().get_supxlabel().replace("\n", " ")


def lines_of(ax):
    return [line for line in ax.lines if line.get_linestyle() != "None"]


def test_a_line_is_drawn_through_the_means_and_a_band_through_the_interval(ds):
    acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    ax = rc.plot.curves(acc)
    wanted = rc.summarize(acc)
    assert len(lines_of(ax)) == len(ax.collections) == 4
    for line, band, lr in zip(lines_of(ax), ax.collections, acc.lr.values, strict=True):
        own = wanted.sel(lr=lr)
        np.testing.assert_array_equal(line.get_xdata(), own.epoch)
        np.testing.assert_allclose(line.get_ydata(), own["mean"])
        (path,) = band.get_paths()
        at_3 = path.vertices[path.vertices[:, 0] == 3, 1]
        np.testing.assert_allclose([at_3.min(), at_3.max()], own.ci.sel(epoch=3))


def test_the_legend_has_n_and_the_caption_names_the_interval(ds):
    acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    ax = rc.plot.curves(acc, names={"lr": "learning rate", "acc1": "accuracy (%)"})
    assert legend_of(ax)[0] == "learning rate"
    assert legend_of(ax)[1:] == [
        f"{lr:g}  (n = {n})" for lr, n in zip(acc.lr.values, [5, 5, 5, "4–5"], strict=True)
    ]
    assert caption_of(ax).startswith(
        "Mean over seeds, n = 4–5 runs at a point. Band: 95 % interval (Student t), pointwise."
    )
    assert ax.get_ylabel() == "val accuracy (%)"
    banded = rc.plot.curves(acc, simultaneous=True, ci=0.9)
    assert "Band: 90 % simultaneous band." in caption_of(banded)
    median = rc.plot.curves(acc, statistic="median")
    assert "Median over seeds" in caption_of(median)
    assert "scaled bootstrap" in caption_of(median)


def test_gaps_split_lines_and_bands_and_a_lone_point_has_a_marker():
    values = np.ones((3, 1, 1, 7)) * np.arange(3).reshape(3, 1, 1, 1)
    values[..., [2, 4]] = np.nan
    ax = rc.plot.curves(made(values, ~np.isnan(values), {}, ["val"], ["loss"]))
    assert [line.get_xdata().tolist() for line in lines_of(ax)] == [[0, 1], [5, 6]]
    (lone,) = [line for line in ax.lines if line.get_linestyle() == "None"]
    assert (lone.get_xdata().tolist(), lone.get_marker()) == ([3], "o")
    assert len(ax.collections) == 3  # two bands and a bar


def test_a_line_on_a_grid_of_its_own_has_no_gaps():
    values = np.ones((2, 1, 1, 1, 9))
    values[1, ..., [1, 2, 4, 5, 7]] = np.nan  # logs every third step, and the last
    ds = made(values, ~np.isnan(values), {"few": [1, 2]}, ["val"], ["loss"])
    ax = rc.plot.curves(ds)
    assert [line.get_xdata().tolist() for line in lines_of(ax)] == [[*range(9)], [0, 3, 6, 8]]


def test_a_triangle_at_the_edge_marks_the_first_nan_of_a_run(ds):
    loss = ds.sel(metric="loss", split="train", weights="None", weight_decay=0.0, lr=1.4)
    ax = rc.plot.curves(loss)
    (marks,) = [line for line in ax.lines if line.get_marker() == "^"]
    bad = loss.logged & ~np.isfinite(loss.curve)
    first = np.unique(bad.argmax("epoch").values[bad.any("epoch").values])
    assert marks.get_xdata().tolist() == loss.epoch.values[first].tolist()
    assert f"▲: first NaN or infinity of a run ({int(bad.any('epoch').sum())})." in caption_of(ax)


def test_splits_are_line_styles_and_metrics_are_panels(ds):
    one = ds.sel(weights="DEFAULT", weight_decay=0.0, metric=["loss", "acc1"])
    figure = rc.plot.curves(one)
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "acc1"]
    assert {"train", "val", "eval"} < set(legend_of(figure))
    assert len({str(line.get_linestyle()) for line in lines_of(figure.axes[0])}) > 1
    assert [ax.get_yscale() for ax in figure.axes] == ["log", "linear"]


def test_an_empty_panel_is_called_as_the_others(ds):
    own = ds.sel(metric="loss", split="val")
    gone = (own.weights == "None") & (own.weight_decay == 0.0)
    own = own.assign(curve=own.curve.where(~gone), logged=own.logged & ~gone)
    figure = rc.plot.curves(own, row="weights", col="weight_decay")
    assert [ax.get_ylabel() for ax in figure.axes] == ["val loss", "", ""] * 2


def test_the_caption_of_a_heat_map_speaks_of_intervals_that_are_there(ds):
    last = rc.final(ds.sel(split="val", weights="DEFAULT"))
    for metric, is_written in (("acc1", True), ("loss", False)):
        ax = rc.plot.heatmap(last.sel(metric=metric))
        assert any("±" in text.get_text() for text in ax.texts) is is_written
        assert ("±: half of the" in caption_of(ax)) is is_written


def test_rows_and_columns_are_small_multiples(ds):
    figure = rc.plot.curves(ds.sel(metric="acc1", split="val"), row="weights", col="weight_decay")
    assert len(figure.axes) == 6
    assert figure.axes[4].get_title() == "weights = DEFAULT\nweight_decay = 0.01"
    assert [len(lines_of(ax)) for ax in figure.axes] == [4] * 6
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    with pytest.raises(rc.PlanError, match="one Axes"):
        rc.plot.curves(ds, col="lr", ax=figure.axes[0])


def test_what_colours_do_not_tell_apart_is_said(ds):
    ax = rc.plot.curves(ds.sel(metric="acc1", split="val"))
    assert len(lines_of(ax)) == 24
    assert not ax.collections
    assert "24 lines: mean over seeds" in caption_of(ax)
    assert (
        "No intervals are drawn. Lines of one look differ in weights, weight_decay."
        in caption_of(ax)
    )
    few = rc.plot.curves(ds.sel(metric="acc1", split="val", lr=0.2))
    assert legend_of(few)[:2] == ["configuration", "weights None, weight_decay 0  (n = 5)"]


def test_clipped_points_are_counted(ds):
    loss = ds.sel(metric="loss", split="train", weights="DEFAULT", weight_decay=0.0)
    ax = rc.plot.curves(loss, clip=0.9, logy=False)
    means = rc.summarize(loss)["mean"].values
    means = means[np.isfinite(means)]
    low, high = np.quantile(means, [0.1, 0.9])
    count = ((means < low) | (means > high)).sum()
    assert f"Points outside the 10–90 % quantiles: {count}." in caption_of(ax)
    assert ax.get_ylim()[1] < high * 1.1


def test_single_runs_are_thin_and_smoothing_keeps_what_was_logged(ds):
    acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0, lr=0.2)
    ax = rc.plot.curves(acc, seeds=True)
    thin = [line for line in ax.lines if line.get_linewidth() < 1]
    np.testing.assert_array_equal([line.get_ydata() for line in thin], acc.curve)
    smooth = rc.plot.curves(acc, smoothing=0.9)
    thin, thick = sorted(lines_of(smooth), key=lambda line: line.get_linewidth())
    np.testing.assert_allclose(thin.get_ydata(), acc.curve.mean("seed"))
    np.testing.assert_allclose(thick.get_ydata(), rc.smooth(acc, 0.9).mean("seed"))
    assert "Smoothed (EMA 0.9); thin: as logged." in caption_of(smooth)


def test_two_groups_have_their_largest_gap_marked(ds):
    end = rc.final(ds.sel(metric="acc1", split="val", weight_decay=0.0, lr=0.2))
    ax = rc.plot.distribution(end, kind="ecdf")
    test = rc.compare(end.isel(weights=0), end.isel(weights=1), paired=False)
    (gap,) = ax.collections
    np.testing.assert_allclose(gap.get_paths()[0].vertices[:, 0], float(test.ks_at))
    assert f"Dotted: the largest gap, {float(test.ks):.2f}" in caption_of(ax)


def test_each_run_is_a_point(ds):
    end = rc.final(ds.sel(metric="acc1", split="val", weight_decay=0.0, weights="None"))
    ax = rc.plot.distribution(end, x="lr")
    points = [line for line in ax.lines if line.get_marker() == "o"]
    for drawn, lr in zip(points, end.lr.values, strict=True):
        np.testing.assert_array_equal(np.sort(drawn.get_ydata()), np.sort(end.sel(lr=lr)))
    assert "n = 5. Dash: mean, 95 % interval (Student t)." in caption_of(ax)


def test_cells_say_their_value_and_n_and_empty_ones_are_hatched(ds):
    loss = ds.sel(metric="loss", split="train", weights="DEFAULT")
    ax = rc.plot.heatmap(loss, x="lr", y="weight_decay")
    texts = [text.get_text() for text in ax.texts]
    lost = rc.summarize(rc.final(loss).sel(lr=1.4, weight_decay=0.1))
    assert int(lost.n) == 0
    assert sum(text.startswith("▲ 5") for text in texts) == 1
    assert sum(patch.get_hatch() is not None for patch in ax.patches) == 1
    own = rc.summarize(rc.final(loss).sel(lr=0.2, weight_decay=0.0))
    assert f"{float(own['mean']):.3g}\nn = 5" in texts  # a logarithmic scale: no common decimals
    assert "Hatched: no finite value" in caption_of(ax)
    joined = rc.plot.heatmap(ds.sel(metric="acc1", split="val"), x="lr", y="weight_decay")
    assert "Mean over runs, mean over weights." in caption_of(joined)
    one = ds.sel(metric="acc1", split="val", weights="DEFAULT")
    texts = [text.get_text() for text in rc.plot.heatmap(one, x="lr", y="weight_decay").texts]
    own = rc.summarize(rc.final(one).sel(lr=0.2, weight_decay=0.0))
    assert f"{float(own['mean']):.2f} ± {float(own.ci[1] - own['mean']):.2f}\nn = 5" in texts


def test_comparisons_are_those_of_compare_all(ds):
    end = rc.final(ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0))
    ax = rc.plot.compare(end, over="lr", baseline=0.2)
    wanted = rc.compare_all(end, over="lr", baseline=0.2)
    points = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([p.get_xdata()[0] for p in points], wanted.difference)
    filled = [p.get_markerfacecolor() != "white" for p in points]
    assert filled == [str(word).endswith("is higher") for word in wanted.verdict.values]
    bars = [c.get_segments()[0][:, 0] for c in ax.collections]
    np.testing.assert_allclose(bars, wanted.ci.transpose("pair", "ci_bound"))
    assert "3 comparisons (Holm (1979))" in caption_of(ax)


def test_coverage_counts_in_its_legend(ds):
    assert legend_of(rc.plot.coverage(ds))[1:] == [
        "complete  (118)",
        "incomplete  (2)",
        "failed  (0)",
        "absent  (0)",
    ]


def test_importance_and_marginals_draw_what_the_statistics_say(ds):
    how = {"metric": "acc1", "mode": "max"}
    ax = rc.plot.importance(ds, **how, rng=0, n_resamples=99)
    wanted = rc.importance(ds, **how, rng=0, n_resamples=99)
    widths = [patch.get_width() for patch in ax.patches[:3]]
    np.testing.assert_allclose(widths, np.sort(wanted.importance)[::-1])
    figure = rc.plot.marginals(ds, **how)
    assert len(figure.axes) == 3
    np.testing.assert_allclose(
        figure.axes[1].lines[0].get_ydata(), rc.marginals(ds, over="lr", **how)["mean"]
    )


def test_the_best_of_k_is_drawn_as_chosen_and_as_reported(ds):
    val, test = (rc.final(ds.sel(metric="acc1", split=split)) for split in ("val", "eval"))
    ax = rc.plot.best_of_k(val, mode="max", report=test)
    over = ["weights", "lr", "weight_decay"]
    how = {"over": over, "dim": "seed", "mode": "max"}
    wanted = rc.best_of_k(val, **how).value, rc.best_of_k(val, report=test, **how).value
    for line, own in zip(ax.lines, wanted, strict=True):
        np.testing.assert_allclose(line.get_ydata(), own)
    assert "n = 24 configurations" in caption_of(ax)


def test_a_configuration_with_a_diverged_run_is_as_bad_as_the_worst(ds):
    loss = ds.sel(metric="loss", split="train")
    ax = rc.plot.best_of_k(loss, mode="min")
    assert "count as the worst" in caption_of(ax)


def test_a_line_crosses_each_axis_at_its_label(ds):
    ax = rc.plot.parallel(ds.sel(metric="acc1", split="val"), mode="max")
    assert len(ax.lines) == 24
    best = ax.lines[-1].get_ydata()  # drawn last
    assert best[-1] == 1.0
    np.testing.assert_allclose(best[:3], [1, 2 / 3, 0])  # DEFAULT, 0.2, 0.0


def test_labels_from_logs_are_no_markup():
    values = np.ones((2, 1, 1, 1, 3))
    ds = made(values, values > 0, {"opt": ["$x_{1", "_hidden"]}, ["val"], ["$\\frac"])
    ax = rc.plot.curves(ds)
    ax.figure.canvas.draw()
    assert legend_of(ax)[1:] == ["\\$x_{1  (n = 1)", " _hidden  (n = 1)"]
    assert ax.get_ylabel() == "val \\$\\frac"


def test_nothing_global_is_changed_and_the_style_can_be_left_out(ds):
    before = dict(mpl.rcParams)
    acc = ds.sel(metric="acc1", split="val", lr=0.2)
    ours = rc.plot.curves(acc)
    with mpl.rc_context({"font.size": 17.0, "axes.labelsize": "medium"}):
        theirs = rc.plot.curves(acc, theme=False)
    assert (ours.xaxis.label.get_size(), theirs.xaxis.label.get_size()) == (8.0, 17.0)
    assert dict(mpl.rcParams) == before


def test_saved_figures_have_real_text(ds, tmp_path):
    ax = rc.plot.curves(ds.sel(metric="acc1", split="val", lr=0.2))
    rc.plot.save(ax, tmp_path / "a.svg")
    assert ">val acc1<" in (tmp_path / "a.svg").read_text()
    rc.plot.save(ax, tmp_path / "a.pdf")
    written = (tmp_path / "a.pdf").read_bytes()
    assert b"/TrueType" in written or b"/CIDFontType2" in written
    assert b"/Type3" not in written


def test_no_text_is_smaller_than_8_points(ds):
    figure = rc.plot.curves(ds, col="weights", hue="lr", row="metric")
    figure.canvas.draw()
    sizes = {text.get_fontsize() for text in figure.findobj(mpl.text.Text) if text.get_text()}
    assert min(sizes) >= 8 * 0.7  # exponents of powers of ten
    assert 8.0 in sizes


def test_the_methods_of_a_cube_are_the_functions(ds):
    figures = [n for n in rc.plot.__all__ if n not in ("data", "save", "theme", "PlotMethods")]
    methods = {n for n in vars(type(ds.sweep.plot)) if n[0] != "_"}
    assert methods == {*figures}
    assert all(getattr(ds.sweep.plot, n).__doc__ == getattr(rc.plot, n).__doc__ for n in figures)
    assert "curves" in repr(ds.sweep.plot)


def test_plot_is_there_without_matplotlib():
    code = "import sys; sys.modules['matplotlib'] = None; import runcube; runcube.plot.curves"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
