"""Native logs that are read together: each is what it is alone, whatever stands beside it."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from native_logs import config, epochs, record, text
from native_strategies import lines_of_logs

from runcube.core.model import LogFile, Request, Source
from runcube.readers.native.reader import NativeReader

damage = st.tuples(
    st.sampled_from(["none", "cut", "byte", "newline", "gone"]),
    st.floats(0, 1, exclude_max=True),
    st.integers(0, 255),
)


def damaged(lines, how, at, byte):
    data = ("\n".join(lines) + "\n").encode()
    place = int(at * len(data))
    if how == "cut":
        return data[:place]
    if how == "gone":
        return data[:place] + data[place + 60 :]
    new = {"none": data[place : place + 1], "byte": bytes([byte]), "newline": b"\n"}[how]
    return data[:place] + new + data[place + 1 :]


def sources(folder, logs):
    found = []
    for number, data in enumerate(logs):
        (folder / f"{number}.jsonl").write_bytes(data)
        file = LogFile(f"{number}.jsonl", len(data), 0)
        found.append(Source(str(folder), file.path, (file,)))
    return found


def facts(log):
    """All that a log holds; arrays as lists, NaN as text."""
    curves = [
        (
            c.split,
            {name: (str(x.dtype), np.char.mod("%r", x).tolist()) for name, x in c.x.items()},
            c.metrics,
            c.values.tobytes(),
            c.logged.tolist(),
            c.lines.tolist(),
        )
        for c in log.curves
    ]
    resume = log.resume and [
        log.resume.offset,
        log.resume.lines,
        log.resume.extras,
        log.resume.marker_lines.tolist(),
        log.resume.markers.tolist(),
    ]
    return (
        json.dumps(log.header.config),
        curves,
        log.messages,
        repr(log.train_time),
        log.marker,
        log.problems,
        log.splits,
        log.metrics,
        resume,
        log.remarks,
    )


logs = st.lists(
    st.builds(
        lambda lines, many, how: damaged([config(), *epochs(many), *lines], *how),
        lines_of_logs,
        st.integers(0, 3),
        damage,
    ),
    min_size=2,
    max_size=4,
)


@given(logs=logs)
def test_a_log_does_not_depend_on_what_is_read_with_it(tmp_path_factory, logs):
    found = sources(tmp_path_factory.mktemp("logs"), logs)
    request = Request(messages=True)
    reader = NativeReader()
    alone = [reader.read(source, request) for source in found]
    together = reader.read_batch(found, request)
    for one, other in zip(alone, together, strict=True):
        assert [*map(facts, one)] == [*map(facts, other)]


def test_metrics_have_the_order_of_their_own_log(tmp_path):
    first = [config(), record("train", a=1, b=2)]
    second = [config(), record("train", b=1, a=2), record("val", c=1, a=3)]
    found = sources(tmp_path, ["\n".join(lines).encode() for lines in (first, second)])
    one, other = NativeReader().read_batch(found, Request())
    assert one[0].metrics == ("a", "b")
    assert other[0].metrics == ("b", "a", "c")
    assert [curves.metrics for curves in other[0].curves] == [("b", "a"), ("a", "c")]


@pytest.mark.parametrize("other", ['{"agg_stats": {"b": null}}', '{"agg_stats": {}, "b": 1}'])
def test_problems_have_an_order_that_other_logs_do_not_change(tmp_path, other):
    beside = '{"type": "str", "value": "x", "c": 1, "b": 2}'
    found = sources(tmp_path, [f"{config()}\n{line}".encode() for line in (other, beside)])
    alone = NativeReader().read(found[1], Request())
    together = NativeReader().read_batch(found, Request())[1]
    assert [p.message for p in together[0].problems] == [p.message for p in alone[0].problems]


def test_a_log_with_half_a_line_is_read_as_the_others_are(tmp_path):
    whole = "\n".join([config(), *epochs(3), text("Training time 0:00:07")]).encode() + b"\n"
    cut = whole + b'{"title": "agg_train", "data_na'
    (one,), (other,) = NativeReader().read_batch(sources(tmp_path, [whole, cut]), Request())
    assert facts(one)[1] == facts(other)[1]
    assert [p.kind for p in other.problems] == ["truncated_tail"]
    assert one.resume is not None
    assert other.resume is None


def test_logs_that_have_nothing_in_common_cost_no_table_of_all(tmp_path):
    logs = [
        "\n".join([config(), *(record("val", **{f"m{n}_{i}": 1.0 for i in range(40)}),) * 200])
        for n in range(60)
    ]
    found = sources(tmp_path, [log.encode() for log in logs])
    tracemalloc.start()
    read = NativeReader().read_batch(found, Request())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 12 * sum(source.size for source in found)
    assert [log.metrics[0] for (log,) in read] == [f"m{n}_0" for n in range(60)]
