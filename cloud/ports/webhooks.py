"""Webhooks: whom to tell of what, the messages that are made from facts, and the way out.

Facts are found by membership, never by a time window alone: a message is made for every fact since ``facts_from`` that has
none, and the unique constraint on webhook, event and subject judges that it is one. ``facts_from`` follows behind the calendar
by more than any transaction takes, so that a commit that comes late is found by the next look.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from cloud.ports.connect import ConnectEvent

WebhookState = Literal["active", "paused", "disabled", "removed"]
MessageState = Literal["waiting", "delivered", "given_up"]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One subscription. Its secrets are encrypted."""

    webhook_id: str
    merchant_id: str
    url: str
    events: frozenset[str]
    secret: str = field(repr=False)
    old_secret: str | None = field(repr=False)
    old_secret_until: datetime | None
    state: WebhookState
    reason: str
    made_at: datetime
    made_by: str
    facts_from: datetime
    confirmation_no: int
    wait_until: datetime | None
    failures: int


@dataclass(frozen=True, slots=True)
class Message:
    """One thing to tell."""

    message_no: int
    message_id: UUID
    event: str
    body: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to tell it."""

    tried_at: datetime
    status: int | None
    problem: str
    """Empty where it was taken."""
    took_ms: int


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message with how it went, for the delivery log."""

    message_id: UUID
    event: str
    subject: UUID
    made_at: datetime
    state: MessageState
    attempts: int
    next_at: datetime
    last: Attempt | None


class WebhookStore(Protocol):
    """Keeps webhooks and their messages. Every method is one transaction and raises PortError where the database fails."""

    def add(self, webhook: Webhook, event: ConnectEvent) -> None: ...

    def find(self, webhook_id: str, *, merchant_id: str) -> Webhook | None:
        """A webhook of this merchant that was not removed."""

    def webhooks_of(self, merchant_id: str) -> Sequence[Webhook]:
        """Those that were not removed, oldest first."""

    def set_state(self, webhook_id: str, state: WebhookState, event: ConnectEvent) -> None:
        """Change the state of the event's merchant's webhook; being active again begins with no failures."""

    def rotate(self, webhook_id: str, secret: str, *, old_until: datetime, event: ConnectEvent) -> None:
        """Give it a new secret; the one it had signs too until then."""

    def log_of(self, webhook_id: str, *, limit: int) -> Sequence[LoggedMessage]:
        """Newest first."""

    def resend(self, webhook_id: str, message_id: UUID, event: ConnectEvent) -> bool:
        """Let a message be told again now; False where there is no such message."""

    # What the deliverer needs ------------------------------------------------------------------------------------------------

    def active_ids(self) -> Sequence[str]: ...

    def lease(self, webhook_id: str, *, now: datetime, until: datetime) -> Webhook | None:
        """Take an active webhook for oneself; None where it is not active, must wait, or another has it."""

    def let_go(self, webhook_id: str) -> None: ...

    def gather(self, webhook: Webhook, *, calendar: datetime, now: datetime) -> int:
        """Make messages of the facts that have none yet, oldest first, some hundreds at most; return how many."""

    def due(self, webhook_id: str, *, now: datetime, limit: int) -> Sequence[Message]:
        """Messages whose time has come, oldest first."""

    def record(
        self, message: Message, attempt: Attempt, *, state: MessageState, next_at: datetime, wait_until: datetime | None
    ) -> None:
        """Write an attempt down.

        Args:
            wait_until: the server could not be reached, and all its messages wait until then; None where it was.
        """

    def disable(self, webhook_id: str, event: ConnectEvent) -> None:
        """Stop telling, with the event's detail as the reason."""

    def sweep(self, before: datetime) -> int:
        """Forget messages that were told, or given up, before then; return how many."""


@dataclass(frozen=True, slots=True)
class PostOutcome:
    """What became of one request."""

    status: int | None
    problem: str
    """Empty where there was an answer; else a word for people, never an address or what a driver said."""
    took_ms: int


class Post(Protocol):
    """Sends one request and nothing else: no redirect is followed, no private address reached, no long answer read."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostOutcome: ...
