"""Webhooks and their messages in the database, for :mod:`cloud.ports.webhooks`."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, and_, delete, insert, or_, select, update

from cloud.adapters.sql.connect import note
from cloud.adapters.sql.tables import webhook, webhook_attempt, webhook_message
from cloud.adapters.sql.transactions import insert_into, reading, writing
from cloud.adapters.sql.webhook_facts import find_facts
from cloud.domain.webhooks import message_id
from cloud.ports.connect import ConnectEvent
from cloud.ports.webhooks import Attempt, LoggedMessage, Message, MessageState, Webhook, WebhookState


class SqlWebhookStore:
    """``WebhookStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, webhook_: Webhook, event: ConnectEvent) -> None:
        values = asdict(webhook_) | {"events": " ".join(sorted(webhook_.events))}
        with writing(self._engine) as connection:
            connection.execute(insert(webhook).values(**values))
            note(connection, event)

    def find(self, webhook_id: str, *, merchant_id: str) -> Webhook | None:
        which = and_(webhook.c.webhook_id == webhook_id, webhook.c.merchant_id == merchant_id, webhook.c.state != "removed")
        with reading(self._engine) as connection:
            return _find(connection, which)

    def webhooks_of(self, merchant_id: str) -> Sequence[Webhook]:
        wanted = select(*_COLUMNS).where(webhook.c.merchant_id == merchant_id, webhook.c.state != "removed")
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(webhook.c.made_at, webhook.c.webhook_id)).mappings()
            return [_webhook_of(row) for row in rows]

    def set_state(self, webhook_id: str, state: WebhookState, event: ConnectEvent) -> None:
        changes: dict[str, Any] = {"state": state, "reason": "", "failures": 0, "wait_until": None}
        with writing(self._engine) as connection:
            which = (webhook.c.webhook_id == webhook_id) & (webhook.c.merchant_id == event.merchant_id)
            if connection.execute(update(webhook).where(which).values(**changes)).rowcount:
                note(connection, event)

    def rotate(self, webhook_id: str, secret: str, *, old_until: datetime, event: ConnectEvent) -> None:
        which = (webhook.c.webhook_id == webhook_id) & (webhook.c.merchant_id == event.merchant_id)
        changes = {"old_secret": webhook.c.secret, "old_secret_until": old_until, "secret": secret}
        with writing(self._engine) as connection:
            if connection.execute(update(webhook).where(which).values(**changes)).rowcount:
                note(connection, event)

    def log_of(self, webhook_id: str, *, limit: int) -> Sequence[LoggedMessage]:
        last = and_(
            webhook_attempt.c.message_no == webhook_message.c.message_no,
            webhook_attempt.c.attempt_no == webhook_message.c.attempts,
        )
        wanted = (
            select(webhook_message, webhook_attempt)
            .outerjoin(webhook_attempt, last)
            .where(webhook_message.c.webhook_id == webhook_id)
            .order_by(webhook_message.c.message_no.desc())
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [_logged(row) for row in connection.execute(wanted)]

    def resend(self, webhook_id: str, message_id: UUID, event: ConnectEvent) -> bool:
        which = and_(webhook_message.c.webhook_id == webhook_id, webhook_message.c.message_id == message_id)
        again = update(webhook_message).where(which).values(state="waiting", next_at=event.happened_at)
        with writing(self._engine) as connection:
            if not connection.execute(again).rowcount:
                return False
            note(connection, event)
        return True

    def active_ids(self) -> Sequence[str]:
        wanted = select(webhook.c.webhook_id).where(webhook.c.state == "active").order_by(webhook.c.webhook_id)
        with reading(self._engine) as connection:
            return list(connection.scalars(wanted))

    def lease(self, webhook_id: str, *, now: datetime, until: datetime) -> Webhook | None:
        free = or_(webhook.c.leased_until.is_(None), webhook.c.leased_until <= now)
        ready = or_(webhook.c.wait_until.is_(None), webhook.c.wait_until <= now)
        which = and_(webhook.c.webhook_id == webhook_id, webhook.c.state == "active", free, ready)
        with writing(self._engine) as connection:
            # One statement judges: of two deliverers one takes it.
            if not connection.execute(update(webhook).where(which).values(leased_until=until)).rowcount:
                return None
            return _find(connection, webhook.c.webhook_id == webhook_id)

    def let_go(self, webhook_id: str) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(webhook).where(webhook.c.webhook_id == webhook_id).values(leased_until=None))

    def gather(self, webhook_: Webhook, *, calendar: datetime, now: datetime) -> int:
        with reading(self._engine) as connection:
            found = find_facts(connection, webhook_, calendar=calendar)
        if not found.facts and (found.facts_from, found.confirmation_no) == (webhook_.facts_from, webhook_.confirmation_no):
            return 0
        rows = [
            {
                "message_id": message_id(webhook_.webhook_id, fact.event, fact.subject),
                "webhook_id": webhook_.webhook_id,
                "event": fact.event,
                "subject": fact.subject,
                "body": fact.body(),
                "made_at": now,
                "state": "waiting",
                "attempts": 0,
                "next_at": now,
            }
            for fact in found.facts
        ]
        cursors = {"facts_from": found.facts_from, "confirmation_no": found.confirmation_no}
        with writing(self._engine) as connection:
            for row in rows:
                # By the unique constraint: another deliverer, whose lease ran out while it worked, may have been here.
                connection.execute(insert_into(connection, webhook_message).values(**row).on_conflict_do_nothing())
            connection.execute(update(webhook).where(webhook.c.webhook_id == webhook_.webhook_id).values(**cursors))
        return len(rows)

    def due(self, webhook_id: str, *, now: datetime, limit: int) -> Sequence[Message]:
        columns = [webhook_message.c[name] for name in Message.__slots__]
        wanted = (
            select(*columns)
            .where(webhook_message.c.webhook_id == webhook_id, webhook_message.c.state == "waiting")
            .where(webhook_message.c.next_at <= now)
            .order_by(webhook_message.c.message_no)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [Message(**row) for row in connection.execute(wanted).mappings()]

    def record(
        self, message: Message, attempt: Attempt, *, state: MessageState, next_at: datetime, wait_until: datetime | None
    ) -> None:
        mine = webhook_message.c.message_no == message.message_no
        owner = select(webhook_message.c.webhook_id).where(mine).scalar_subquery()
        reached = {"wait_until": wait_until, "failures": 0 if wait_until is None else webhook.c.failures + 1}
        number = message.attempts + 1
        with writing(self._engine) as connection:
            connection.execute(
                insert(webhook_attempt).values(message_no=message.message_no, attempt_no=number, **asdict(attempt))
            )
            connection.execute(update(webhook_message).where(mine).values(state=state, attempts=number, next_at=next_at))
            connection.execute(update(webhook).where(webhook.c.webhook_id == owner).values(**reached))

    def disable(self, webhook_id: str, event: ConnectEvent) -> None:
        which = (webhook.c.webhook_id == webhook_id) & (webhook.c.state == "active")
        with writing(self._engine) as connection:
            if connection.execute(update(webhook).where(which).values(state="disabled", reason=event.detail)).rowcount:
                note(connection, event)

    def sweep(self, before: datetime) -> int:
        old = and_(webhook_message.c.state != "waiting", webhook_message.c.next_at < before)
        with writing(self._engine) as connection:
            gone = select(webhook_message.c.message_no).where(old)
            connection.execute(delete(webhook_attempt).where(webhook_attempt.c.message_no.in_(gone)))
            return connection.execute(delete(webhook_message).where(old)).rowcount


_COLUMNS = [webhook.c[name] for name in Webhook.__slots__]


def _find(connection: Connection, which: Any) -> Webhook | None:
    row = connection.execute(select(*_COLUMNS).where(which)).mappings().one_or_none()
    return None if row is None else _webhook_of(row)


def _webhook_of(row: Any) -> Webhook:
    return Webhook(**{**row, "events": frozenset(row["events"].split())})


def _logged(row: Any) -> LoggedMessage:
    last = None if row.tried_at is None else Attempt(row.tried_at, row.status, row.problem, row.took_ms)
    return LoggedMessage(row.message_id, row.event, row.subject, row.made_at, row.state, row.attempts, row.next_at, last)
