"""Filters and pages that live in the address, so that a list can be kept, sent and reloaded.

Whatever an address asks for that does not exist (a state, a page size, a day) is shown as the default, not as a fault: people
edit addresses.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, request

from cloud.ports.reports import (
    NEWEST_FIRST,
    ClaimState,
    Mark,
    Order,
    Reports,
    SortColumn,
    TransactionFilter,
    TransactionPage,
    TransactionRow,
)

CLAIM_STATES: tuple[ClaimState, ...] = get_args(ClaimState)
PAGE_SIZES = (10, 25, 50, 100)
"""顯示筆數; ten, as in the source."""

ORDERS = tuple(Order(column, descending) for column in get_args(SortColumn) for descending in (True, False))
"""Every order that an address may ask for."""

_OF_PAGES = frozenset({"after", "before", "row", "size", "sort"})
_ROWS_MAX = 999_999_999
_TEXT_LENGTH_MAX = 64
_INTEGER_MAX = 2**31 - 1
_MARK = re.compile(r"([0-9]{1,16})-([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
"""Beyond, the midnights of Taipei soon leave the calendar that computers have."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which rows of a list are shown, and how to write the addresses of its other pages.

    A page is named by the row that it begins behind, never by counting from the start: the last page of a million rows costs
    what the first does, and rows that arrive meanwhile move nobody's page.
    """

    size: int
    order: Order
    first_row: int
    """Running number (序號) of the first row shown. It stands in the address for people; the rows are found without it."""
    shown: int
    row_count: int
    path: str
    kept: Mapping[str, str]
    """The filter, as it stands in the address."""
    before: str
    after: str
    """The first and the last row shown, as marks in an address; empty where there are none."""

    @property
    def last_row(self) -> int:
        """Running number of the last row shown."""
        return self.first_row + self.shown - 1

    @property
    def previous(self) -> str | None:
        """Where the page in front of this one is."""
        if self.first_row <= 1:
            return None
        if self.first_row <= self.size + 1:
            return self.start
        return self._address(before=self.before, row=self.first_row - self.size)

    @property
    def next(self) -> str | None:
        """Where the page behind this one is."""
        return self._address(after=self.after, row=self.last_row + 1) if self.last_row < self.row_count else None

    @property
    def start(self) -> str:
        """Where the first page is."""
        return self._address()

    @property
    def sort(self) -> str:
        """The order, as it stands in the address."""
        return _sort_name(self.order)

    def sorted_by(self, column: str) -> str:
        """What ``aria-sort`` says of a column."""
        if self.order.column != column:
            return "none"
        return "descending" if self.order.descending else "ascending"

    def address_sorted_by(self, column: SortColumn) -> str:
        """Where the same list stands sorted by a column: largest first, and the other way round where it is that already."""
        other = Order(column, not (self.order.column == column and self.order.descending))
        return replace(self, order=other).start

    def _address(self, **place: object) -> str:
        order = {} if self.order == NEWEST_FIRST else {"sort": self.sort}
        return f"{self.path}?{urlencode({**self.kept, **order, 'size': self.size, **place})}"


def find_page(reports: Reports, wanted: TransactionFilter) -> tuple[TransactionPage, Page]:
    """The page of transactions that the address asks for."""
    order, size = sort_order(), _page_size()
    mark = _mark(order)
    found = reports.find_transactions(wanted, page_size=size, order=order, mark=mark)
    first_row = 1
    if mark is not None and (not found.rows or (mark.before and len(found.rows) < size)):
        # The list became shorter while this page was open.
        found = reports.find_transactions(wanted, page_size=size, order=order)
    elif mark is not None:
        # An edited number is brought back among the rows that there are.
        latest = max(1, found.row_count - len(found.rows) + 1)
        first_row = latest if not mark.before and len(found.rows) < size else min(_whole_number("row", 1, _ROWS_MAX), latest)
    rows = found.rows
    page = Page(
        size=size,
        order=order,
        first_row=first_row,
        shown=len(rows),
        row_count=found.row_count,
        path=request.path,
        kept=_kept(),
        before=_write_mark(rows[0], order) if rows else "",
        after=_write_mark(rows[-1], order) if rows else "",
    )
    return found, page


def _kept() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name not in _OF_PAGES and value}


def sort_order() -> Order:
    """The order that is asked for."""
    wanted = request.args.get("sort", "")
    return next((order for order in ORDERS if _sort_name(order) == wanted), NEWEST_FIRST)


def _sort_name(order: Order) -> str:
    return f"-{order.column}" if order.descending else order.column


def _mark(order: Order) -> Mark | None:
    before = "before" in request.args
    found = _MARK.fullmatch(request.args.get("before" if before else "after", ""))
    if found is None:
        return None
    number, redemption_id = int(found[1]), UUID(found[2])
    if order.column != "redeemed_at":
        return Mark(number, redemption_id, before) if number <= _INTEGER_MAX else None
    instant = _EPOCH + timedelta(microseconds=number)
    return Mark(instant, redemption_id, before) if instant.date() <= _LAST_DAY else None


def _write_mark(row: TransactionRow, order: Order) -> str:
    values: dict[SortColumn, int] = {
        "redeemed_at": (row.redeemed_at - _EPOCH) // timedelta(microseconds=1),
        "order_total": row.order_total_twd,
        "voucher_count": row.voucher_count,
    }
    return f"{values[order.column]}-{row.redemption_id.hex}"


def _page_size() -> int:
    """How many rows are asked for."""
    size = _whole_number("size", PAGE_SIZES[0], PAGE_SIZES[-1])
    return size if size in PAGE_SIZES else PAGE_SIZES[0]


def claim_state() -> ClaimState | None:
    """The state that is asked for; None for all."""
    wanted = request.args.get("state", "")
    return next((state for state in CLAIM_STATES if state == wanted), None)


def some_text(name: str) -> str | None:
    """A short text in the address; None where there is none."""
    return request.args.get(name, "").strip()[:_TEXT_LENGTH_MAX] or None


def some_voucher_no() -> str | None:
    """A voucher number in the address, without the spaces and dashes that people write."""
    typed = some_text("voucher")
    return None if typed is None else re.sub(r"[\s-]", "", typed)


def transaction_filter(merchant_id: str) -> TransactionFilter:
    """Which of a merchant's transactions the address asks for."""
    return TransactionFilter(
        merchant_id,
        state=claim_state(),
        first_day=some_day("from"),
        last_day=some_day("to"),
        claim_id=some_id("claim"),
        taken_by=some_text("by"),
        site_id=some_text("site"),
        voucher_no=some_voucher_no(),
    )


def kept_filter(*names: str) -> dict[str, str]:
    """The filter as it stands in the address, for links to the same rows in another shape."""
    return {name: value for name, value in _kept().items() if not names or name in names}


def some_day(name: str) -> date | None:
    """A day in the address."""
    try:
        day = date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


def some_id(name: str) -> UUID | None:
    """An id in the address. A broken one names nothing: 404, or a list of everything would pass for a filtered one."""
    wanted = request.args.get(name)
    if not wanted:
        return None
    try:
        return UUID(wanted)
    except ValueError:
        abort(404)


def _whole_number(name: str, default: int, largest: int) -> int:
    text = request.args.get(name, "")
    return min(max(1, int(text)), largest) if text.isascii() and text.isdigit() and len(text) < 10 else default
