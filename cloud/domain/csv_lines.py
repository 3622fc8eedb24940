"""Tables as CSV that a spreadsheet opens as they are meant: UTF-8 with a byte order mark, CRLF, and no cell a formula.

A text that begins with ``= + - @``, or with a tab or return, is run as a formula by spreadsheets; such a text gets an
apostrophe in front. Numbers are written as numbers and are left alone.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

Cell = str | int

_FORMULA_BEGINS: Final = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
_ROWS_PER_PIECE: Final = 500


def encode_csv(rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """Yield the file piece by piece; the memory of one piece is what any number of rows takes."""
    mark, source = "\ufeff", iter(rows)
    while some := list(islice(source, _ROWS_PER_PIECE)):
        text = io.StringIO()
        csv.writer(text, lineterminator="\r\n").writerows([guard(cell) for cell in row] for row in some)
        yield (mark + text.getvalue()).encode("utf-8")
        mark = ""


def guard(cell: Cell) -> Cell:
    """Make sure that no spreadsheet runs a text."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA_BEGINS) else cell
