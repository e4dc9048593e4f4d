"""Batches of tasks, and progress."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from in_parallel import load, way

from runcube.pipeline import tasks as task_module
from runcube.pipeline.tasks import run_tasks


@given(
    weights=st.lists(st.integers(1, 1 << 27), min_size=1, max_size=60),
    workers=st.integers(1, 64),
    data=st.data(),
)
def test_batches_cover_the_tasks_in_order(weights, workers, data):
    here = data.draw(st.lists(st.booleans(), min_size=len(weights), max_size=len(weights)))
    batches = task_module._batches(weights, here, workers)
    assert [i for b in batches for i in range(b.start, b.stop)] == list(range(len(weights)))
    for batch in batches:
        assert batch.weight == sum(weights[batch.start : batch.stop])
        assert {*here[batch.start : batch.stop]} == {batch.here}
        # The bound holds unless one log alone is larger.
        assert batch.weight <= task_module._MOST_BATCH or batch.stop - batch.start == 1


def test_a_million_small_files_are_not_a_million_batches(monkeypatch):
    monkeypatch.undo()
    weights = [500 + task_module._PER_FILE] * 1_000_000
    assert len(task_module._batches(weights, [False] * 1_000_000, 2)) < 2_000


@pytest.mark.parametrize("mode", ["processes", "threads", "dask sync"])
def test_progress_is_told_as_batches_come_in(logs, mode, request):
    told = {}
    for name in ("here", "elsewhere"):
        told[name] = []
        with way(mode, request) as asked:
            load(
                logs,
                asked if name == "elsewhere" else False,
                progress=lambda *step, name=name: told[name].append(step),
            )
    assert len(told["elsewhere"]) > 2
    assert told["elsewhere"] == sorted(told["elsewhere"])
    assert set(told["elsewhere"]) <= set(told["here"])
    assert told["elsewhere"][-1] == told["here"][-1]


class Counted:
    """Work that says how far it is ahead of whoever takes its results."""

    def __init__(self):
        self.begun = 0

    def run(self, task):
        return task

    def needs(self, task):
        return None

    def stays(self, task):
        return None

    def sent(self, tasks):
        self.begun += len(tasks)
        return tasks

    def pack(self, sent, folder):
        return sent

    def unpack(self, tasks, packed):
        return packed

    def died(self, task, why):
        return why


@pytest.mark.parametrize("mode", ["threads", "dask sync"])
def test_results_do_not_pile_up_before_a_slow_consumer(monkeypatch, mode, request):
    monkeypatch.setattr(task_module, "_IN_FLIGHT", 40)
    work, tasks = Counted(), list(range(200))
    with way(mode, request) as asked:
        for number, found in enumerate(run_tasks(work, tasks, [1] * 200, None, asked)):
            assert found == number
            # A task weighs two; the batch that is being taken does not count.
            assert work.begun <= number + 1 + 40
    assert work.begun == 200
