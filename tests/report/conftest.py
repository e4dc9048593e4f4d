"""A browser for the pages, and sweeps to make pages of."""

import os
import shutil
import warnings
from itertools import compress
from pathlib import Path

import pytest

import runcube as rc

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def browser():
    """A headless Chromium; without one the test is skipped, or fails where one is required."""
    pytest.importorskip("bokeh", reason="the extra runcube[report] is not installed")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    with api.sync_playwright() as playwright:
        path = found or playwright.chromium.executable_path
        if not Path(path).exists():
            reason = "no browser: apt-get install chromium, or playwright install chromium"
            is_required = os.environ.get("RUNCUBE_BROWSER") == "required"
            (pytest.fail if is_required else pytest.skip)(reason)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


class Page:
    """A page in a browser, with what it said and what it asked for."""

    def __init__(self, browser, path, view="", **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = self.context.new_page()
        self.said, self.asked = [], []
        self.page.on(
            "console", lambda m: m.type in ("error", "warning") and self.said.append(m.text)
        )
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.add_init_script(
            "window.drawn = 0; document.addEventListener('drawn curves', () => window.drawn++)"
        )
        self.page.goto(f"{path.as_uri()}{view}")
        self.drawn()

    def drawn(self, after=0):
        """Wait until the curves were drawn once more."""
        for _ in range(400):
            if self.js("window.drawn") > after:
                return
            self.page.wait_for_timeout(25)
        pytest.fail(f"nothing was drawn; the page said {self.said}")

    def js(self, code, *given):
        return self.page.evaluate(code, *given)

    def change(self, act):
        """Do something, and wait for the picture."""
        before = self.js("window.drawn")
        act(self.page)
        self.drawn(before)

    def seen(self, name):
        """Bring a figure into the window, and wait until it is drawn."""
        self.page.locator(f"#{name}").scroll_into_view_if_needed()
        self.page.wait_for_selector(f"#{name}-caption:not(:empty)", state="attached")
        self.page.wait_for_selector(f"#look-{name} .buttons", state="attached")

    def source(self, name, figure="curves"):
        """The data of one of Bokeh's sources of a figure."""
        code = """([name, figure]) => {
            const own = Bokeh.documents.find(one => one.get_model_by_name(figure));
            const data = own.get_model_by_name(name).data;
            const plain = value => (value?.length !== undefined && typeof value !== "string"
                ? Array.from(value, plain) : value);
            return Object.fromEntries(Object.entries(data).map(([k, v]) => [k, plain(v)]));
        }"""
        return self.js(code, [name, figure])

    def lines(self, dash="solid"):
        """The means over seeds that are drawn with one style."""
        own = self.source("lines")
        is_mean = [
            alpha == 1 and style == dash
            for alpha, style in zip(own["alpha"], own["dash"], strict=True)
        ]
        return {name: list(compress(values, is_mean)) for name, values in own.items()}

    def behind(self, alpha):
        """The thin lines behind: 0.3 before smoothing, 0.5 of single runs."""
        own = self.source("lines")
        return [ys for ys, other in zip(own["ys"], own["alpha"], strict=True) if other == alpha]

    def saved(self, button, figure="curves"):
        """The file that a button of a figure saves."""
        with self.page.expect_download() as found:
            self.page.click(f"#look-{figure} .buttons button:text-is('{button}')")
        return Path(found.value.path())

    def caption(self):
        return self.page.text_content("#curves-caption")

    def close(self):
        self.context.close()


@pytest.fixture
def opened(browser):
    """Open a page; at the end it has said nothing, and asked for nothing but itself."""
    pages = []

    def open_page(path, view="", **options):
        pages.append(Page(browser, path, view, **options))
        return pages[-1]

    yield open_page
    for page in pages:
        page.close()
        assert page.said == []
        assert [url for url in page.asked if not url.startswith(("file:", "blob:", "data:"))] == []


@pytest.fixture(scope="session")
def ds():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        return rc.load_runs(ROOT / "examples" / "logs")


@pytest.fixture(scope="session")
def complete(ds):
    """The values of complete runs, which are those that the page counts."""
    logged = ds.logged & (ds.status == "complete")
    return ds.assign(logged=logged, curve=ds.curve.where(logged))


@pytest.fixture(scope="session")
def page_file(ds, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    modes = {"acc1": "max", "acc5": "max", "loss": "min", "lr": "max"}
    rc.report(ds, path, metric="acc1", mode=modes, rng=0)
    return path
