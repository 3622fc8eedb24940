"""Where a visit can be. Frozen; only :mod:`kiosk.domain.visit` makes one out of another.

A scene holds what it needs and nothing else, so what must not exist cannot: there is no request id before a request is on
the disk, and no digits after a visit has ended. Times are monotonic seconds.
"""

from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

from kiosk.domain.site import Site
from protocol.messages import RedeemAccepted
from protocol.reasons import Reason


@dataclass(frozen=True, slots=True, repr=False)
class IdDigits:
    """The last four of an ID, as the keys were pressed (digits; the site's legend is applied where they are sealed).

    RAM only. No ``repr`` shows them, so no log line and no traceback can.
    """

    typed: str = ""

    def __repr__(self) -> str:
        return "IdDigits(…)"

    def __len__(self) -> int:
        return len(self.typed)


@dataclass(frozen=True, slots=True)
class Held:
    """One voucher that the cloud holds for this visit."""

    voucher_no: str
    digits: IdDigits
    face_value_twd: int
    programme_id: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One customer at the kiosk."""

    serial: int
    """Tells visits apart within one run of the program."""
    language: str
    active_at: float
    """When the customer last did something."""
    held: tuple[Held, ...] = ()

    @property
    def held_nos(self) -> tuple[str, ...]:
        return tuple(voucher.voucher_no for voucher in self.held)

    @property
    def held_twd(self) -> int:
        """Sum of the face values."""
        return sum(voucher.face_value_twd for voucher in self.held)


@dataclass(frozen=True, slots=True)
class Order:
    """What the customer is about to confirm, or has confirmed."""

    item_code: str
    total_twd: int


@dataclass(frozen=True, slots=True)
class Why:
    """A refusal, as much of it as a person is told."""

    reason: Reason
    at: str | None = None
    """RFC 3339, UTC."""
    site: str | None = None
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class Attract:
    """Nobody here."""

    language: str
    since: float


@dataclass(frozen=True, slots=True)
class Number:
    """Typing a voucher number."""

    visit: Visit
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Digits:
    """Typing the last four of the holder's ID."""

    visit: Visit
    voucher_no: str
    entry: IdDigits = field(default_factory=IdDigits)
    why: Why | None = None
    """Set when the digits given before were wrong."""


@dataclass(frozen=True, slots=True)
class Checking:
    """Waiting for the answer to a check."""

    visit: Visit
    ask: int
    voucher_no: str
    digits: IdDigits
    since: float


@dataclass(frozen=True, slots=True)
class Basket:
    """Vouchers held so far."""

    visit: Visit
    again: bool = False
    """The voucher just shown is one of them."""


@dataclass(frozen=True, slots=True)
class ChoosingItem:
    """Choosing the item category."""

    visit: Visit


@dataclass(frozen=True, slots=True)
class Total:
    """Typing the order total."""

    visit: Visit
    item_code: str
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Confirm:
    """The last look."""

    visit: Visit
    order: Order


@dataclass(frozen=True, slots=True)
class Saving:
    """The request is on its way to the disk. The disk answers before anything else happens."""

    visit: Visit
    order: Order
    ask: int


@dataclass(frozen=True, slots=True)
class Sending:
    """The request is on the disk; the cloud has not answered."""

    visit: Visit
    order: Order
    request_id: UUID
    since: float


@dataclass(frozen=True, slots=True)
class Done:
    """Redeemed, and the authentic answer is on the disk."""

    visit: Visit
    """What it still holds is not part of this redemption."""
    request_id: UUID
    accepted: RedeemAccepted
    used: tuple[Held, ...]
    """For showing; empty for an outcome of an earlier visit."""
    repeated: bool
    """The customer learns of an earlier redemption; nothing was redeemed now."""
    since: float


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused. What the visit still holds remains usable."""

    visit: Visit
    why: Why
    since: float
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer in time."""

    visit: Visit
    """What it still holds is not part of the open request."""
    since: float
    request_id: UUID | None = None
    """The open request; None where only a check went unanswered."""
    asked: tuple[Held, ...] = ()
    """The vouchers of that request, if it is this visit's."""


@dataclass(frozen=True, slots=True)
class MoreTime:
    """Nobody did anything for a while."""

    over: "Waiting"
    since: float


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """The kiosk cannot save."""

    language: str


Waiting: TypeAlias = Number | Digits | Basket | ChoosingItem | Total | Confirm
"""Scenes in which the kiosk waits for the customer."""

Result: TypeAlias = Done | Refused | Unknown
"""Scenes that end by themselves or by any key."""

Scene: TypeAlias = Attract | Waiting | Checking | Saving | Sending | Result | MoreTime | OutOfOrder


@dataclass(frozen=True, slots=True)
class State:
    """Everything the kiosk remembers between two events."""

    site: Site
    scene: Scene
    serial: int = 0
    """The last number given to a visit or to a question."""
    online: bool = False
    fit: bool = True
    """Whether requests can be saved. Where not, the next customer is not served."""


def begin(site: Site, now: float) -> State:
    """Return the state of a kiosk that was just switched on."""
    return State(site, Attract(site.language, now))


def visit_of(scene: Scene) -> Visit | None:
    """Return the visit that a scene belongs to."""
    if isinstance(scene, Attract | OutOfOrder):
        return None
    return scene.over.visit if isinstance(scene, MoreTime) else scene.visit
