"""Bytes of a JSON-lines log to a table of columns: what all readers but the native one share.

May import ``core`` and ``readers.lines``. Start in ``decode`` (`read_table`); ``shape`` makes the
types that decode a log quickly, ``column`` is one key over all rows, ``odd_lines`` finds what is
whole on a line that is not JSON.
"""

from runcube.readers.table.column import Column
from runcube.readers.table.decode import SAMPLE_LINES, Table, first_records, read_table
from runcube.readers.table.shape import flatten

__all__ = ["SAMPLE_LINES", "Column", "Table", "first_records", "flatten", "read_table"]
