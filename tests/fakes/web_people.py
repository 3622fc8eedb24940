"""Accounts in memory, a clock that stands still until it is moved, and passwords that cost nothing."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from cloud.ports.people import Person


class FakePeople:
    """``People`` in memory."""

    def __init__(self, people: Iterable[Person]) -> None:
        self.people = {person.staff_id: person for person in people}

    def find_by_login(self, door: str, login: str) -> Person | None:
        return next((one for one in self.people.values() if (one.door, one.login) == (door, login)), None)

    def find_at_other_doors(self, door: str, login: str) -> Person | None:
        found = (one for one in self.people.values() if one.door != door and one.login == login and one.active)
        return min(found, key=lambda one: one.staff_id, default=None)

    def staff_of(self, merchant_id: str) -> list[Person]:
        return [one for one in self.people.values() if (one.merchant_id, one.role) == (merchant_id, "scan_staff")]

    def office_people(self) -> list[Person]:
        return [one for one in self.people.values() if one.role != "scan_staff"]

    def find_person(self, staff_id: str) -> Person | None:
        return self.people.get(staff_id)


class StillClock:
    """A clock that is moved by hand."""

    def __init__(self, at: datetime = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def advance(self, **by: float) -> None:
        """Let time pass; arguments of ``timedelta``."""
        self.at += timedelta(**by)


class PlainPasswords:
    """Verifies against the password itself, and remembers how often it was asked."""

    def __init__(self) -> None:
        self.verified = 0

    def verify(self, password_hash: str, password: str) -> bool:
        self.verified += 1
        return password_hash == f"hash of {password}"
