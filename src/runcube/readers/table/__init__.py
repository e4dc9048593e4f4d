"""Bytes of a JSON-lines log to a table of columns: what all readers but the native one share.

May import ``core``, ``readers.kernel`` and ``readers.lines``. Start in ``decode`` (`read_table`);
``flat`` names keys of nested objects, ``column`` is one key over the rows that have it,
``odd_lines`` finds what is whole on a line that is not JSON, ``documents`` what is not one record a
line, ``text_lines`` what stands around records, ``python_text`` reads dicts as Python prints them.
``points`` makes the same table of values that never were lines.
"""

from runcube.readers.table.column import NUMBER, OTHER, TEXT, Column, Objects, span
from runcube.readers.table.decode import Part, Table, first_records, read_table
from runcube.readers.table.documents import has_documents
from runcube.readers.table.flat import flatten
from runcube.readers.table.odd_lines import holds_record
from runcube.readers.table.points import (
    STEP,
    WALL,
    Points,
    PointTable,
    column_of,
    table_of_points,
)
from runcube.readers.table.text_lines import TEXT_AROUND

__all__ = [
    "NUMBER",
    "OTHER",
    "STEP",
    "TEXT",
    "TEXT_AROUND",
    "WALL",
    "Column",
    "Objects",
    "Part",
    "PointTable",
    "Points",
    "Table",
    "column_of",
    "first_records",
    "flatten",
    "has_documents",
    "holds_record",
    "read_table",
    "span",
    "table_of_points",
]
