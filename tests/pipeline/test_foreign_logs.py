"""Files of other loggers: recognised by name and content, and named once for each logger."""

import gzip
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runcube.files import Tree, list_files
from runcube.pipeline.foreign_logs import foreign_logger, foreign_problems


def database(tmp_path, *tables):
    path = tmp_path / "made.db"
    with sqlite3.connect(path) as made:
        for table in tables:
            made.execute(f"CREATE TABLE {table} (run_name TEXT, step INTEGER)")
    made.close()
    data = path.read_bytes()
    path.unlink()
    return data


LIGHTNING = b"epoch,lr-Adam,step,train_loss,val_loss\n,0.01,0,,\n0,,9,0.5,\n0,,9,,0.4\n"
PICKLED = "Training arguments of the Hugging Face Trainer"


@pytest.mark.parametrize(
    ("path", "head", "name"),
    [
        ("files/media/table/t_0_ab.table.json", b'{"columns":["a"],"data":[[1]]}', "W&B tables"),
        ("wandb/run-2_1-x/files/wandb-summary.json", b'{"loss": 1}', "W&B summaries"),
        ("swanlog/run-1/backup.swanlab", b":SWL\xd6\xe1\x01", "SwanLab run files"),
        (".aim/meta/chunks/ab/CURRENT", b"MANIFEST-000004\n", "Aim repositories"),
        ("a/checkpoint-8/training_args.bin", b"PK\x03\x04\0", PICKLED),
        ("a/training_args.bin", b"\x80\x02}q", PICKLED),
        ("a/checkpoint-8/tokenizer.json", b'{"version": "1.0"', "Hugging Face model files"),
        ("a/all_results.json", b'{\n    "epoch": 3.0', "Hugging Face model files"),
        ("version_0/metrics.csv", b"lr,step,loss\n0.1,0,\n,9,0.5\n", "CSV tables"),
        ("version_0/metrics.csv", LIGHTNING, "CSV tables"),
        ("log.csv", b"epoch,loss,val_loss\r\n0,0.5,NA\r\n", "CSV tables"),
        ("log.csv.gz", b"epoch,loss\n0,0.5\n", "CSV tables"),
        ("0.monitor.csv", b'#{"t_start": 1.5}\nr,l,t\n1.0,9,0.3\n', "CSV tables"),
        ("log.tsv", b"epoch\tloss\n0\t0.5\n", "CSV tables"),
    ],
)
def test_a_file_of_another_logger_is_recognised_and_nothing_else_of_that_name(path, head, name):
    assert foreign_logger(path, head) == name
    for other in (b"", b"hello\n", b"\0\1\2\3", b"version https://git-lfs.github.com/spec/v1\n"):
        assert foreign_logger(path, other) is None
    assert foreign_logger("notes.txt", head) is None


@pytest.mark.parametrize(
    ("path", "tables", "name"),
    [
        ("mlruns.db", ["metrics", "latest_metrics"], "MLflow databases"),
        ("mlflow.db", ["experiments"], "MLflow databases"),
        ("addresses.db", ["people"], None),
    ],
)
def test_a_database_is_told_by_its_tables(path, tables, name, tmp_path):
    assert foreign_logger(path, database(tmp_path, *tables)[:8192]) == name


@pytest.mark.parametrize(
    "head",
    [
        b"name,colour\na,red\n",
        b"loss\n0.5\n",
        b"1,2\n3,4\n",
        b"loss,loss\n1,2\n",
        b"epoch,loss\n",
        b'a,"' + b"x" * 200_000 + b"\n1,2\n",
    ],
)
def test_a_table_without_a_header_of_names_over_numbers_is_no_log(head):
    assert foreign_logger("table.csv", head) is None


@given(st.binary(max_size=200))
def test_no_bytes_raise(head):
    for path in ("a.csv", "a/metrics.json", "m/metrics/a", "mlflow.db", "a.wandb"):
        foreign_logger(path, head)
        foreign_logger(path, b"SQLite format 3\0" + head)


def test_each_logger_is_named_once_with_its_count_its_first_file_and_advice(tmp_path):
    for i in range(300):
        (tmp_path / f"a-{i}.swanlab").write_bytes(b":SWL\xd6\xe1\x01")
    (tmp_path / "log.csv.gz").write_bytes(gzip.compress(b"epoch,loss\n0,0.5\n"))
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "model.pt").write_bytes(b"x")
    tree = Tree(list_files(tmp_path))
    looked = []

    def head(path):
        looked.append(path)
        return tree.head(path)

    runs, table = foreign_problems(tree.unclaimed(), head, lambda folder: False)
    assert (runs.kind, runs.path) == ("not_read", "a-0.swanlab")
    assert runs.message.startswith(
        "SwanLab run files are recognised but not read: 300 files, this is the first; "
    )
    assert "JSON lines" in runs.message
    assert table.path == "log.csv.gz"
    assert "not read: 1 file; " in table.message
    assert not {"model.pt", "empty.csv"} & {*looked}
