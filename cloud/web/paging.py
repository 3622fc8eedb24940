"""Filters and pages that live in the address, so that a list can be kept, sent and reloaded.

Whatever an address asks for that does not exist (a state, a page size, a day) is shown as the default, not as a fault: people
edit addresses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import get_args
from urllib.parse import urlencode
from uuid import UUID

from flask import abort, request

from cloud.ports.reports import ClaimState, Reports, TransactionFilter, TransactionPage

CLAIM_STATES: tuple[ClaimState, ...] = get_args(ClaimState)
PAGE_SIZES = (10, 25, 50, 100)
"""顯示筆數; ten, as in the source."""

_PAGE_MAX = 1_000_000
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2199, 12, 31)
"""Beyond, the midnights of Taipei soon leave the calendar that computers have."""


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a list, and how to write the address of another one."""

    number: int
    size: int
    row_count: int
    path: str
    kept: Mapping[str, str]
    """The filter, as it stands in the address."""

    @property
    def last(self) -> int:
        """Number of the last page; an empty list has one."""
        return max(1, -(-self.row_count // self.size))

    @property
    def first_row(self) -> int:
        """Running number (序號) of the first row shown."""
        return (self.number - 1) * self.size + 1

    @property
    def last_row(self) -> int:
        """Running number of the last row shown."""
        return min(self.number * self.size, self.row_count)

    def address(self, number: int) -> str:
        """Where another page of the same list is."""
        return f"{self.path}?{urlencode({**self.kept, 'size': self.size, 'page': number})}"


def find_page(reports: Reports, wanted: TransactionFilter) -> tuple[TransactionPage, Page]:
    """The page of transactions that the address asks for."""
    page = Page(_page_number(), _page_size(), 0, request.path, _kept())
    found = reports.find_transactions(wanted, page=page.number, page_size=page.size)
    page = replace(page, row_count=found.row_count)
    if page.number > page.last:
        # The list became shorter while its last page was open.
        page = replace(page, number=page.last)
        found = reports.find_transactions(wanted, page=page.number, page_size=page.size)
    return found, page


def _kept() -> dict[str, str]:
    return {name: value for name, value in request.args.items() if name not in {"page", "size"} and value}


def _page_number() -> int:
    """The page that is asked for; counts from 1."""
    return _whole_number("page", 1, _PAGE_MAX)


def _page_size() -> int:
    """How many rows are asked for."""
    size = _whole_number("size", PAGE_SIZES[0], PAGE_SIZES[-1])
    return size if size in PAGE_SIZES else PAGE_SIZES[0]


def claim_state() -> ClaimState | None:
    """The state that is asked for; None for all."""
    wanted = request.args.get("state", "")
    return next((state for state in CLAIM_STATES if state == wanted), None)


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
