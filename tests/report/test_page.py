"""What the page says, that it needs nothing else, and that nothing in a log can run."""

import json
import re
import sys
from html import unescape

import numpy as np
import pytest
import yaml
from shell import fails, ok, run
from value_cubes import configs_cube

import runcube as rc
from runcube.report.winner import nested

EVIL = "</script><img src=x onerror=window.evil=1>"


def test_the_page_has_its_sections(opened, page_file):
    page = opened(page_file)
    text = page.page.inner_text("main")
    for said in ("complete\t118", "incomplete\t2", "1 duplicate_run", "optim.weight_decay"):
        assert said in text
    assert (
        "Mean ± half of the 95 % interval (Student's t) over seeds, their number in brackets"
        in text
    )
    assert "24 configurations with each of 5 seeds; 2 are missing (no complete run)" in text


def test_the_results_are_those_of_tables(page_file, ds):
    ends = rc.final(ds)
    own = ends.where(ends.status == "complete").sel(metric=["acc1", "loss", "acc5", "lr"])
    modes = {"acc1": "max", "acc5": "max", "loss": "min", "lr": "max"}
    assert rc.tables.results(own, mode=modes).to_html() in page_file.read_text()


def test_the_best_is_that_of_select(page_file, ds):
    logged = ds.logged & (ds.status == "complete")
    own = ds.assign(logged=logged, curve=ds.curve.where(logged))
    found = rc.select(own, metric="acc1", mode="max", split="val", report="eval", rng=0)
    text = unescape(page_file.read_text())
    block = re.search(r"<section id=\"best\">.*?</section>", text, re.DOTALL)[0]
    config = json.loads(found.attrs["winner_config"])
    pre = re.findall(r"<pre[^>]*>(.*?)</pre>", block, re.DOTALL)
    assert yaml.safe_load(pre[0]) == nested(config)
    assert "--optim.lr=0.2" in pre[1].split()
    assert "model.weights=DEFAULT" in pre[2].split()
    shown = re.search(r"<td>([\d.]+) ± ([\d.]+)</td>", block)
    half = np.diff(found.ci.values)[0] / 2
    assert (float(shown[1]), float(shown[2])) == pytest.approx(
        (float(found.value), half), abs=0.006
    )


def test_without_a_mode_nothing_is_the_best(ds, tmp_path):
    path = tmp_path / "page.html"
    rc.report(ds.sel(metric=["acc1"]), path)
    text = path.read_text()
    body = text[text.index('<section id="results">') : text.index('<section id="missing">')]
    assert "<b>" not in body
    assert "mode= says which end of the metric is better" in body


def test_the_best_is_never_chosen_by_what_was_trained_on(ds, tmp_path):
    own = ds.sel(metric=["acc1"], split=["train", "eval"])
    for given, said in (({}, "No split is there to choose by"), ({"split": "eval"}, "chosen by")):
        rc.report(own, tmp_path / "page.html", mode="max", rng=0, **given)
        block = (tmp_path / "page.html").read_text().split('<section id="best">')[1]
        assert said in block.split("</section>")[0]


def test_the_copy_button_copies(opened, page_file):
    page = opened(page_file)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.page.click("#best details[open] button.copy")
    page.page.wait_for_selector("button.copy:text-is('Copied')")
    assert "lr: 0.2" in page.js("navigator.clipboard.readText()")


def hostile(ds):
    """The example with hostile text wherever a log decides about text."""
    own = ds.isel(lr=slice(2), weight_decay=slice(2), epoch=slice(5)).copy()
    own = own.assign_coords(
        weights=("weights", [EVIL, "$$\\frac{1}{2}$$ {{sweep}}"], {"hparam": EVIL}),
        metric=[f"acc{EVIL}", "$$x$$", "__proto__", "a&amp;b<i>"],
        split=[f"val{EVIL}", "constructor", "--><!--<script>"],
    )
    attrs = {"constant_hparams": json.dumps({f"key{EVIL}": f"; rm -rf / {EVIL}"}), "source": EVIL}
    own.attrs.update(attrs)
    own["status"] = own["status"].copy()
    own["status"][0, 0, 0, 0] = "incomplete"
    own["path"] = own["path"].astype(object)
    own["path"][0, 0, 0, 0] = EVIL
    return own


@pytest.mark.parametrize("view", ["", "#metric=%24%24x%24%24&by=weights&colour=weights"])
def test_what_a_log_says_is_text(opened, ds, tmp_path, view):
    path = tmp_path / "hostile.html"
    own = hostile(ds)
    split = own.split.values[0]
    rc.report(own, path, title=f"{EVIL} {{{{body}}}}", mode="max", split=split, rng=0)
    page = opened(path, view)
    for name in ("distribution", "heatmap", "parallel"):
        page.seen(name)
        page.page.click(f"#look-{name} details summary")
    page.saved("SVG")
    page.saved("CSV")
    assert page.js("window.evil") is None
    assert page.js("document.images.length") == 0
    assert page.js("document.querySelectorAll('main i, script:not([type])').length") == 2  # ours
    assert page.js("({}).polluted") is None
    assert page.page.title() == f"{EVIL} {{{{body}}}}"
    assert EVIL in page.page.inner_text("#swept")
    assert '"; rm' in page.page.text_content("#best") or "'" in page.page.text_content("#best")


def test_the_tooltip_of_a_hostile_label_is_text(opened, ds, tmp_path):
    path = tmp_path / "hostile.html"
    rc.report(hostile(ds), path, mode="max", rng=0)
    page = opened(path)
    page.page.locator("#curves").scroll_into_view_if_needed()
    box = page.page.locator("#curves").bounding_box()
    x, y, start_x, end_x, start_y, end_y, left, width, top, height = page.js("""() => {
        const view = [...Bokeh.index][0];
        const { document, x_range, y_range } = view.model;
        const { xs, ys } = document.get_model_by_name("lines").data;
        const { left, width, top, height } = view.frame.bbox;
        const ranges = [x_range.start, x_range.end, y_range.start, y_range.end];
        return [xs[0][2], ys[0][2], ...ranges, left, width, top, height];
    }""")
    at_x = box["x"] + left + width * (x - start_x) / (end_x - start_x)
    at_y = box["y"] + top + height * (end_y - y) / (end_y - start_y)
    page.page.mouse.move(at_x - 3, at_y)
    page.page.mouse.move(at_x, at_y)
    page.page.wait_for_selector(".tooltip", state="attached")
    said = page.page.locator(".tooltip").first.inner_text()
    assert "weights=" in said
    assert "n = " in said
    assert page.js("window.evil") is None


def test_the_policy_forbids_every_request(page_file):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page_file.read_text())[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert "connect-src" not in rules
    assert re.fullmatch(r"('sha256-[\w+/=]+' ?){2}", rules["script-src"])


def test_a_request_is_refused(opened, page_file):
    page = opened(page_file)
    asked = "fetch('https://example.org').then(() => 'sent', () => 'refused')"
    assert page.js(asked) == "refused"
    page.said = [text for text in page.said if "example.org" not in text]
    page.asked = [url for url in page.asked if "example.org" not in url]


def test_figures_of_last_values(opened, page_file, complete):
    page = opened(page_file, "#filter+lr=-1.4")
    for name in ("distribution", "heatmap", "parallel"):
        page.seen(name)
    last = rc.final(complete.sel(metric="acc1", split="val", lr=[0.004, 0.028, 0.2]))
    assert len(page.source("runs", "distribution")["x"]) == int(last.count())
    means = page.source("means", "distribution")["mean"]
    np.testing.assert_allclose(sorted(means), np.sort(last.mean("seed").values.ravel()))
    cells = page.source("cells", "heatmap")
    wanted = last.mean(["weights", "seed"]).transpose("lr", "weight_decay").values
    found = np.full((4, 3), np.nan)
    for x, y, text in zip(cells["x"], cells["y"], cells["text"], strict=True):
        found[x, y] = float(text.split("\n")[0])
        assert text.endswith(("n=10", "n=9"))
    np.testing.assert_allclose(found[:3], wanted, rtol=5e-3)
    assert len(page.source("empty", "heatmap")["x"]) == 3
    assert len(page.source("lines", "parallel")["xs"]) == 18


def test_a_sweep_of_one_run(opened, ds, tmp_path):
    path = tmp_path / "one.html"
    one = ds.isel(weights=[0], lr=[0], weight_decay=[0], seed=[0], epoch=[0])
    rc.report(one, path, mode="max", rng=0)
    page = opened(path)
    assert "1 of 1 runs, 1 line." in page.caption()
    assert not page.page.locator("summary:text-is('Filters')").is_visible()
    assert len(page.source("points")["x"]) == 1


def test_what_filters_nothing_stands_in_the_legend_alone(opened, page_file):
    page = opened(page_file)  # 24 configurations: too many for boxes
    own = page.page.locator("fieldset[data-key=configuration]")
    assert not own.is_visible()
    page.change(lambda p: p.select_option("select[name=colour]", "configuration"))
    assert own.is_visible()
    assert "weights=DEFAULT, lr=1.4, weight_decay=0.1" in own.inner_text()


def test_nothing_but_nan(opened, ds, tmp_path):
    path = tmp_path / "nan.html"
    rc.report(ds.assign(curve=ds.curve * np.nan), path, mode="max", rng=0)
    page = opened(path)
    for name in ("distribution", "heatmap", "parallel"):
        page.seen(name)
    assert "▲: 118 runs" in page.caption()


@pytest.mark.parametrize("layout", ["grid", "configs"])
def test_both_layouts_and_lazy_cubes_make_the_same_page(ds, tmp_path, layout):
    own = rc.to_configs(ds) if layout == "configs" else ds
    rc.report(own, tmp_path / "eager.html", mode="max", rng=0)
    rc.report(own.chunk({"seed": 2}), tmp_path / "lazy.html", mode="max", rng=0)
    texts = [(tmp_path / f"{name}.html").read_text() for name in ("eager", "lazy")]
    # Bokeh numbers its models anew for each page.
    eager, lazy = (re.sub(r'id="figures">.*', "", text) for text in texts)
    assert eager == lazy


def test_names_that_are_not_there(ds, tmp_path):
    with pytest.raises(rc.UnknownNameError, match=r"nearest: .*'acc1'"):
        rc.report(ds, tmp_path / "page.html", metric="acc2")
    with pytest.raises(rc.UnknownNameError, match="split='valid'"):
        rc.report(ds, tmp_path / "page.html", split="valid")
    with pytest.raises(rc.PlanError, match="no x-axis is left"):
        rc.report(ds.isel(epoch=-1), tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_without_bokeh_the_error_names_the_extra(ds, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh", None)
    monkeypatch.setitem(sys.modules, "bokeh.embed", None)
    with pytest.raises(ImportError, match=r"pip install runcube\[report\]"):
        rc.report(ds, tmp_path / "page.html")


def test_the_page_counts_missing_runs_as_everybody_does(ds, tmp_path):
    own = ds.isel(lr=slice(2), weight_decay=slice(2))[["curve", "logged"]].copy(deep=True)
    own["status"] = own["status"].copy()
    own["status"][0, 0, 0, :2] = ["absent", "failed"]
    own["status"][1, 1, 1] = "absent"
    rc.report(own, tmp_path / "page.html", metric="acc1", rng=0)
    text = (tmp_path / "page.html").read_text()
    said = "Expected are 35 runs, each of 7 configurations with each of 5 seeds; 2 are missing"
    assert len(own.sweep.missing()) == 2
    assert text.count(said) == 2
    assert text.count("1 combinations of labels were not tried") == 2


def test_the_command_takes_a_part_of_the_sweep(tmp_path):
    path = tmp_path / "report.html"
    where = ("--where", "lr=0.2", "--where", "weights=None", "--where", "weights=DEFAULT")
    ok("report", "examples/logs", "-o", path, *where, "--metric", "acc1")
    text = unescape(path.read_text())
    assert "6 configurations with each of 5 seeds" in text
    assert "lr=0.2, weights=None, weights=DEFAULT" in text
    assert "known: " in fails("report", "examples/logs", "-o", path, "--where", "lr=7")


def test_the_command(tmp_path):
    path = tmp_path / "report.html"
    stderr = run("report", "examples/logs", "-o", path, "--metric", "loss").stderr
    assert f"wrote {path}" in stderr
    assert "of loss, lower is better" in stderr
    assert (
        "of loss, higher is better"
        in run("report", "examples/logs", "-o", path, "--metric", "loss", "--highest").stderr
    )
    archive = tmp_path / "sweep.nc"
    ok("archive", "examples/logs", "-o", archive)
    ok("report", archive, "-o", path, "--title", "A title")
    assert "<title>A title</title>" in path.read_text()
    assert "ends in .html" in fails("report", archive, "-o", archive)


def of_500(n_seeds=2):
    """A random search of 500 configurations with long names, shown by names of their own."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, n_seeds))
    values[7] = 0.0, 9.0
    name = "a-long-name-of-an-architecture-with-a-date-in-it-{:03d}-and-an-end"
    names = [name.format(i) for i in range(500)]
    ds = configs_cube(values, arch=names, lr=10 ** rng.uniform(-5, -1, 500))
    ds["lr"].attrs |= {"hparam": "optimizer.groups.lr", "long_name": "learning rate"}
    return ds


@pytest.fixture(scope="module")
def many_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "page.html"
    rc.report(of_500(), path, mode="max", rng=0)
    return path


def in_view(page):
    """The rows of the distribution that are seen, as names on its axis."""
    return page.js("""() => {
        const own = Bokeh.documents.find(one => one.get_model_by_name("distribution"));
        const { y_range, left } = own.get_model_by_name("distribution");
        const ticks = left[0].ticker.ticks;
        const isIn = at => at > y_range.end && at < y_range.start;
        return ticks.filter(isIn).map(at => left[0].major_label_overrides.get(at));
    }""")


def test_each_row_of_the_distribution_has_a_name_and_is_scrolled_to(opened, many_file):
    page = opened(many_file)
    page.seen("distribution")
    assert len(in_view(page)) == 24
    caption = page.page.text_content("#distribution-caption")
    assert "24 of 500 groups: scroll for others." in caption
    seen = set(in_view(page))
    page.page.focus("#distribution-rows")
    page.page.keyboard.press("End")
    page.page.wait_for_timeout(500)
    last = in_view(page)
    assert len(last) == 24
    assert not seen & set(last)
    assert all("…" in name for name in last)


def test_a_name_that_is_cut_is_whole_where_the_mouse_is(opened, many_file):
    page = opened(many_file)
    page.seen("distribution")
    box = page.page.locator("#distribution").bounding_box()
    page.page.mouse.move(box["x"] + 100, box["y"] + 60)
    title = page.page.get_attribute("#distribution", "title")
    assert re.match(r"a-long-name-of-an-architecture-with-a-date-in-it-\d+-and-an-end, ", title)


def test_intervals_beyond_the_picture_are_counted(opened, many_file):
    page = opened(many_file)
    page.seen("distribution")
    intervals, runs = page.source("intervals", "distribution"), page.source("runs", "distribution")
    low, high = min(runs["x"]), max(runs["x"])
    start, end = page.js("""() => {
        const own = Bokeh.documents.find(one => one.get_model_by_name("distribution"));
        const { x_range } = own.get_model_by_name("distribution");
        return [x_range.start, x_range.end];
    }""")
    assert end - start <= 2.2 * (high - low)
    pairs = zip(intervals["left"], intervals["right"], strict=True)
    outside = sum(left < start or right > end for left, right in pairs)
    assert outside > 0
    caption = page.page.text_content("#distribution-caption")
    assert f"{outside} intervals beyond the picture" in caption


def test_a_file_of_the_distribution_says_how_many_rows_it_has(opened, many_file):
    page = opened(many_file)
    page.seen("distribution")
    first = in_view(page)[0]
    page.page.focus("#distribution-rows")
    page.page.keyboard.press("End")
    page.page.wait_for_timeout(500)
    svg = page.saved("SVG", "distribution").read_text()
    assert f">{first}</text>" in svg
    assert "The first 400 of 500 groups." in " ".join(re.sub("<[^>]*>", " ", svg).split())
    assert len(set(re.findall(r">([^<]*…[^<]*)<", svg))) == 400
    assert len(in_view(page)) == 24


def test_names_are_those_of_the_sweep_and_keys_where_the_mouse_is(opened, many_file):
    page = opened(many_file)
    texts = page.page.locator("select[name=colour] option").all_inner_texts()
    assert "learning rate" in texts
    legend = page.page.locator("legend", has_text="learning rate")
    assert legend.get_attribute("title") == "optimizer.groups.lr"
    assert "learning rate\toptimizer.groups.lr" in page.page.inner_text("#swept")


@pytest.mark.parametrize("all_runs", [False, True])
def test_figures_count_the_runs_that_results_count(opened, ds, tmp_path, all_runs):
    path = tmp_path / "page.html"
    rc.report(ds, path, metric="acc1", all_runs=all_runs, rng=0)
    page = opened(path)
    n = 120 if all_runs else 118
    said = "120 of 120 runs" if all_runs else "118 of 120 runs (left out: 2 incomplete)"
    assert said in page.caption()
    for name in ("distribution", "heatmap", "parallel"):
        page.seen(name)
        assert said in page.page.text_content(f"#{name}-caption")
    assert len(page.source("runs", "distribution")["x"]) == n
    texts = page.source("cells", "heatmap")["text"]
    assert sum(int(text.split("n=")[1]) for text in texts) == n
    said = "All runs count." if all_runs else "Complete runs count; left out: 2 incomplete."
    assert said in page.page.inner_text("#results")
