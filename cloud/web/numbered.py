"""Pages by number, for the office's shorter lists (thousands of rows, not millions), in the form that the kit's pager shows."""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import request

PAGE_NO_MAX = 10_000


@dataclass(frozen=True, slots=True)
class NumberedPage:
    """Which rows of a list are shown, and where its other pages are."""

    number: int
    size: int
    row_count: int
    shown: int
    path: str
    kept: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, number: int, size: int, row_count: int, shown: int) -> "NumberedPage":
        """The page of this request."""
        kept = tuple((name, value) for name, value in request.args.items() if name != "page" and value)
        return cls(number, size, row_count, shown, request.path, kept)

    @property
    def first_row(self) -> int:
        """Running number of the first row shown."""
        return (self.number - 1) * self.size + 1

    @property
    def last_row(self) -> int:
        """Running number of the last row shown."""
        return self.first_row + self.shown - 1

    @property
    def start(self) -> str:
        """Where the first page is."""
        return self._address(1)

    @property
    def previous(self) -> str | None:
        """Where the page in front of this one is."""
        return self._address(self.number - 1) if self.number > 1 else None

    @property
    def next(self) -> str | None:
        """Where the page behind this one is."""
        return self._address(self.number + 1) if self.last_row < self.row_count and self.shown else None

    def _address(self, number: int) -> str:
        place = () if number == 1 else (("page", str(number)),)
        return f"{self.path}?{urlencode((*self.kept, *place))}" if self.kept or place else self.path


def page_no() -> int:
    """The page that the address asks for; whatever is no number is the first one."""
    typed = request.args.get("page", "1")
    return min(max(int(typed), 1), PAGE_NO_MAX) if typed.isdecimal() and typed.isascii() and len(typed) < 7 else 1
