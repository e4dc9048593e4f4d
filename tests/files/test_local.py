"""Files on this machine: their ends and their bytes, however long they are."""

from io import FileIO

import pytest

from runcube.core import Limits, LogFile
from runcube.files.access import HEAD_BYTES, TAIL_BYTES, read_bytes, read_ends
from runcube.files.local import LocalStore

LINE = b'{"step": 1234}\n'


@pytest.mark.parametrize(
    "size", [15, TAIL_BYTES, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 3 * HEAD_BYTES]
)
def test_the_ends_of_a_file_are_its_first_and_last_bytes(tmp_path, size):
    data = (LINE * size)[-size:]
    (tmp_path / "log").write_bytes(data)
    ends = read_ends(str(tmp_path), LogFile("log", size, 0))
    assert ends == (data[:HEAD_BYTES], data[-TAIL_BYTES:])


@pytest.mark.parametrize("most", [0, 1, 44, 45, 46, 1 << 30])
def test_all_of_a_file_is_read_or_as_much_as_is_asked_for(tmp_path, most):
    (tmp_path / "log").write_bytes(LINE * 3)
    found = LocalStore(str(tmp_path)).whole("log", most)
    assert found == (LINE * 3)[: len(found)]
    assert len(found) >= min(most, 45)
    assert read_bytes(str(tmp_path), "log", limits=Limits(file_bytes=45)) == (LINE * 3, None)


class InPieces(FileIO):
    """A file of which the system returns seven bytes at a time."""

    def read(self, size=-1, /):
        return super().read(min(size, 7) if size >= 0 else -1)


@pytest.mark.parametrize("most", [30, 45, 1 << 30])
def test_a_file_that_comes_in_pieces_is_read_to_its_end(tmp_path, monkeypatch, most):
    (tmp_path / "log").write_bytes(LINE * 3)
    monkeypatch.setattr(LocalStore, "open", lambda store, path: InPieces(f"{store.root}/{path}"))
    found = LocalStore(str(tmp_path)).whole("log", most)
    assert found == (LINE * 3)[: max(len(found), min(most, 45))]
