"""Bad lines and bad files cost themselves, and nothing else."""

import gzip
import json

import numpy as np
import pytest
from jsonl_logs import DATA, curve, epochs, kinds, load, write

from runcube.core import Limits
from runcube.readers import JobsReader, JsonlReader, RayReader
from runcube.readers.table.decode import Part, read_table


def test_half_a_last_line_is_a_truncated_tail(tmp_path):
    path = write(tmp_path / "a.jsonl", epochs(3))
    path.write_bytes(path.read_bytes() + b'{"epoch": 3, "lo')
    (run,) = load(tmp_path)
    assert [(p.kind, p.line) for p in run.problems] == [("truncated_tail", 4)]
    assert len(curve(run, "loss")[0]) == 3


def test_a_whole_last_line_without_newline_is_a_record(tmp_path):
    path = write(tmp_path / "a.jsonl", epochs(3))
    path.write_bytes(path.read_bytes()[:-1])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert not run.problems


def test_a_record_behind_half_a_record_is_kept(tmp_path):
    write(
        tmp_path / "a.jsonl",
        [*epochs(2), '{"epoch": 2, "lo{"epoch": 3, "loss": 0.5}', {"epoch": 4, "loss": 0.25}],
    )
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 3, 4]
    assert [(p.kind, p.line) for p in run.problems] == [("bad_line", 3)]


def test_lines_of_text_are_messages_and_named_once(tmp_path):
    lines = ["loading", *epochs(2), "nan", 'INFO {"epoch": 2, "loss": 0.25}']
    write(tmp_path / "a.jsonl", lines)
    (run,) = load(tmp_path)
    assert curve(run, "loss")[0].tolist() == [1, 0.5, 0.25]
    assert run.messages == ["loading", "nan", "INFO"]
    (problem,) = run.problems
    assert (problem.kind, problem.line) == ("text_line", 1)
    assert problem.message.startswith("3 ")


def test_an_inner_object_of_a_broken_record_is_no_record(tmp_path):
    records = [{"step": i, "metrics": {"loss": i}} for i in range(3)]
    write(tmp_path / "a.jsonl", [*records, '{"step": 3, "metrics": {"loss": 3}'])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert kinds(run) == ["bad_line"]


@pytest.mark.parametrize(
    "bad",
    [
        b"garbage \xff\xfe",
        b"[1, 2]",
        b"3",
        b'{"epoch": 1 "loss": 2}',
        b'{"epoch": 9, "loss": "\xff"}',
    ],
)
def test_a_bad_line_costs_that_line(tmp_path, bad):
    path = write(tmp_path / "a.jsonl", epochs(3))
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:2], bad, *lines[2:]]))
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert [(p.kind, p.line, p.path) for p in run.problems] == [("bad_line", 3, "a.jsonl")]


def test_nuls_are_blanks_and_named_once_a_file(tmp_path):
    plain = write(tmp_path / "log.jsonl", epochs(3)).read_bytes()
    (tmp_path / "log.jsonl").write_bytes(plain[:-9] + plain[-9:].replace(b"\n", b"\0\n\0\0\0"))
    (tmp_path / "log.jsonl.1").write_bytes(b'{"epoch": -1, "loss": 2}\n\0')
    (run,) = load(tmp_path)
    assert curve(run, "loss")[0].tolist() == [2, 1, 0.5, 1 / 3]
    assert [(p.path, p.line, p.message.partition(" from")[0]) for p in run.problems] == [
        ("log.jsonl", 3, "4 NUL bytes"),
        ("log.jsonl.1", 2, "1 NUL byte"),
    ]


def test_bom_crlf_blank_lines_and_gzip_change_nothing(tmp_path):
    plain = write(tmp_path / "a" / "log.jsonl", epochs(3)).read_bytes()
    odd = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n\n\n")
    (tmp_path / "a" / "odd.jsonl").write_bytes(odd)
    (tmp_path / "a" / "packed.jsonl.gz").write_bytes(gzip.compress(plain))
    runs = load(tmp_path)
    assert len(runs) == 3
    for run in runs:
        assert curve(run, "loss")[0].tolist() == [1, 0.5, 1 / 3]
        assert not run.problems
    assert curve(runs[1], "loss")[2].lines.tolist() == [1, 4, 7]


def test_a_cut_gzip_file_gives_what_precedes_the_cut(tmp_path):
    rng = np.random.default_rng(0)
    plain = write(tmp_path / "x", [{"step": i, "v": rng.random()} for i in range(500)]).read_bytes()
    (tmp_path / "x").unlink()
    packed = gzip.compress(plain)
    (tmp_path / "a.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    (run,) = load(tmp_path)
    assert len(curve(run, "v")[0]) > 100
    assert "unreadable" in kinds(run)


def test_records_separated_by_a_literal_backslash_n_are_all_read(tmp_path):
    text = "\\n".join(json.dumps(r) for r in epochs(4))
    write(tmp_path / "a.jsonl", [{"epoch": -1, "loss": 0}, text])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [-1, 0, 1, 2, 3]
    assert kinds(run) == ["joined_lines"]


def test_the_summary_with_literal_newlines_has_28_objects_on_10_lines():
    data = (DATA / "results" / "run_summaries.jsonl").read_bytes()
    table = read_table([Part("x", data)])
    assert len(table) == 28
    assert len(set(table.lines.tolist())) == 10


def test_two_records_on_one_line_are_both_read(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), '{"epoch":2,"loss":1}{"epoch":3,"loss":2}'])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 4
    assert kinds(run) == ["joined_lines"]


def test_duplicate_keys_take_the_last_value(tmp_path):
    write(tmp_path / "a.jsonl", ['{"epoch":0,"loss":1,"loss":2}', '{"epoch":1,"loss":3}'])
    assert curve(load(tmp_path)[0], "loss")[0].tolist() == [2, 3]


def test_a_line_of_ten_megabytes_is_read(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), {"epoch": 2, "loss": 3, "blob": [1.5] * 2_000_000}])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[0][-1] == 3
    assert kinds(run) == ["non_numeric"]


def test_a_deeply_nested_line_costs_itself(tmp_path):
    write(tmp_path / "a.jsonl", [*epochs(2), '{"epoch":' + "[" * 100_000, {"epoch": 2, "loss": 1}])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3
    assert kinds(run) == ["limit"]


SWEEP = [{"config": {"lr": 0.5}}, *epochs(2), {"acc": 0.5}, *epochs(5)[2:], {"acc": 0.75}]
PRINTED = {
    "an array over lines": lambda records: json.dumps(records, indent=1),
    "a record a line in an array": lambda r: "[\n" + ",\n".join(map(json.dumps, r)) + "\n]\n",
    "an array on one line": json.dumps,
    "an array without blanks": lambda records: json.dumps(records, separators=(",", ":")) + "\n",
    "objects over lines": lambda records: "\n".join(json.dumps(r, indent=2) for r in records),
}


@pytest.mark.parametrize("ending", ["json", "jsonl", "log"])
@pytest.mark.parametrize("how", PRINTED)
def test_records_that_are_not_one_a_line_are_read_as_if_they_were(tmp_path, how, ending):
    write(tmp_path / "lines" / "log.jsonl", SWEEP)
    write(tmp_path / "printed" / f"log.{ending}", [PRINTED[how](SWEEP)])
    lines, printed = load(tmp_path)
    assert printed.header.config == lines.header.config == {"lr": 0.5}
    for metric in ("loss", "acc"):
        for one, other in zip(curve(lines, metric)[:2], curve(printed, metric)[:2], strict=True):
            np.testing.assert_array_equal(one, other)
    # Records stand in their order: one without x follows the one before it.
    assert (np.diff(printed.curves[0].lines) > 0).all()
    assert not printed.problems


@pytest.mark.parametrize("how", PRINTED)
def test_a_bad_record_among_them_costs_itself(tmp_path, how):
    text = PRINTED[how]([{"config": {"lr": 0.5}}, *epochs(9)])
    damaged = text.replace('"epoch"', '"epoch":', 4).replace('"epoch":', '"epoch"', 3)
    assert damaged != text
    write(tmp_path / "log.json", [damaged])
    (run,) = load(tmp_path)
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 2, 4, 5, 6, 7, 8]
    assert kinds(run) == ["bad_line"]


BEYOND = {
    "depth": (Limits(depth=4), {"deep": {"a": {"b": {"c": {"d": 1.5}}}}}),
    "digits": (Limits(digits=5), {"long": 123456}),
    "line_bytes": (Limits(line_bytes=100), {"note": "x" * 100}),
}


@pytest.mark.parametrize("how", PRINTED)
@pytest.mark.parametrize("field", BEYOND)
def test_records_that_are_not_one_a_line_have_the_same_bounds(tmp_path, field, how):
    limits, extra = BEYOND[field]
    records = epochs(6)
    records[3] |= extra
    write(tmp_path / "log.json", [PRINTED[how](records)])
    (run,) = load(tmp_path, JsonlReader(limits=limits))
    assert kinds(run) == ["limit"]
    assert f"Limits({field}=" in run.problems[0].message
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 2, 4, 5]
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 6
    assert not [kind for kind in kinds(run) if kind == "limit"]


@pytest.mark.parametrize("field", BEYOND)
def test_a_line_beyond_a_bound_is_left_out_and_named(tmp_path, field):
    limits, extra = BEYOND[field]
    records = epochs(6)
    records[3] |= extra
    write(tmp_path / "log.jsonl", records)
    (run,) = load(tmp_path, JsonlReader(limits=limits))
    assert kinds(run) == ["limit"]
    assert f"Limits({field}=" in run.problems[0].message
    assert curve(run, "loss")[2].x["epoch"].tolist() == [0, 1, 2, 4, 5]


def test_depth_that_was_raised_holds_for_every_way_to_read_a_line(tmp_path):
    deep = {"loss": 0.25}
    for _ in range(200):
        deep = {"k": deep}
    row = json.dumps({"epoch": 3} | deep)
    lines = [*epochs(3), row, row.replace("3", "4", 1) + row.replace("3", "5", 1)]
    write(tmp_path / "a.jsonl", [*lines, '{"epoch": 6, "lo' + row.replace("3", "7", 1)])
    (run,) = load(tmp_path, JsonlReader(limits=Limits(depth=300)))
    name = "k/" * 200 + "loss"
    values, logged, part = curve(run, name)
    assert part.x["epoch"][logged].tolist() == [3, 4, 5, 7]
    assert values[logged].tolist() == [0.25] * 4
    assert kinds(run) == ["joined_lines", "bad_line"]
    (run,) = load(tmp_path)
    assert kinds(run)[0] == "limit"


def test_a_record_behind_many_lines_of_text_makes_a_log(tmp_path):
    write(tmp_path / "a.log", [*(f"loading part {i}" for i in range(30)), *epochs(3)])
    (run,) = load(tmp_path)
    assert len(curve(run, "loss")[0]) == 3


@pytest.mark.parametrize("reader", [RayReader, JobsReader])
def test_every_reader_of_json_lines_has_bounds_that_can_be_raised(tmp_path, reader):
    rows = [{"training_iteration": i, "step": i, "loss": i / 7} for i in range(4)]
    rows[2]["note"] = "x" * 200
    for name in ("result.json", "metrics.jsonl"):
        write(tmp_path / "run_a1" / name, rows)
    write(tmp_path / "run_a1" / "params.json", [{"lr": 0.5, "note": "y" * 200}])
    write(tmp_path / "jobs" / "a1.json", [{"config": {"lr": 0.5, "note": "y" * 200}}])
    (run,) = load(tmp_path, reader(limits=Limits(line_bytes=100)))
    assert [p.kind for p in run.problems if "line_bytes" in p.message] == ["limit"]
    (run,) = load(tmp_path, reader(limits=Limits(file_bytes=150)))
    assert "limit" in kinds(run)
    assert "limit" not in kinds(load(tmp_path, reader())[0])


def test_an_empty_log_beside_sound_ones_is_a_run_with_a_problem(tmp_path):
    for name in "abc":
        write(tmp_path / name / "log.jsonl", epochs(3, lr=0.1))
    (tmp_path / "b" / "log.jsonl").write_bytes(b"")
    runs = load(tmp_path)
    assert len(runs) == 3
    assert kinds(runs[1]) == ["empty"]
    assert runs[1].header.has_metrics is False
