"""What the kiosk needs from the world. Every port has a real adapter and an honest fake, held to one contract suite.

Adapters own their threads and hand events over by calling back; the callback only puts into the app's bounded queue, so it
never blocks and never raises. All ``close`` methods may be called twice.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique
from typing import Protocol, TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from kiosk.domain.keys import Key
from protocol.envelope import Event
from protocol.topics import RequestKind

Frame: TypeAlias = NDArray[np.uint8]
"""Luma, shape (height, width), C order."""


class Camera(Protocol):
    """A source of pictures."""

    def frames(self) -> Iterator[Frame]:
        """Yield frames as they come, until :meth:`close`. Blocks between frames, at most one second at a time.

        Raises:
            PortError: the device is gone; ``retry`` says whether opening it again can help.
        """

    def close(self) -> None: ...


class Scanner(Protocol):
    """Finds codes in a picture."""

    def scan(self, frame: Frame) -> Sequence[bytes]:
        """Return the contents of the codes in the frame, usually none or one. No picture makes it raise."""


class Keypad(Protocol):
    """Twelve keys. Debounced, no auto-repeat."""

    def start(self, on_key: Callable[[Key], None]) -> None: ...

    def close(self) -> None: ...


class Clock(Protocol):
    """Time, as the kiosk knows it."""

    def now(self) -> datetime:
        """Wall clock, aware, UTC. A hint only: it may be wrong by years (RELIABILITY I22)."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back. Every wait is measured with this."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One redeem request and what became of it."""

    sequence: int
    request: Event
    """Exactly what is published, again and again, until an answer is stored."""
    voucher_nos: tuple[str, ...]
    saved_at: datetime
    answer: Event | None
    """The authentic final answer, or None while unknown."""
    shown: bool = False
    """The customer has seen that it succeeded."""


class Outbox(Protocol):
    """The kiosk's memory of redeem requests. Whatever a method returned for survives a power cut.

    All methods raise :class:`protocol.errors.PortError` when the disk is full, read-only or broken; then nothing changed.
    """

    def append(self, make: Callable[[int, str], Event], *, voucher_nos: Sequence[str], saved_at: datetime) -> OutboxRow:
        """Save a request in one transaction.

        Args:
            make: gets the next sequence number and the link of the request before, returns the message to save.

        Raises:
            ValueError: the message is longer than :data:`protocol.limits.BODY_BYTES_MAX`; the caller's fault, nothing changed.
        """

    def store_answer(self, request_id: UUID, answer: Event) -> OutboxRow | None:
        """Save a final answer; the first one stays. None: no such request here."""

    def mark_shown(self, request_id: UUID) -> None:
        """Remember that the customer has seen the answer. Does nothing where there is none."""

    def probe(self) -> None:
        """Raise what :meth:`append` would raise at this moment; no request is touched."""

    def pending(self, limit: int) -> Sequence[OutboxRow]:
        """Oldest requests without an answer, in order of sequence."""

    def pending_count(self) -> int: ...

    def find(self, request_id: UUID) -> OutboxRow | None: ...

    def find_by_voucher(self, voucher_no: str) -> OutboxRow | None:
        """The newest request that names this voucher."""

    def close(self) -> None: ...


class Link(Protocol):
    """The way to the cloud. Loses, repeats and reorders; that is the outbox's business."""

    def start(self, on_answer: Callable[[RequestKind, Event], None], on_connection: Callable[[bool], None]) -> None:
        """Connect and stay connected. Callbacks come from the adapter's thread; answers are not yet authenticated."""

    def publish(self, kind: RequestKind, event: Event, *, expiry_s: int | None = None) -> bool:
        """Hand a message to the network; False when not connected or when too many are in flight. Never blocks."""

    def report(self, state: bytes) -> None:
        """Publish the retained device state (a :class:`protocol.messages.DeviceState` body)."""

    def close(self) -> None: ...


@unique
class CrashPoint(StrEnum):
    """Moments at which a power cut is worth a test; passed in order of this list by one redemption."""

    DURING_DIGITS = "during_digits"
    """The first of the four was typed."""
    CHECK_SENT = "check_sent"
    CHECK_ANSWERED = "check_answered"
    BEFORE_SAVE = "before_save"
    AFTER_SAVE = "after_save"
    """On the disk, not yet published."""
    AFTER_PUBLISH = "after_publish"
    ANSWER_RECEIVED = "answer_received"
    """Authentic, not yet on the disk."""
    AFTER_ANSWER_STORED = "after_answer_stored"
    """On the disk, not yet on the screen."""
    AFTER_SCREEN = "after_screen"
    """The screen shows the outcome."""
    RELEASE_SENT = "release_sent"


Passing: TypeAlias = Callable[[CrashPoint], None]
"""Told at every such moment. Does nothing, except in a test that kills the program there."""
