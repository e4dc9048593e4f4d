"""A table of results, and how it is written."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING

from runcube.core import printable
from runcube.tables.marks import marked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

# Greek letters that a TeX has by name; a plain LaTeX knows none of them as text.
_GREEK_NAMES = (
    "alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho varsigma "
    "sigma tau upsilon varphi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi "
    "Omega"
).split()
_GREEK = {
    char: rf"$\{name}$"
    for char, name in zip("αβγδεζηθικλμνξπρςστυφχψωΓΔΘΛΞΠΣΥΦΨΩ", _GREEK_NAMES, strict=True)
}
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    # In the default encoding these would print as other characters.
    "<": "$<$",
    ">": "$>$",
    "|": "$|$",
    # At the beginning of a row, the end of the row before would take them for its own arguments.
    "[": "{[}",
    "*": "{*}",
    **{char: f"\\{char}" for char in "&%$#_"},
    **{
        char: f"${name}$"
        for char, name in zip(
            "±∞≤≥≈→−√", r"\pm \infty \le \ge \approx \to - \surd".split(), strict=True
        )
    },
    **_GREEK,
}
_LIGATURE = re.compile(r"([-',])(?=\1)")
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]])")


@dataclass(frozen=True)
class Cell:
    """A result.

    Parameters
    ----------
    value : str
        As it is shown; empty where there is none.
    error : str
        Half the width of its interval; empty where there is none.
    n : int
        Number of runs.
    is_best : bool
        Whether it is the best of its column, or may be.
    marks : mapping of str to int
        How many runs a caption has something to say of, by the letter that stands for it.
    """

    value: str
    error: str = ""
    n: int = 0
    is_best: bool = False
    marks: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, repr=False)
class Table:
    """A table of results.

    Parameters
    ----------
    keys : sequence of str
        Names of what tells rows apart.
    rows : sequence of sequence of str
        Their labels, (rows, keys).
    columns : sequence of str
        What the results are of.
    cells : sequence of sequence of Cell
        (rows, columns).
    frame : DataFrame
        The numbers behind it, unrounded: a row per row, columns (column, statistic).
    caption : str
        What was done, in a sentence or two.
    """

    keys: Sequence[str]
    rows: Sequence[Sequence[str]]
    columns: Sequence[str]
    cells: Sequence[Sequence[Cell]]
    frame: pd.DataFrame = field(compare=False)
    caption: str = ""

    def __repr__(self) -> str:
        return self.to_markdown()

    def _repr_html_(self) -> str:
        return self.to_html()

    @property
    def same_n(self) -> int | None:
        """Number of runs behind every result; None where it differs."""
        counts = {cell.n for row in self.cells for cell in row if cell.value}
        return counts.pop() if len(counts) == 1 else None

    def to_markdown(self) -> str:
        """Return the table as Markdown; what is best or may be is bold.

        Examples
        --------
        >>> import runcube as rc, xarray as xr
        >>> acc = xr.DataArray(
        ...     [[90.0, 90.5, 91.0], [93.0, 93.5, 94.0]],
        ...     dims=("lr", "seed"),
        ...     coords={"lr": [0.1, 0.2]},
        ... )
        >>> print(rc.tables.results(acc, mode="max").to_markdown())
        | lr | value |
        |---|---:|
        | 0.1 | 90.5 ± 1.2 |
        | 0.2 | **93.5 ± 1.2** |
        <BLANKLINE>
        Mean ± half of the 95 % interval (Student's t) over 3 seeds. Bold: the best of a column ...
        """

        def line(texts: Sequence[str]) -> str:
            return f"| {' | '.join(texts)} |"

        head = [_markdown(name) for name in (*self.keys, *self.columns)]
        body = []
        for labels, cells in zip(self.rows, self.cells, strict=True):
            texts = [self._text(cell, " ± ") for cell in cells]
            bold = [f"**{t}**" if c.is_best else t for c, t in zip(cells, texts, strict=True)]
            body.append(line([*map(_markdown, labels), *bold]))
        rule = "|" + "---|" * len(self.keys) + "---:|" * len(self.columns)
        return "\n".join([line(head), rule, *body, "", self.caption])

    def to_latex(self, *, label: str = "tab:results") -> str:
        r"""Return the table as LaTeX; it needs ``\usepackage{booktabs}``.

        Labels are text: nothing in them acts on TeX. Greek letters become mathematics; other
        scripts need LuaLaTeX or XeLaTeX, with a font that has them.

        Parameters
        ----------
        label : str
            For ``\ref``.

        Examples
        --------
        >>> import runcube as rc, xarray as xr
        >>> acc = xr.DataArray([[90.0, 91.0, 92.0]], dims=("lr", "seed"), coords={"lr": [0.1]})
        >>> print(rc.tables.results(acc, mode="max").to_latex().splitlines()[6])
        0.1 & $\mathbf{91.0 \pm 2.5}$ \\
        """
        lines = []
        for labels, cells in zip(self.rows, self.cells, strict=True):
            texts = [*map(_latex, labels), *map(self._latex_cell, cells)]
            lines.append(" & ".join(texts) + r" \\")
        head = " & ".join(_latex(name) for name in (*self.keys, *self.columns))
        return "\n".join(
            [
                r"\begin{table}",
                r"\centering",
                rf"\begin{{tabular}}{{{'l' * len(self.keys)}{'r' * len(self.columns)}}}",
                r"\toprule",
                rf"{head} \\",
                r"\midrule",
                *lines,
                r"\bottomrule",
                r"\end{tabular}",
                rf"\caption{{{_latex(self.caption)}}}",
                rf"\label{{{label}}}",
                r"\end{table}",
            ]
        )

    def to_html(self) -> str:
        """Return the table as HTML."""
        head = "".join(f"<th>{escape(name)}</th>" for name in (*self.keys, *self.columns))
        body = []
        for labels, cells in zip(self.rows, self.cells, strict=True):
            texts = [f"<th>{escape(label)}</th>" for label in labels]
            for cell in cells:
                text = escape(self._text(cell, " ± "))
                texts.append(f"<td>{f'<b>{text}</b>' if cell.is_best else text}</td>")
            body.append(f"<tr>{''.join(texts)}</tr>")
        caption = f"<caption>{escape(self.caption)}</caption>"
        return (
            f'<table class="runcube-results">{caption}<thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table>"
        )

    def to_csv(self) -> str:
        """Return the numbers behind the table, unrounded, as CSV with one line of names."""
        flat = self.frame.copy()
        flat.columns = [" ".join(map(str, names)).strip() for names in flat.columns]
        return str(flat.to_csv(index=False))

    def _text(self, cell: Cell, plus_minus: str) -> str:
        text = f"{cell.value}{plus_minus}{cell.error}" if cell.error else cell.value or "–"
        return text + self._counts(cell)

    def _counts(self, cell: Cell) -> str:
        """Return how many runs are behind a result, and how many are not as they should be."""
        words = [str(cell.n)] if cell.value and self.same_n is None else []
        words += [marks] if (marks := marked(cell.marks)) else []
        return f" ({', '.join(words)})" if words else ""

    def _latex_cell(self, cell: Cell) -> str:
        if not cell.value:
            return f"--{self._counts(cell)}"
        text = cell.value.replace("∞", r"\infty")
        text = rf"{text} \pm {cell.error}" if cell.error else text
        text = re.sub(r"e([+-]\d+)", lambda found: rf" \cdot 10^{{{int(found[1])}}}", text)
        text = rf"\mathbf{{{text}}}" if cell.is_best else text
        return f"${text}${self._counts(cell)}"


def _markdown(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def _latex(text: str) -> str:
    text = unicodedata.normalize("NFC", printable(" ".join(text.split())))
    escaped = "".join(_LATEX.get(char, char) for char in text)
    return _LIGATURE.sub(r"\1{}", escaped)
