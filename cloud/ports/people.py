"""People who sign in, and the counter that slows down whoever guesses.

A login belongs to a *door* (V-E3): one of the four merchant categories, ``scan`` or ``office``. The same login at another door
is another login, so nobody enters through the door of a category that is not theirs (O-5).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, get_args

Role = Literal["merchant_admin", "scan_staff", "programme_admin", "reviewer", "finance", "technician", "auditor", "applicant"]
"""An applicant sees its own application; when that is approved, the same account is a merchant admin."""
OfficeRole = Literal["programme_admin", "reviewer", "finance", "technician", "auditor"]

ROLES: tuple[Role, ...] = get_args(Role)
OFFICE_ROLES: tuple[OfficeRole, ...] = get_args(OfficeRole)

MERCHANT_DOORS = ("travel_agency", "lodging", "amusement", "hotspring_or_ppp")
"""The four merchant categories, in the order of the source's menu."""

SCAN_DOOR = "scan"
OFFICE_DOOR = "office"
DOORS = (*MERCHANT_DOORS, SCAN_DOOR, OFFICE_DOOR)


@dataclass(frozen=True, slots=True)
class Person:
    """One account, as the database knows it now."""

    staff_id: str
    name: str
    door: str
    login: str
    role: Role
    active: bool
    password_hash: str = field(repr=False)
    merchant_id: str | None = None
    """None for the programme office."""
    merchant_name: str = ""
    merchant_category: str = ""
    site_name: str = ""
    """Where scan staff stand."""
    site_id: str | None = None


class People(Protocol):
    """Accounts, read only. Inactive ones are found too: the caller looks at ``active``."""

    def find_by_login(self, door: str, login: str) -> Person | None: ...

    def find_at_other_doors(self, door: str, login: str) -> Person | None:
        """Somebody active who has this login at another door: the first one in the order of ids, always the same."""

    def find_person(self, staff_id: str) -> Person | None: ...

    def staff_of(self, merchant_id: str) -> Sequence[Person]:
        """A merchant's scan staff, active ones first, then by name."""

    def office_people(self) -> Sequence[Person]:
        """The programme office's people and the merchants' admins, active ones first, then by door and name."""


class Throttle(Protocol):
    """Counts tries per key within a sliding window."""

    def admit(self, key: str, *, tries_max: int, now: datetime) -> int:
        """Count one try and say how many seconds to wait first; 0 means go on. A try that must wait is not counted.

        Counting and judging are one step, so that many tries at once do not slip through together.
        """

    def forget(self, key: str) -> None:
        """Start again at none: the right password was given."""
