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
import xarray as xr
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


def whole_lines_of(ax):
    """Return x and y of each line, its thick and its thin parts put together."""
    found = []
    for line in lines_of(ax):
        x, y = line.get_data()
        if found and (found[-1][0][-1], found[-1][1][-1]) == (x[0], y[0]):
            found[-1] = [
                np.append(old, new[1:]) for old, new in zip(found[-1], (x, y), strict=True)
            ]
        else:
            found.append([x, y])
    return found


def test_a_line_is_drawn_through_the_means_and_a_band_through_the_interval(ds):
    acc = ds.sel(metric="acc1", split="val", weights="DEFAULT", weight_decay=0.0)
    ax = rc.plot.curves(acc)
    wanted = rc.summarize(acc)
    assert len(whole_lines_of(ax)) == len(ax.collections) == 4
    for (x, y), band, lr in zip(whole_lines_of(ax), ax.collections, acc.lr.values, strict=True):
        own = wanted.sel(lr=lr)
        np.testing.assert_array_equal(x, own.epoch)
        np.testing.assert_allclose(y, own["mean"])
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


def falling(n_seeds=4, n_epochs=6):
    """Return a cube of one line whose runs end one by one: n is 4, 4, 3, 3, 2, 1."""
    values = np.arange(n_seeds)[:, None] + np.arange(float(n_epochs))
    for seed, end in ((3, 2), (2, 4), (1, 5)):
        values[seed, end:] = np.nan
    values = values[:, None, None, :]
    return made(values, ~np.isnan(values), {}, ["val"], ["loss"])


def test_a_line_is_thin_where_fewer_runs_are_left_with_ticks_where_n_changes():
    ax = rc.plot.curves(falling())
    thick, thin = lines_of(ax)
    assert thick.get_xdata().tolist() == [0, 1]
    assert thin.get_xdata().tolist() == [1, 2, 3, 4, 5]  # the step to fewer runs is thin too
    assert thin.get_linewidth() < thick.get_linewidth()
    (ticks,) = [line for line in ax.lines if line.get_marker() == "|"]
    assert ticks.get_xdata().tolist() == [2, 4, 5]
    assert "Thin, with ticks where n changes: fewer runs than elsewhere" in caption_of(ax)
    whole = rc.plot.curves(falling().isel(epoch=slice(2)))
    assert len(whole.lines) == 1
    assert "Thin" not in caption_of(whole)


def test_points_of_too_few_runs_are_not_drawn_and_are_counted():
    ax = rc.plot.curves(falling(), min_n=3)
    assert [x.tolist() for x, _ in whole_lines_of(ax)] == [[0, 1, 2, 3]]
    (path,) = ax.collections[0].get_paths()
    assert path.vertices[:, 0].max() == 3
    assert "n = 3–4 runs at a point" in caption_of(ax)
    assert "Points of fewer than 3 runs, which are not drawn: 2." in caption_of(ax)
    with pytest.raises(rc.PlanError, match="min_n=0: expected a number of runs"):
        rc.plot.curves(falling(), min_n=0)


def test_integer_axes_have_ticks_at_whole_numbers_also_in_small_panels(ds):
    acc = ds.sel(metric="acc1", split="val")
    for figure in (
        rc.plot.curves(acc, width="column"),
        rc.plot.curves(acc, row="weights", col="weight_decay"),
        rc.plot.curves(acc.isel(epoch=slice(3)), width="column"),
    ):
        figure.get_figure().canvas.draw()
        ax = figure.get_figure().axes[-1]
        low, high = ax.get_xlim()
        ticks = [tick for tick in ax.get_xticks() if low <= tick <= high]
        assert len(ticks) >= 3
        assert all(tick == int(tick) for tick in ticks)


def test_a_legend_takes_less_than_a_quarter_of_a_narrow_figure(ds):
    loss = ds.sel(metric="loss", weights="DEFAULT", weight_decay=0.0)
    for figure in (
        rc.plot.curves(loss, width="column"),
        rc.plot.curves(loss.sel(split="val"), width="column"),
        rc.plot.distribution(loss.sel(split="val"), hue="lr", width="column"),
    ):
        own = figure.get_figure()
        own.canvas.draw()
        (legend,) = own.legends
        box = legend.get_window_extent()
        assert box.height < 0.22 * own.bbox.height
        assert box.x1 < own.bbox.x1
    # Each heading begins a column, with its own labels below it.
    words = legend_of(rc.plot.curves(loss, width="column"))[1:]
    assert len(words) == 10
    assert (words[0], words[5], words[-1]) == ("lr", "split", "")


RUNS = {
    "curves": {},
    "distribution": {},
    "heatmap": {"x": "lr", "y": "weight_decay"},
    "parallel": {},
    "best_of_k": {"mode": "max"},
    "compare": {"over": "weights"},
    "importance": {"metric": "acc1", "mode": "max", "rng": 0, "n_resamples": 9},
    "marginals": {"metric": "acc1", "mode": "max", "over": "lr"},
}


@pytest.mark.parametrize("name", RUNS)
def test_every_figure_says_of_which_runs_it_is(ds, name):
    draw = getattr(rc.plot, name)
    acc = ds if "metric" in RUNS[name] else ds.sel(metric="acc1", split="val")
    said = caption_of(draw(acc, **RUNS[name]))
    assert "All runs: 118 complete, 2 incomplete." in said
    said = caption_of(draw(acc, **RUNS[name], statuses="complete"))
    assert "Complete runs only; left out: 2 incomplete." in said
    assert "All runs drawn are complete." in caption_of(draw(acc.sel(seed=[2, 3]), **RUNS[name]))
    for wrong in ("whole", ["complete", "whole"], [], 3):
        with pytest.raises(rc.PlanError, match=r"statuses=.*: expected one of 'complete'"):
            draw(acc, **RUNS[name], statuses=wrong)


def test_a_cube_that_was_masked_is_drawn_of_the_runs_that_are_left(ds):
    acc = ds.sel(metric="acc1", split="val")
    masked = acc.where(acc.status == "complete")  # which makes numbers of `logged`
    for draw in (rc.plot.curves, rc.plot.distribution):
        assert "All runs drawn are complete." in caption_of(draw(masked))
        said = caption_of(draw(masked, statuses="incomplete"))
        assert said == "No run has a value."


@pytest.mark.parametrize("name", [*RUNS, "coverage"])
def test_hyperparameters_are_called_by_their_display_names(ds, name):
    own = ds.assign_coords(lr=ds.lr.assign_attrs(long_name="learning rate", units="1/step"))
    how = RUNS.get(name, {}) | ({"over": "lr", "baseline": 0.2} if name == "compare" else {})
    by = {"curves": "hue", "distribution": "x", "best_of_k": "hue"}.get(name)
    one = own if "metric" in how or name == "coverage" else own.sel(metric="acc1", split="val")
    figure = getattr(rc.plot, name)(one, **how, **({by: "lr"} if by else {})).get_figure()
    figure.canvas.draw()
    said = " ".join(text.get_text() for text in figure.findobj(mpl.text.Text))
    assert "learning rate (1/step)" in said
    assert "optim" not in said


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
    assert [len(whole_lines_of(ax)) for ax in figure.axes] == [4] * 6
    assert len({ax.get_ylim() for ax in figure.axes}) == 1
    with pytest.raises(rc.PlanError, match="one Axes"):
        rc.plot.curves(ds, col="lr", ax=figure.axes[0])


def test_what_colours_do_not_tell_apart_is_said(ds):
    ax = rc.plot.curves(ds.sel(metric="acc1", split="val"))
    assert len(whole_lines_of(ax)) == 24
    assert not ax.collections
    assert "24 lines: mean over seeds" in caption_of(ax)
    assert (
        "fewer runs than elsewhere on the line. Lines of one look differ in weights, weight_decay."
        in caption_of(ax)
    )
    few = rc.plot.curves(ds.sel(metric="acc1", split="val", lr=0.2))
    assert legend_of(few)[:2] == ["configuration  (n = 5)", "weights None, weight_decay 0"]


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


def compared(ax):
    points = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    bars = [bar.get_segments()[0][:, 0].tolist() for bar in ax.collections]
    said = [text.get_text() for text in ax.texts]
    rows = [text.get_text() for text in ax.get_yticklabels()]
    return {row: own for row, *own in zip(rows, points, bars, said, strict=True)}, ax.get_ylabel()


@pytest.mark.parametrize("over", ["lr", "weights"])
@pytest.mark.parametrize(
    "of", [lambda ds: ds, rc.final, lambda ds: ds.chunk()], ids=["cube", "last", "dask"]
)
def test_settings_are_compared_in_the_configs_layout_as_in_the_grid(ds, over, of):
    acc = ds.sel(metric="acc1", split="val").isel(weight_decay=[0, 1])
    wanted = compared(rc.plot.compare(of(acc), over=over, adjust="bh"))
    assert compared(rc.plot.compare(of(rc.to_configs(acc)), over=over, adjust="bh")) == wanted
    # Without one configuration the comparisons with it are gone, and no other.
    part = of(rc.to_configs(acc).isel(config=slice(1, None)))
    rows, _ = compared(rc.plot.compare(part, over=over, adjust="bh"))
    lost = [row for row in wanted[0] if row not in rows]
    assert len(lost) == (3 if over == "lr" else 1)
    assert all(rows[row][:2] == wanted[0][row][:2] for row in rows)


def test_what_goes_with_a_setting_is_no_other_difference(ds):
    acc = rc.to_configs(ds.sel(metric="acc1", split="val"))
    steps = ("config", np.where(acc.lr > 0.1, 100, 200), {"hparam": "steps"})
    wanted = compared(rc.plot.compare(acc, over="lr", baseline=0.2))
    assert (
        compared(rc.plot.compare(acc.assign_coords(steps=steps), over="lr", baseline=0.2)) == wanted
    )


def test_a_search_without_two_configurations_that_differ_in_one_key_has_nothing_to_compare(ds):
    acc = rc.to_configs(ds.sel(metric="acc1", split="val", weights="None"))
    drawn = acc.isel(config=[0, 4, 8]).assign_coords(
        lr=("config", [0.1, 0.2, 0.3], {"hparam": "lr"}),
        weight_decay=("config", [0.01, 0.03, 0.02], {"hparam": "weight_decay"}),
    )
    with pytest.raises(
        rc.PlanError, match=r"no two configurations differ in it alone.*weight_decay"
    ):
        rc.plot.compare(drawn, over="lr")
    with pytest.raises(rc.UnknownNameError, match=r"over='lrr': no hyperparameter.*nearest: 'lr'"):
        rc.plot.compare(drawn, over="lrr")
    alike = drawn.assign_coords(
        {n: ("config", [own] * 3, {"hparam": n}) for n, own in (("lr", 0.1), ("weight_decay", 0))}
    )
    with pytest.raises(rc.PlanError, match="several configurations are alike in everything"):
        rc.plot.compare(alike, over="lr")


def test_rows_name_the_fewest_keys_that_tell_them_apart(ds):
    acc = rc.to_configs(ds.sel(metric="acc1", split="val", weights="None", weight_decay=[0.0, 0.1]))
    twice = acc.assign_coords(twice=("config", 2 * acc.weight_decay.values, {"hparam": "twice"}))
    ax = rc.plot.compare(twice, over="lr", baseline=0.2)
    assert ax.get_ylabel() == "lr (weight_decay)"
    one = rc.plot.compare(twice.isel(config=acc.weight_decay.values == 0), over="lr", baseline=0.2)
    assert one.get_ylabel() == "lr"
    assert one.get_yticklabels()[0].get_text() == "0.004 − 0.2"
    names = {"0.2": "the rate that all of us take"}
    ax = rc.plot.compare(acc, over="lr", baseline=0.2, names=names)
    ax.figure.canvas.draw()  # raises where labels leave no room
    assert ax.get_yticklabels()[0].get_text() == "0.004 − the rate that all of us take\n(0)"


def test_drawn_seeds_make_no_pairs_in_the_configs_layout(ds):
    acc = ds.sel(metric="acc1", split="val", weight_decay=0.0, lr=[0.028, 0.2])
    drawn = acc.assign_coords(seed_value=(acc.status.dims, np.arange(20).reshape(2, 2, 5)))
    for own in (drawn, rc.to_configs(drawn)):
        assert [text.get_text() for text in rc.plot.compare(own, over="lr").texts] == ["n = 5"] * 2


def test_too_many_comparisons_are_refused_before_they_are_made(ds):
    acc = rc.final(ds.sel(metric="acc1", split="val", weights="None", weight_decay=0.0))
    many = acc.isel(lr=[0] * 300).assign_coords(lr=("lr", np.arange(300.0), acc.lr.attrs))
    with pytest.raises(rc.PlanError, match="44850 comparisons; give a baseline"):
        rc.plot.compare(many, over="lr")


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


def test_the_best_of_k_is_drawn_along_what_k_cost(ds):
    val = rc.final(ds.sel(metric="acc1", split="val"))
    seconds = xr.DataArray(np.linspace(100, 300, val.size).reshape(val.shape), dims=val.dims)
    val = val.assign_coords(train_time=seconds.assign_attrs(units="s", long_name="train time"))
    how = {"over": ["lr", "weight_decay"], "dim": "seed", "mode": "max"}
    short = (val.train_time / 1000).assign_attrs(units="s", long_name="time on one GPU")
    for cost, label, factor in (
        ("runs", "runs", 1),
        ("train_time", "train time (h)", 3600),
        (short, "time on one GPU (s)", 1),
        (100 * short, "time on one GPU (min)", 60),
        (short.assign_attrs(units="J", long_name="energy"), "energy (J)", 1),
    ):
        ax = rc.plot.best_of_k(val, mode="max", hue="weights", cost=cost)
        wanted = rc.best_of_k(val, **how, cost=cost)
        assert ax.get_xlabel() == label
        for line, weights in zip(ax.lines, val.weights.values, strict=True):
            own = wanted.sel(weights=weights)
            np.testing.assert_allclose(line.get_xdata(), own.cost / factor)
            np.testing.assert_allclose(line.get_ydata(), own.value)
        assert "what k of them cost with all their seeds, on average" in caption_of(ax)
    unknown = val.assign_coords(train_time=val.train_time.where(val.seed > 0))
    ax = rc.plot.best_of_k(unknown, mode="max", cost="train_time")
    assert "cost is not known, taken as the mean of the others: 24." in caption_of(ax)
    with pytest.raises(rc.PlanError, match="cost='time'"):
        rc.plot.best_of_k(val, mode="max", cost="time")


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
    assert legend_of(ax) == ["opt  (n = 1)", "\\$x_{1", " _hidden"]
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
