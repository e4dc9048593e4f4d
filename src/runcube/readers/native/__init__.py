"""The native layout: one JSONL file a run, configuration first, then records of statistics.

``batch`` takes logs through the kernel together, and each that holds anything unusual by itself,
after ``mending``. ``rows`` says what each decoded row is, ``layout`` to which split and epoch it
belongs (``epochs`` counts what the layout does not write), ``columns`` makes the values of
cells numbers (``oddities`` names those that are none), ``bound`` leaves out what is beyond the
bound on columns, ``tables`` cuts them into those of each section, ``sections`` puts these together.
``records`` says which key is what, ``texts`` what text lines mean; ``appended`` joins what was
appended. Start in ``batch``. May import ``core``, ``files``, ``readers.kernel`` and
``readers.lines``.
"""

from runcube.readers.native.reader import NativeReader

__all__ = ["NativeReader"]
