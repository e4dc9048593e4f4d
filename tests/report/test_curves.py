"""The curves of the page, in a browser, beside what xarray and rc.summarize say."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib import image as mpl_image

import runcube as rc


def labels(page):
    return [line["xs"] for line in page.lines()]


def test_the_page_opens_with_the_means_over_seeds(opened, page_file, complete):
    page = opened(page_file)
    lines = page.lines()
    means = rc.summarize(complete.sel(metric="acc1", split="val"))["mean"]
    wanted = means.values.reshape(-1, 20)
    assert len(lines["ys"]) == 24
    np.testing.assert_allclose(np.array(lines["ys"], float), wanted, atol=1e-3)
    assert (
        "118 of 120 runs (left out: 2 incomplete), 24 lines. Lines: mean over n = 4 to 5 runs"
        in page.caption()
    )


def test_a_filter_leaves_runs_out(opened, page_file, complete):
    page = opened(page_file)
    page.change(lambda p: p.uncheck("input[name='filter lr'][value='1.4']"))
    assert len(page.lines()["ys"]) == 18
    for seed in "234":
        page.change(lambda p, s=seed: p.uncheck(f"input[name='filter seed'][value='{s}']"))
    own = complete.sel(metric="acc1", split="val", seed=[0, 1]).isel(lr=slice(3))
    wanted = rc.summarize(own)["mean"].values.reshape(-1, 20)
    np.testing.assert_allclose(np.array(page.lines()["ys"], float), wanted, atol=1e-3)


def test_bands_are_the_intervals_of_summarize(opened, page_file, complete):
    page = opened(page_file)
    page.change(lambda p: p.select_option("select[name=by]", "weights"))
    own = complete.curve.sel(metric="acc1", split="val").stack(run=["lr", "weight_decay", "seed"])
    found = rc.summarize(own, dim="run")
    bands = page.source("bands")
    for ys, ci in zip(
        bands["ys"], found.ci.transpose("weights", "ci_bound", ...).values, strict=True
    ):
        np.testing.assert_allclose(ys[:20], ci[1], rtol=1e-4)
        np.testing.assert_allclose(ys[20:][::-1], ci[0], rtol=1e-4)
    assert "95 % interval of the mean (Student's t, pointwise)" in page.caption()


def test_smoothing_is_that_of_rc_smooth(opened, page_file, complete):
    page = opened(page_file, "#smooth=0.9")
    wanted = (
        rc.smooth(complete.sel(metric="acc1", split="val"), 0.9).mean("seed").values.reshape(-1, 20)
    )
    np.testing.assert_allclose(np.array(page.lines()["ys"], float), wanted, atol=1e-3)
    raw = complete.curve.sel(metric="acc1", split="val").mean("seed").values.reshape(-1, 20)
    np.testing.assert_allclose(np.array(page.behind(0.3), float), raw, atol=1e-3)


def test_runs_that_diverged_have_a_triangle(opened, page_file, complete):
    page = opened(page_file, "#metric=loss")
    marks = page.source("marks")
    bad = rc.diverged(complete.sel(metric="loss", split="val"))
    assert len(marks["x"]) == int(bad.sum())
    assert f"▲: {int(bad.sum())} runs with NaN or infinity" in page.caption()
    figure = "Bokeh.documents[0].get_model_by_name('curves')"
    start, end = page.js(f"[{figure}.y_range.start, {figure}.y_range.end]")
    assert all(start < y < end for y in marks["y"])


def test_single_runs_and_splits_on_request(opened, page_file):
    page = opened(page_file, "#runs=%2Bon&split=%2Btrain")
    assert len(page.behind(0.5)) == 236
    assert len(page.lines()["ys"]) == len(page.lines("dashed")["ys"]) == 24


def test_log_axes_show_what_is_positive(opened, page_file):
    page = opened(page_file, "#logx=%2Bon&metric=loss")
    scale = "Bokeh.documents[0].get_model_by_name('curves').x_scale.type"
    assert page.js(scale) == "LogScale"
    assert all(np.isnan(ys[0] if ys[0] is not None else np.nan) for ys in page.lines()["ys"])
    page.change(lambda p: p.uncheck("input[name=logx]"))
    assert page.js(scale) == "LinearScale"


def test_the_view_is_in_the_hash(opened, page_file):
    page = opened(page_file)
    assert page.js("location.hash") == ""
    page.change(lambda p: p.select_option("select[name=metric]", "loss"))
    page.change(lambda p: p.uncheck("input[name='filter weights'][value='None']"))
    view = page.js("location.hash")
    assert "metric=loss" in view
    other = opened(page_file, view)
    assert other.lines() == page.lines()
    assert len(other.lines()["ys"]) == 12


@pytest.mark.parametrize("view", ["#metric=nothing", "#filter+lr=-7", "#x=%ff&smooth=a", "#=&&"])
def test_a_hash_that_says_nonsense_is_no_harm(opened, page_file, view):
    assert len(opened(page_file, view).lines()["ys"]) == 24


def test_svg_and_png_have_the_legend_and_the_note(opened, page_file, tmp_path):
    page = opened(page_file, "#split=%2Btrain", color_scheme="dark")
    svg = page.saved("SVG").read_text()
    assert all(f">lr={rate}</text>" in svg for rate in (0.004, 0.028, 0.2, 1.4))
    assert ">train</text>" in svg
    assert "118 of 120 runs (left out: 2 incomplete), 48 lines." in svg
    image = mpl_image.imread(page.saved("PNG"), format="png")
    assert (image[..., 3] == 1).mean() > 0.99  # but for edges, nothing shines through
    assert image[5, 5].tolist() == [1, 1, 1, 1]


def test_csv_says_its_precision_and_its_interval(opened, page_file, ds):
    page = opened(page_file, "#filter+lr=-1.4")
    path = page.saved("CSV")
    first, head = path.read_text().splitlines()[:2]
    assert first.startswith("# acc1, means of values that were rounded before (val: within ")
    assert head == (
        'line,split,epoch,"acc1, mean","95 % interval of the mean (Student\'s t), lower",upper,n'
    )
    frame = pd.read_csv(path, comment="#")
    assert len(frame) == 18 * 20
    found = rc.summarize(
        ds.sel(metric="acc1", split="val", weights="DEFAULT", lr=0.2, weight_decay=0.1)
    )
    own = frame[frame.line == "weights=DEFAULT, lr=0.2, weight_decay=0.1"]
    np.testing.assert_allclose(own["acc1, mean"], found["mean"], atol=1e-3)
    np.testing.assert_allclose(own["upper"], found.ci.sel(ci_bound="upper"), atol=5e-3)
    np.testing.assert_array_equal(own["n"], found.n)


def test_a_table_stands_beside_the_figure(opened, page_file):
    page = opened(page_file)
    page.page.focus("#look-curves details summary")
    page.page.keyboard.press("Enter")
    rows = page.page.locator("#look-curves details tbody tr")
    rows.first.wait_for(state="attached")
    assert rows.count() == 24
    assert rows.first.inner_text().split("\t")[:3] == [
        "weights=None, lr=0.004, weight_decay=0",
        "val",
        "19",
    ]


def boxes(page, place):
    return page.page.locator(f"#{place} input").evaluate_all("all => all.map(own => own.name)")


def test_the_legend_of_colours_stands_below_the_curves_and_switches_lines(opened, page_file):
    page = opened(page_file)
    page.page.click("summary:text-is('Filters')")
    assert set(boxes(page, "legend")) == {"filter lr"}
    assert page.page.locator("#legend").is_visible()
    own = page.page.locator("#legend .swatch")
    swatches = own.evaluate_all("all => all.map(own => own.style.backgroundColor)")
    hexes = ["#" + "".join(f"{int(n):02x}" for n in re.findall(r"\d+", rgb)) for rgb in swatches]
    assert hexes == list(dict.fromkeys(page.lines()["colour"]))
    page.page.focus("#legend input[value='1.4']")
    page.change(lambda p: p.keyboard.press("Space"))
    assert len(page.lines()["ys"]) == 18
    assert set(page.lines()["colour"]) == set(hexes[:3])
    page.change(lambda p: p.select_option("select[name=colour]", "weight_decay"))
    assert set(boxes(page, "legend")) == {"filter weight_decay"}
    assert "filter lr" in boxes(page, "filters")
    assert len(page.lines()["ys"]) == 18


def test_lines_of_several_colours_are_grey_and_said_to_be(opened, page_file):
    page = opened(page_file, "#by=weights&colour=lr")
    assert set(page.lines()["colour"]) == {"#888888"}
    assert "Grey: over several lr." in page.caption()


def test_bands_beyond_the_picture_are_counted(opened, ds, tmp_path):
    own = ds.sel(metric=["acc1"]).copy(deep=True)
    own = own.isel(seed=slice(2), lr=[2], weight_decay=[0])
    own.curve[..., 0, :, :, :] += 10.0  # two seeds that differ: an interval 25 times as wide
    rc.report(own, tmp_path / "page.html", mode="max", rng=0)
    assert "2 bands beyond the picture." in opened(tmp_path / "page.html").caption()
