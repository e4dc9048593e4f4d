"""The script of the page: what the browser's own parser says of it, and what it may not use."""

import re
import shutil
import subprocess

import pytest

from runcube.report.page import script


def test_the_script_parses(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node: the browser parses the script in other tests")
    path = tmp_path / "page.js"
    path.write_text(script())
    answer = subprocess.run([node, "--check", path], capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr


def test_the_script_makes_no_markup_of_text():
    words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function"
    assert not re.search(words, script())


def test_lines_stay_readable():
    assert max(map(len, script().splitlines())) <= 110
