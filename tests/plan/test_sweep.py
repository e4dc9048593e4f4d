import itertools
import pickle
from dataclasses import FrozenInstanceError, replace
from html.parser import HTMLParser

import numpy as np
import pytest
from IPython.lib.pretty import pretty

from runcube.core.model import LogFile, Problem, RunHeader, Source, Status
from runcube.plan import PlanPolicy, plan


def header(config, path):
    return RunHeader(Source("/", path, (LogFile(path, 1, 1),)), config=config)


def small(**policy):
    rows = itertools.product([0.1, 0.01], ["adam", "sgd"], [0, 1, 2])
    runs = [
        header(
            {
                "optim": {"lr": lr, "name": name, "eps": 1e-8 if name == "adam" else None},
                "seed": seed,
                "job_id": f"<{i}>",
                "epochs": 10,
            },
            f"run_{i}/log.jsonl",
        )
        for i, (lr, name, seed) in enumerate(rows)
    ]
    skipped = [Problem("empty", "the file is empty", "run_99/log.jsonl")]
    return plan(runs, PlanPolicy(**policy), skipped=skipped)


def test_the_text_says_what_every_rule_did():
    text = small().explain()
    assert text.splitlines()[0] == "12 runs in 12 files: 2 lr × 2 optim_name × 3 seed"
    for expected in (
        "0.01, 0.1  (optim.lr)",
        "labels: the values of seed",
        "eps(optim_name)",
        "by name  job_id",
        "epochs=10",
        "grid: the grid is 100 % full; 12 cells",
        "empty  1  run_99/log.jsonl",
    ):
        assert expected in text


def test_the_text_has_no_trailing_blanks_and_fits_a_notebook():
    for line in small().explain().splitlines():
        assert line == line.rstrip()
        assert len(line) <= 100


def test_many_labels_are_abbreviated():
    sweep = plan([header({"lr": i / 7}, f"r{i}/l") for i in range(200)])
    assert "…" in sweep.explain()
    assert len(sweep.explain()) < 1000


def test_the_configs_layout_counts_configurations():
    text = small(layout="configs").explain()
    assert text.splitlines()[0] == "12 runs in 12 files: 4 configurations × 3 seeds"
    assert "4 rows along config" in text


def test_html_is_well_formed_and_escaped():
    opened, seen = [], []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            opened.append(tag)
            seen.append(tag)

        def handle_endtag(self, tag):
            assert opened.pop() == tag

    runs = [header({"x": x, "s": i % 2}, f"{i}/l") for i, x in enumerate(["<b>", "&", "<b>", "&"])]
    html = plan(runs)._repr_html_()
    Parser().feed(html)
    assert not opened
    assert "&lt;b&gt;" in html
    assert seen.count("b") == 1


def test_the_table_has_one_row_per_configuration():
    table = small().table()
    assert list(table.columns) == ["lr", "optim_name", "eps", "seeds", "runs"]
    assert table["runs"].tolist() == [3, 3, 3, 3]
    assert table["lr"].tolist() == [0.01, 0.01, 0.1, 0.1]


def test_the_table_counts_statuses_and_parses_once():
    calls = []

    def read():
        calls.append(1)
        return [Status.FAILED, *[Status.COMPLETE] * 10, Status.INCOMPLETE]

    sweep = replace(small(), read_statuses=read)
    for _ in range(2):
        table = sweep.table()
    assert len(calls) == 1
    assert table[["complete", "incomplete", "failed"]].sum().tolist() == [10, 1, 1]
    assert table["failed"].tolist() == [0, 0, 1, 0]


def test_the_repr_is_one_line():
    assert repr(small()) == "<runcube.Sweep: 12 runs, grid (lr: 2, optim_name: 2, seed: 3)>"
    assert str(small()) == small().explain()
    assert type(str(small())) is str


def test_a_prompt_and_a_notebook_show_the_explanation_as_it_is():
    text = small().explain()
    assert repr(text) == text
    assert pretty(text) == text


def test_the_names_lead_from_keys():
    sweep = small()
    assert sweep.names["optim.lr"] == "lr"
    assert sweep.names["seed"] == "seed"
    assert sweep.coupled == {"eps": ("optim_name",)}
    assert list(sweep.dims) == ["lr", "optim_name", "seed"]
    assert (len(sweep), sweep.n_cells, sweep.n_configs) == (12, 12, 4)


def test_a_sweep_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        small().layout = "configs"


def test_a_sweep_can_be_pickled():
    sweep = small()
    again = pickle.loads(pickle.dumps(sweep))
    assert again.explain() == sweep.explain()
    np.testing.assert_array_equal(again.cells, sweep.cells)
