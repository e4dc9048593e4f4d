"""The notebooks run from top to bottom, in a real kernel."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "examples").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)


def test_the_notebooks_are_found():
    assert [path.stem for path in NOTEBOOKS] == ["large", "statistics", "tour"]


@each_notebook
def test_the_notebook_was_executed_and_holds_no_machine_paths(notebook):
    text = notebook.read_text(encoding="utf-8")
    cells = json.loads(text)["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert not any(cell["metadata"] for cell in cells)  # such as the time of execution
    for place in ("/home/", "site-packages", "/tmp/", "/root/", ".venv"):
        assert place not in text


def printed(cells):
    """What code cells print and return as text, a list for each cell.

    Warnings are left out, which name the file of the kernel, and figures, which are no text.
    """
    found = []
    for cell in cells:
        if cell["cell_type"] == "code":
            texts = [
                "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
                for output in cell["outputs"]
                if output.get("name") != "stderr" and output["output_type"] != "display_data"
            ]
            found.append("".join(texts))
    return found


@each_notebook
def test_the_notebook_runs_afresh(notebook, tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
    command += ["--output-dir", str(tmp_path), str(notebook)]
    done = subprocess.run(command, cwd=notebook.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    fresh = json.loads((tmp_path / notebook.name).read_text(encoding="utf-8"))["cells"]
    if notebook.stem == "statistics":  # its numbers are what it is for
        assert printed(fresh) == printed(json.loads(notebook.read_text(encoding="utf-8"))["cells"])


def test_a_bar_in_a_notebook_needs_no_widgets_and_goes_away(tmp_path):
    code = f"""
import warnings
import runcube as rc
warnings.simplefilter("ignore", rc.SweepWarning)
seen = []
shell = get_ipython().display_pub
shell.register_hook(lambda message: seen.append(message["content"].get("data")) or message)
ds = rc.load_runs({str(NOTEBOOKS[0].parent / "logs")!r}, progress=True)
print(sum("<progress" in data["text/html"] for data in seen), seen[-1]["text/html"] == "")
"""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(notebook, tmp_path / "bar.ipynb")
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
    command.append(str(tmp_path / "bar.ipynb"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (cell,) = nbformat.read(tmp_path / "bar.ipynb", as_version=4).cells
    bar, told = cell.outputs
    assert bar["data"] == {"text/html": "", "text/plain": ""}
    number, is_gone = told["text"].split()
    assert int(number) >= 1
    assert is_gone == "True"
