"""The list of holders that a programme office hands in: CSV, UTF-8, one voucher per line.

Columns by name in the first line, in any order: ``name`` and either ``national_id`` or ``last_four``. A spreadsheet's byte
order mark is taken. Nothing of the file is kept, and no complaint quotes it: a line number is what the person needs.
"""

import csv
import io
from collections.abc import Callable

from cloud.domain.holders import Holder, Listed, holder_with_digits, holder_with_id

HOLDERS_MAX = 100_000
FILE_BYTES_MAX = 16 * 1024 * 1024
_READERS: dict[str, Callable[[str, str], Holder]] = {"national_id": holder_with_id, "last_four": holder_with_digits}


class HoldersError(ValueError):
    """The list cannot be used. ``line`` counts from 1, the header included."""

    def __init__(self, message: str, *, line: int) -> None:
        super().__init__(message)
        self.line = line


def read_holders(content: bytes) -> list[Holder]:
    """Read the list; see :func:`read_list`."""
    return [listed.holder for listed in read_list(content)]


def read_list(content: bytes) -> list[Listed]:
    """Read the list, with the line of each holder.

    Raises:
        HoldersError: the first line that breaks a rule; nothing of the list should be used then.
    """
    if len(content) > FILE_BYTES_MAX:
        raise HoldersError(f"The list is larger than {FILE_BYTES_MAX // 1024 // 1024} MiB.", line=1)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise HoldersError(f"Line {line} is not UTF-8 text: save the list as CSV UTF-8.", line=line) from None
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        return _holders(rows)
    except csv.Error:
        raise HoldersError(f"Line {rows.reader.line_num} is not CSV.", line=rows.reader.line_num) from None


def _holders(rows: "csv.DictReader[str]") -> list[Listed]:
    column = _id_column(rows)
    holders: list[Listed] = []
    for row in rows:
        if None in row or None in row.values():
            raise HoldersError(f"Line {rows.line_num} has another number of columns than line 1.", line=rows.line_num)
        if len(holders) >= HOLDERS_MAX:
            raise HoldersError(f"The list has more than {HOLDERS_MAX} holders: hand it in as several.", line=rows.line_num)
        try:
            holders.append(Listed(rows.line_num, _READERS[column](row["name"], row[column])))
        except ValueError as problem:
            raise HoldersError(f"Line {rows.line_num}: {problem}.", line=rows.line_num) from None
    if not holders:
        raise HoldersError("The list has no holders.", line=1)
    return holders


def _id_column(rows: "csv.DictReader[str]") -> str:
    names = [name.strip().lower() for name in rows.fieldnames or []]
    rows.fieldnames = names
    columns = [name for name in _READERS if name in names]
    if len(columns) != 1 or "name" not in names or len(set(names)) != len(names):
        raise HoldersError("Line 1 must name the columns: name, and national_id or last_four.", line=1)
    return columns[0]
