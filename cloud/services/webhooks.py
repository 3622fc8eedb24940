"""Webhooks: made and changed by a merchant's admin, and told what happened.

Telling is at least once: an attempt is written down after it was made, so whoever dies in between makes it again, under the
same id. Messages go out in the order of the facts. A server that cannot be reached holds all its messages up, and none is
lost; one that answers anything but 2xx holds up that message only. After more than three days of failing the webhook is
disabled, which its owner sees on its page and in the trail; what was not told by then waits until it is active again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cloud.domain.webhooks import (
    EVENTS,
    GONE,
    OVERLAP,
    RETRIES,
    SECRET_BYTES,
    headers_of,
    is_usable_url,
    pause_after,
    write_secret,
)
from cloud.ports.clock import Clock
from cloud.ports.connect import ConnectEvent, ConnectEventKind
from cloud.ports.webhooks import Attempt, Message, Post, PostOutcome, Webhook, WebhookState, WebhookStore
from cloud.services.accounts import FormProblem, Hand

WEBHOOKS_MAX: Final = 10
"""Of one merchant."""

LEASE: Final = timedelta(minutes=5)
"""How long one deliverer has a webhook for itself."""

ROUND: Final = timedelta(minutes=4)
"""How long it goes on within the lease: the last attempt ends before the lease does."""

MESSAGES_MAX: Final = 200
"""Of one webhook in one round."""

KEPT: Final = timedelta(days=30)
"""How long the log shows what was told."""


class SecretKeeper(Protocol):
    """How secrets are written into the database and read again; each belongs to one owner."""

    def close(self, secret: str, owner: str) -> str: ...

    def open(self, closed: str, owner: str) -> str: ...


@dataclass(frozen=True, slots=True)
class WebhookForm:
    """What somebody typed."""

    url: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class WebhookDesk:
    """What is needed to look after webhooks."""

    store: WebhookStore
    secrets: SecretKeeper
    randomness: Callable[[int], bytes]
    plain_http: bool


def make_webhook(desk: WebhookDesk, hand: Hand, form: WebhookForm, *, webhook_id: str, calendar: datetime) -> str | FormProblem:
    """Make a webhook that is told of what happens from now on.

    Args:
        calendar: this instant by the programme's calendar, which the facts carry.

    Returns:
        Its secret, which is shown once, or what has to be corrected.
    """
    merchant_id = _merchant_of(hand)
    if not is_usable_url(form.url, plain_http=desk.plain_http):
        return FormProblem("url", "wrong")
    if not form.events or not form.events <= set(EVENTS):
        return FormProblem("events", "wrong")
    if len(desk.store.webhooks_of(merchant_id)) >= WEBHOOKS_MAX:
        return FormProblem("url", "many")
    secret = write_secret(desk.randomness(SECRET_BYTES))
    webhook = Webhook(
        webhook_id=webhook_id,
        merchant_id=merchant_id,
        url=form.url,
        events=form.events,
        secret=desk.secrets.close(secret, webhook_id),
        old_secret=None,
        old_secret_until=None,
        state="active",
        reason="",
        made_at=hand.at,
        made_by=hand.person.staff_id,
        facts_from=calendar,
        confirmation_no=0,
        wait_until=None,
        failures=0,
    )
    desk.store.add(webhook, _event(hand, "webhook_made", webhook_id, " ".join(sorted(form.events))))
    return secret


def rotate_secret(desk: WebhookDesk, hand: Hand, webhook: Webhook) -> str:
    """Give a webhook a new secret, which is shown once; the one it had signs too for a day."""
    secret = write_secret(desk.randomness(SECRET_BYTES))
    desk.store.rotate(
        webhook.webhook_id,
        desk.secrets.close(secret, webhook.webhook_id),
        old_until=hand.at + OVERLAP,
        event=_event(hand, "secret_rotated", webhook.webhook_id),
    )
    return secret


def set_webhook_state(desk: WebhookDesk, hand: Hand, webhook: Webhook, state: WebhookState) -> None:
    """Pause, go on, or remove."""
    kind: ConnectEventKind = "webhook_removed" if state == "removed" else "webhook_changed"
    desk.store.set_state(webhook.webhook_id, state, _event(hand, kind, webhook.webhook_id, state))


def _merchant_of(hand: Hand) -> str:
    assert hand.person.merchant_id is not None, "a webhook belongs to a merchant"
    return hand.person.merchant_id


def _event(hand: Hand, kind: ConnectEventKind, webhook_id: str, detail: str = "") -> ConnectEvent:
    return ConnectEvent(hand.at, _merchant_of(hand), kind, webhook_id, hand.person.staff_id, hand.address, detail)


@dataclass(frozen=True, slots=True)
class Teller:
    """What is needed to tell."""

    store: WebhookStore
    secrets: SecretKeeper
    post: Post
    calendar: Clock
    """The programme's: facts carry its time."""
    wall_clock: Clock
    """The real time: attempts and pauses live by it."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one round did."""

    gathered: int = 0
    taken: int = 0
    failed: int = 0


def tell(teller: Teller, webhook_id: str) -> Told:
    """Make messages of what happened and send those whose time has come, unless another deliverer is at work on this webhook.

    Raises:
        PortError: the database failed; what was sent and not written down is sent again.
    """
    began = teller.wall_clock.now()
    webhook = teller.store.lease(webhook_id, now=began, until=began + LEASE)
    if webhook is None:
        return Told()
    try:
        gathered = teller.store.gather(webhook, calendar=teller.calendar.now(), now=began)
        try:
            secrets = _secrets(teller, webhook, began)
        except ValueError:
            # Closed under another vault: its owner must make a new one, and nobody else's webhook waits for that.
            _disable(teller, webhook, "secret", began)
            return Told(gathered, 0, 1)
        taken = failed = 0
        for message in teller.store.due(webhook_id, now=began, limit=MESSAGES_MAX):
            outcome = _attempt(teller, webhook, message, secrets)
            if not _is_taken(outcome):
                failed += 1
                if outcome.status is None or outcome.status == GONE:
                    break
            else:
                taken += 1
            if teller.wall_clock.now() >= began + ROUND:
                break
        return Told(gathered, taken, failed)
    finally:
        teller.store.let_go(webhook_id)


def _attempt(teller: Teller, webhook: Webhook, message: Message, secrets: Sequence[str]) -> PostOutcome:
    at = teller.wall_clock.now()
    headers = headers_of(message.message_id, message.body, secrets, at=at)
    outcome = teller.post(webhook.url, message.body, headers)
    attempt = Attempt(at, outcome.status, outcome.problem, outcome.took_ms)
    number = message.attempts + 1
    if _is_taken(outcome):
        teller.store.record(message, attempt, state="delivered", next_at=at, wait_until=None)
        return outcome
    if outcome.status is None:
        pause = pause_after(webhook.failures + 1)
        wait_until = at + (pause or RETRIES[-1])
        teller.store.record(message, attempt, state="waiting", next_at=wait_until, wait_until=wait_until)
        if pause is None:
            _disable(teller, webhook, "unreachable", at)
        return outcome
    pause = pause_after(number)
    if pause is None or outcome.status == GONE:
        teller.store.record(message, attempt, state="given_up", next_at=at, wait_until=None)
        # A message that a person sends again may fail without more ado.
        if outcome.status == GONE or number == len(RETRIES) + 1:
            _disable(teller, webhook, "gone" if outcome.status == GONE else "refused", at)
    else:
        teller.store.record(message, attempt, state="waiting", next_at=at + pause, wait_until=None)
    return outcome


def _secrets(teller: Teller, webhook: Webhook, at: datetime) -> list[str]:
    """The secret that signs, and the one before it for as long as it counts."""
    closed = [webhook.secret]
    if webhook.old_secret is not None and webhook.old_secret_until is not None and at < webhook.old_secret_until:
        closed.append(webhook.old_secret)
    return [teller.secrets.open(one, webhook.webhook_id) for one in closed]


def _is_taken(outcome: PostOutcome) -> bool:
    return outcome.status is not None and 200 <= outcome.status < 300


def _disable(teller: Teller, webhook: Webhook, reason: str, at: datetime) -> None:
    teller.store.disable(
        webhook.webhook_id, ConnectEvent(at, webhook.merchant_id, "webhook_disabled", webhook.webhook_id, None, "", reason)
    )
