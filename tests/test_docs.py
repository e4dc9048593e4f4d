"""The documents say what the library does: their Python runs, and gives what they show."""

import doctest
import re
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")])
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_examples_run_and_give_what_they_show(page):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = doctest.testfile(str(page), module_relative=False, optionflags=FLAGS)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_every_kind_of_problem_is_explained():
    source = "".join(p.read_text(encoding="utf-8") for p in ROOT.glob("src/runcube/**/*.py"))
    kinds = set(re.findall(r'Problem\(\s*"([a-z_]+)"', source))
    kinds |= {"bad_line", "truncated_tail", "non_numeric", "text_number", "superseded_rows"}
    policies = (ROOT / "docs" / "policies.md").read_text(encoding="utf-8")
    assert len(kinds) > 12
    assert {kind for kind in kinds if f"`{kind}`" not in policies} == set()
