"""Tables of results: honest digits, what is bold, and text that each format can hold."""

import csv
import io
import re
import shutil
import subprocess
import unicodedata
import warnings
from decimal import Decimal

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import LatexWalker

import runcube as rc
from runcube.tables.digits import decimals_of, shown


@pytest.fixture(scope="module")
def last():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs("examples/logs")
    return ds.sel(metric=["acc1", "loss"], split=["val", "eval"]).sweep.final()


def array(values, labels):
    values = np.asarray(values, dtype=float)
    seeds = np.arange(values.shape[1])
    return xr.DataArray(values, dims=("lr", "seed"), coords={"lr": labels, "seed": seeds})


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(1e-8, 1e5)), min_size=1))
def test_a_column_has_the_decimals_that_its_half_widths_leave(rows):
    values, errors = zip(*rows, strict=True)
    places = decimals_of(values, errors)
    # Small ones are written with an exponent.
    rows = [(v, e) for v, e in rows if places <= 7 or max(abs(v), e) >= 1e-4]
    texts = [shown(v, e, places) for v, e in rows]
    assert {len(text.partition(".")[2]) for pair in texts for text in pair} <= {places}
    for (value, error), (v, e) in zip(texts, rows, strict=True):
        assert abs(float(value) - v) <= 0.51 * 10.0**-places
        assert abs(float(error) - e) <= 0.51 * 10.0**-places
    smallest, typical = min(errors), float(np.median(errors))
    # Two significant digits of the smallest, or three of the typical one.
    if places:
        wanted = min(decimals(smallest, 2), decimals(typical, 3))
        assert places == wanted


def decimals(error, digits):
    """Decimals that a number has with so many significant digits, by the decimal module."""
    rounded = Decimal(f"{error:.{1}e}")
    return -(rounded.adjusted() - digits + 1)


def test_digits_of_a_column_without_uncertainty():
    assert decimals_of([12.3456, float("nan")], [float("nan")] * 2) == 2
    assert decimals_of([1e-7], [float("nan")]) == 10
    assert decimals_of([0.0, float("inf")], [0.0, float("nan")]) == 0
    assert shown(1.0, 0.0, 2) == ("1.00", "0.00")


def test_the_numbers_are_those_of_scipy(last):
    table = rc.tables.results(last, mode={"acc1": "max", "loss": "min"})
    assert table.columns == ["acc1 val", "acc1 eval", "loss val", "loss eval"]
    row = table.frame[(table.frame["lr", ""] == "0.2") & (table.frame["weights", ""] == "DEFAULT")]
    runs = last.sel(weights="DEFAULT", lr=0.2, weight_decay=0.0, metric="acc1", split="val").values
    low, high = scipy.stats.ttest_1samp(runs, 0).confidence_interval()
    first = row[row["weight_decay", ""] == "0"].iloc[0]["acc1 val"]
    assert first["mean"] == pytest.approx(runs.mean(), rel=1e-12)
    assert first["half_width"] == pytest.approx((high - low) / 2, rel=1e-9)
    assert first["n"] == 5


def test_the_winner_and_what_may_be_it_is_bold():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 5)) + np.array([[0], [50], [50.1], [20]])
    for sign, mode in ((1, "max"), (-1, "min")):
        table = rc.tables.results(array(sign * values, list("abcd")), mode=mode)
        assert [row[0].is_best for row in table.cells] == [False, True, True, False]
        bold = [line for line in table.to_markdown().splitlines() if "**" in line]
        assert [line[2] for line in bold] == ["b", "c"]
    # A row that varies much more: by a shared spread nothing could be told apart.
    wild = np.vstack([values, rng.normal(size=(1, 5)) * 300 - 900])
    found = {
        variances: [
            row[0].is_best
            for row in rc.tables.results(
                array(wild, list("abcde")), mode="max", variances=variances
            ).cells
        ]
        for variances in ("unequal", "equal")
    }
    assert found == {"unequal": [False, True, True, False, False], "equal": [True] * 4 + [False]}
    with pytest.raises(rc.PlanError, match="'unequal' or 'equal'"):
        rc.tables.results(array(values, list("abcd")), mode="max", variances="own")


def test_a_different_number_of_runs_is_shown():
    values = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, np.nan], [np.nan] * 3])
    table = rc.tables.results(array(values, [1, 2, 3]), mode="max")
    assert table.same_n is None
    assert len(table.rows) == 2
    assert ["(3)" in table.to_markdown(), "(2)" in table.to_latex()] == [True, True]
    assert "their number in brackets" in table.caption


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan])
def test_a_value_that_is_not_finite_is_left_out_and_the_number_of_the_others_shown(odd):
    values = np.array([[odd, 5.0, 6.0], [1.0, 2.0, 3.0]])
    for mode in ("max", "min"):
        (first, _), (second, _) = [
            (row[0], row) for row in rc.tables.results(array(values, list("ab")), mode=mode).cells
        ]
        assert (first.value, first.n, second.n) == ("5.5", 2, 3)


def test_a_single_run_is_not_ranked():
    values = np.array([[9.0, np.nan, np.nan], [5.0, 5.1, 5.2], [1.0, 1.1, 1.2]])
    table = rc.tables.results(array(values, list("abc")), mode="max")
    assert [row[0].is_best for row in table.cells] == [False, True, False]
    assert table.caption.endswith("single runs are not ranked.")


def test_a_single_column_is_called_by_what_was_selected(last):
    one = last.sel(metric="acc1", split="val", weights="DEFAULT")
    assert rc.tables.results(one, mode="max").columns == ["acc1 val"]
    assert rc.tables.results(one, mode="max", names={"acc1": "top 1"}).columns == ["top 1 val"]
    bare = one.drop_vars(["metric", "split"])
    assert rc.tables.results(bare, mode="max").columns == ["value"]


NASTY = ["a&b_%$#{}~^\\", "x|y*z`", "<b>", "é±∞", "\\input{x}", "a\nb"]
# What TeX takes for something else at the beginning of a row, and characters it does not know.
ODD = ["[0.9, 0.999]", "*", "µ, β=Ω, ς", "--lr", "a---b", "≤≥≈→−√", "e\u0301"]


def test_latex_can_be_read_and_says_the_same():
    """Read by a parser of LaTeX: a TeX would be larger than all else that the tests need."""
    labels = [*NASTY, *ODD]
    values = np.arange(3.0 * len(labels)).reshape(-1, 3)
    latex = rc.tables.results(array(values, labels), mode="max").to_latex(label="tab:x")
    nodes, _, _ = LatexWalker(latex, tolerant_parsing=False).get_latex_nodes()
    assert nodes
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    rows = re.findall(r"^(.*) & .* \\\\$", latex, flags=re.MULTILINE)[1:]
    text = LatexNodes2Text()
    read = [
        text.latex_to_text(row).strip().replace("\N{MODIFIER LETTER CIRCUMFLEX ACCENT}", "^")
        for row in rows
    ]
    meant = [unicodedata.normalize("NFC", " ".join(label.split())) for label in labels]
    spelled = {"ϵ": "ε", "ϕ": "φ", "−": "-"}
    assert [respelled(text, spelled) for text in read] == [
        respelled(text, spelled) for text in meant
    ]


def respelled(text, spelled):
    return "".join(spelled.get(char, char) for char in text)


def test_no_label_opens_an_argument_of_the_row_before_or_makes_a_ligature():
    values = np.arange(3.0 * len(ODD)).reshape(-1, 3)
    latex = rc.tables.results(array(values, ODD), mode="max").to_latex()
    assert not [line for line in latex.splitlines() if line[:1] in ("[", "*")]
    assert "--" not in latex.replace(r"\begin{tabular}{lr}", "")
    assert not {*latex} & {*"βΩς≤√"}


def test_what_acts_on_a_terminal_is_written_as_escapes():
    labels = ["\x1b[31m", "\u202eevil"]
    latex = rc.tables.results(array(np.arange(6.0).reshape(2, 3), labels), mode="max").to_latex()
    assert r"\textbackslash{}x1b{[}31m" in latex
    assert r"\textbackslash{}u202eevil" in latex


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no TeX")
def test_latex_compiles(tmp_path):
    labels = [*NASTY, *ODD, "\x1b[31m"]
    values = np.arange(3.0 * len(labels)).reshape(-1, 3)
    values[0, 0] = np.inf
    table = rc.tables.results(array(values, labels).rename(lr="l_r%"), mode="max")
    lines = (
        r"\documentclass{article}",
        r"\usepackage{booktabs}",
        r"\begin{document}",
        table.to_latex(),
        r"\end{document}",
    )
    text = "\n".join(lines)
    (tmp_path / "t.tex").write_text(text, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    assert (tmp_path / "t.pdf").stat().st_size > 10_000


def test_markdown_html_and_csv_hold_any_label():
    values = np.arange(18.0).reshape(6, 3)
    table = rc.tables.results(array(values, NASTY), mode="max")
    lines = table.to_markdown().splitlines()
    assert all(len(re.findall(r"(?<!\\)\|", line)) == 3 for line in lines[:8])
    assert "<b>" not in table.to_html().replace("<td><b>", "")
    rows = [*csv.reader(io.StringIO(table.to_csv()))]
    kinds = ("n", "n_diverged", "n_incomplete", "n_failed")
    assert rows[0] == [
        "lr",
        *(f"value {name}" for name in ("mean", "half_width", *kinds, "may_be_best")),
    ]
    assert [row[0] for row in rows[1:]] == NASTY


def test_both_layouts_and_names(last):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs("examples/logs", layout="configs")
    rows = ds.sel(metric=["acc1"], split=["val"]).sweep.final()
    names = {"lr": "learning rate", "acc1": "top 1"}
    one = rc.tables.results(rows, mode="max", names=names)
    other = rc.tables.results(last.sel(metric=["acc1"], split=["val"]), mode="max", names=names)
    assert sorted(map(tuple, one.rows)) == sorted(map(tuple, other.rows))
    assert "learning rate" in one.keys
    assert "top 1" in one.columns[0]


def test_errors_say_what_to_write(last):
    with pytest.raises(rc.UnknownNameError, match="loss"):
        rc.tables.results(last, mode={"acc1": "max"})
    with pytest.raises(rc.PlanError, match="'max' or 'min'"):
        rc.tables.results(last, mode="best")
    with pytest.raises(rc.UnknownNameError, match="seed"):
        rc.tables.results(last.mean("seed"), mode="max")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rc.SweepWarning)
        ds = rc.load_runs("examples/logs")
    with pytest.raises(rc.PlanError, match=r"rc\.final"):
        rc.tables.results(ds, mode="max")
