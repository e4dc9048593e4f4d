"""The notebook runs from top to bottom, in a real kernel."""

import json
import subprocess
import sys
from pathlib import Path

TOUR = Path(__file__).parents[1] / "examples" / "tour.ipynb"


def test_the_notebook_was_executed_and_holds_no_machine_paths():
    cells = json.loads(TOUR.read_text(encoding="utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert not [o for cell in code for o in cell["outputs"] if o["output_type"] == "error"]
    assert "/home/" not in TOUR.read_text(encoding="utf-8")
    for place in ("site-packages", "/tmp/", "/root/", ".venv"):
        assert place not in TOUR.read_text(encoding="utf-8")


def test_the_notebook_runs_afresh(tmp_path):
    command = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute"]
    command += ["--output-dir", str(tmp_path), str(TOUR)]
    done = subprocess.run(command, cwd=TOUR.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert (tmp_path / "tour.ipynb").exists()
