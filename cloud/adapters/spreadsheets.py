"""XLSX files with XlsxWriter, row by row: any number of rows in the memory of one.

Texts are written as texts, whatever they begin with: no cell becomes a formula or a link. What does not fit one sheet
(Excel has 2^20 rows) goes on in another.
"""

from collections.abc import Iterable, Sequence
from typing import IO, Any, Final

import xlsxwriter

from cloud.ports.documents import SheetColumn

ROWS_PER_SHEET_MAX: Final = 1_000_000
_TITLE_LENGTH_MAX: Final = 25
_FORBIDDEN: Final = str.maketrans(dict.fromkeys("[]:*?/\\'", " "))


def write_xlsx(
    target: IO[bytes],
    columns: Sequence[SheetColumn],
    rows: Iterable[Sequence[str | int]],
    *,
    title: str,
    rows_per_sheet: int = ROWS_PER_SHEET_MAX,
) -> None:
    """Write the file; see :class:`cloud.ports.documents.SheetWriter`."""
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(target, options) as book:
        head = book.add_format({"bold": True, "bottom": 1, "bottom_color": "#D9D2C7", "font_color": "#0F2233"})
        money = book.add_format({"num_format": "#,##0"})
        sheet, at = _add_sheet(book, columns, title, 1, head), 0
        for number, row in enumerate(rows):
            if number and number % rows_per_sheet == 0:
                sheet, at = _add_sheet(book, columns, title, number // rows_per_sheet + 1, head), 0
            at += 1
            for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
                if isinstance(cell, str):
                    sheet.write_string(at, place, cell)
                else:
                    sheet.write_number(at, place, cell, money if column.kind == "money" else None)


def _add_sheet(book: Any, columns: Sequence[SheetColumn], title: str, number: int, head: Any) -> Any:
    name = title.translate(_FORBIDDEN)[:_TITLE_LENGTH_MAX]
    sheet = book.add_worksheet(name if number == 1 else f"{name} {number}")
    sheet.freeze_panes(1, 0)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.title, head)
    return sheet
