"""Bad lines and bad files cost themselves, and nothing else."""

import gzip
import json

import numpy as np
import pytest
from jsonl_logs import DATA, curve, epochs, kinds, load, write

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
        b"garbage \xff\xfe\x00",
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


def test_bom_crlf_blank_lines_nul_padding_and_gzip_change_nothing(tmp_path):
    plain = write(tmp_path / "a" / "log.jsonl", epochs(3)).read_bytes()
    odd = b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n\n\n") + b"\0" * 4096
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


def test_an_empty_log_beside_sound_ones_is_a_run_with_a_problem(tmp_path):
    for name in "abc":
        write(tmp_path / name / "log.jsonl", epochs(3, lr=0.1))
    (tmp_path / "b" / "log.jsonl").write_bytes(b"")
    runs = load(tmp_path)
    assert len(runs) == 3
    assert kinds(runs[1]) == ["empty"]
    assert runs[1].header.has_metrics is False
