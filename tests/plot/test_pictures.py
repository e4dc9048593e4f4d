"""The nine figures look as they did: ``make baseline`` draws anew what is meant to look different.

The tolerance is below what the loss of any mark makes, and above what matplotlib 3.9, 3.10 and 3.11
differ by, which is nothing.
"""

import json
from itertools import combinations

import matplotlib as mpl
import pytest

pytest.importorskip("matplotlib.pyplot")
from matplotlib.testing.compare import compare_images
from plot_pictures import BASELINE, TEXTS, drawn, figures, sweep, texts_of, write

mpl.use("Agg")
NAMES = sorted(path.stem for path in BASELINE.glob("*.png"))
# Of the root mean square, in levels of 255.
TOLERANCE = 0.15


@pytest.fixture(scope="module")
def ds():
    return sweep()


@pytest.fixture
def figure(ds, name):
    made = drawn(figures(ds)[name])
    yield made
    mpl.pyplot.close(made)


def difference(figure, name, folder):
    """Return what is said of a figure and its picture, None where they are alike."""
    path = folder / f"{name}.png"
    write(figure, path)
    return compare_images(str(BASELINE / path.name), str(path), TOLERANCE)


def test_every_figure_has_a_picture(ds):
    assert sorted(figures(ds)) == NAMES == sorted(json.loads(TEXTS.read_text(encoding="utf-8")))


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_looks_as_it_did(figure, name, tmp_path):
    assert difference(figure, name, tmp_path) is None


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_says_what_it_said(figure, name):
    said = [text.get_text() for text in texts_of(figure)]
    assert said == json.loads(TEXTS.read_text(encoding="utf-8"))[name]


@pytest.mark.parametrize("name", NAMES)
def test_the_loss_of_a_mark_is_seen(figure, name, tmp_path):
    artists = [a for ax in figure.axes for a in (*ax.lines, *ax.patches, *ax.collections)]
    artists = [a for a in artists if a.get_visible() and is_large(a)]
    for artist in artists[:: max(1, len(artists) // 12)]:
        artist.set_visible(False)
        assert difference(figure, name, tmp_path) is not None, artist
        artist.set_visible(True)


def is_large(artist):
    """Return whether a mark is more than what another mark may cover, such as a short interval."""
    box = artist.get_window_extent()
    return max(box.width, box.height) > 12


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_cut_off_or_covers_another(figure, name):
    boxes = [(text, text.get_window_extent()) for text in texts_of(figure)]
    for text, box in boxes:
        outside = (-box.x0, -box.y0, box.x1 - figure.bbox.x1, box.y1 - figure.bbox.y1)
        assert max(outside) < 2, text
    for (one, its), (other, others) in combinations(boxes, 2):
        both = mpl.transforms.Bbox.intersection(its, others)
        assert both is None or min(both.width, both.height) < 3, (one, other)
