"""Files of exactly what is filtered: CSV and XLSX of transactions, and the statement of a claim as PDF.

CSV leaves while it is read, a page of rows at a time; XLSX is written to a file on disk first. Neither holds more
than a page of rows in memory. The rows come oldest first, whatever the list on the screen is sorted by.

If the database goes away in the middle of a CSV, the connection is broken off: a file that is not whole must not look whole.
"""

import tempfile
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain
from typing import Final, Literal
from uuid import UUID

from flask import Response, send_file, stream_with_context

from cloud.domain.calendar import TAIPEI, day_of
from cloud.domain.csv_lines import Cell, encode_csv
from cloud.ports.documents import STATEMENT_LINES_MAX, DaySum, SheetColumn, Statement
from cloud.ports.money_reports import ClaimDetail
from cloud.ports.reports import TransactionFilter, TransactionRow
from cloud.web.formats import item_name, money
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.returned import say_reason
from protocol.ids import reference

FileKind = Literal["csv", "xlsx"]
FILE_KINDS: Final = "any(csv, xlsx)"
"""For routes."""

_XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_MEMORY_BYTES_MAX: Final = 1024 * 1024
_COLUMNS: Final = (
    ("redeemed_at", 20, "text"),
    ("voucher_nos", 16, "text"),
    ("voucher_count", 8, "number"),
    ("order_total", 12, "money"),
    ("redeemed", 12, "money"),
    ("topup", 12, "money"),
    ("item", 16, "text"),
    ("site", 24, "text"),
    ("by", 18, "text"),
    ("state", 12, "text"),
    ("confirmed_at", 20, "text"),
    ("reference", 12, "text"),
)


def transactions_file(parts: WebParts, wanted: TransactionFilter, kind: FileKind, *, name: str) -> Response:
    """Every transaction that a filter matches, as a file; that of a whole claim sums to what is paid of it.

    Args:
        name: of the file, without its ending; ASCII.
    """
    rows = chain((_cells(row) for row in parts.reports.walk_transactions(wanted)), _set_off(parts, wanted))
    return _csv(rows, name) if kind == "csv" else _xlsx(parts, rows, name)


def statement_file(parts: WebParts, claim: ClaimDetail) -> Response:
    """The statement of a claim."""
    document = parts.money.statement(_statement(parts, claim))
    response = Response(document, mimetype="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{claim_file_name(claim)}.pdf"'
    return response


def claim_file_name(claim: ClaimDetail) -> str:
    """How the files of a claim are called."""
    return f"claim-{claim.period_starts_on}-{reference(claim.claim_id)}"


def _statement(parts: WebParts, claim: ClaimDetail) -> Statement:
    lines = parts.reports.walk_transactions(TransactionFilter(claim.merchant_id, claim_id=claim.claim_id))
    reason = say_reason(claim.return_code) if claim.return_code and claim.state == "returned" else ""
    now = parts.clock.now()
    if claim.redemption_count > STATEMENT_LINES_MAX:
        return Statement(claim, (), tuple(_by_day(lines)), reason, now)
    return Statement(claim, tuple(lines), (), reason, now)


def _by_day(lines: Iterable[TransactionRow]) -> Iterator[DaySum]:
    """Lines come oldest first, so each day is whole before the next begins."""
    day, sums = "", [0, 0, 0]
    for line in lines:
        its_day = f"{day_of(line.redeemed_at):%Y/%m/%d}"
        if its_day != day:
            if day:
                yield DaySum(day, *sums)
            day, sums = its_day, [0, 0, 0]
        sums = [sums[0] + 1, sums[1] + line.voucher_count, sums[2] + line.redeemed_twd]
    if day:
        yield DaySum(day, *sums)


def _csv(rows: Iterator[list[Cell]], name: str) -> Response:
    pieces = encode_csv(chain([[say(f"export.{column}") for column, _, _ in _COLUMNS]], rows))
    # Its first piece is made before anything is answered: a database that is away is said on a page, not in a broken file.
    body = stream_with_context(chain([next(pieces)], pieces))
    response = Response(body, mimetype="text/csv", content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _xlsx(parts: WebParts, rows: Iterator[list[Cell]], name: str) -> Response:
    columns = [SheetColumn(say(f"export.{column}"), width, kind) for column, width, kind in _COLUMNS]
    book = tempfile.SpooledTemporaryFile(max_size=_MEMORY_BYTES_MAX)  # noqa: SIM115 - closed with the answer, which sends it
    parts.money.write_sheet(book, columns, rows, title=say("transactions.title"))
    book.seek(0)
    response = send_file(book, mimetype=_XLSX, as_attachment=True, download_name=f"{name}.xlsx")
    response.call_on_close(book.close)
    return response


def _cells(row: TransactionRow) -> list[Cell]:
    return [
        _moment(row.redeemed_at),
        " ".join(row.voucher_nos),
        row.voucher_count,
        row.order_total_twd,
        row.redeemed_twd,
        row.topup_twd,
        item_name(row),
        row.site_name,
        row.by,
        say(f"state.{row.state}"),
        _moment(row.confirmed_at) if row.confirmed_at else "",
        reference(row.redemption_id),
    ]


def _set_off(parts: WebParts, wanted: TransactionFilter) -> list[list[Cell]]:
    """The row that a claim's file ends with where not all of it is paid."""
    if wanted.claim_id is None or wanted != TransactionFilter(wanted.merchant_id, claim_id=wanted.claim_id):
        return []
    claim = parts.money.reports.find_claim(wanted.claim_id, merchant_id=wanted.merchant_id)
    if claim is None or not claim.set_off_twd:
        return []
    says = say("correction.set_off", amount=money(claim.set_off_twd), paid=money(claim.payable_twd))
    return [["", "", 0, 0, -claim.set_off_twd, 0, says, "", "", say(f"state.{claim.state}"), "", reference(claim.claim_id)]]


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone(TAIPEI):%Y-%m-%d %H:%M:%S}"


def claim_filter(claim: ClaimDetail) -> TransactionFilter:
    """The rows of a claim."""
    return TransactionFilter(claim.merchant_id, claim_id=claim.claim_id)


def as_uuid(text: str) -> UUID | None:
    """An id that was typed or sent; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
