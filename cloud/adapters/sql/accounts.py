"""Accounts that are made and changed, open sessions, and the trail, for :mod:`cloud.ports.accounts`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, Engine, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.people import PERSON_COLUMNS, PERSON_FROM, person_of
from cloud.adapters.sql.tables import account_event, passkey, recovery_code, second_factor, staff, web_session
from cloud.adapters.sql.transactions import reading, writing
from cloud.domain.audit import AuditFact, make_fact
from cloud.ports.accounts import AccountChange, AccountEvent, WebSession
from cloud.ports.people import Person
from cloud.ports.programmes import NewStaff, TakenError

_SESSION = select(
    web_session.c.session_hash,
    web_session.c.opened_at,
    web_session.c.seen_at,
    web_session.c.address,
    web_session.c.agent,
    *PERSON_COLUMNS,
).select_from(PERSON_FROM.join(web_session, web_session.c.staff_id == staff.c.staff_id))


def note(connection: Connection, event: AccountEvent) -> None:
    """Append a line to the trail."""
    connection.execute(insert(account_event).values(**asdict(event)))


class SqlAccountStore:
    """``AccountStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        try:
            with writing(self._engine) as connection:
                transaction = _Transaction(connection)
                yield transaction
                transaction.record_others()
        except IntegrityError as problem:
            raise TakenError from problem

    def events_of(self, staff_id: str, *, limit: int) -> Sequence[AccountEvent]:
        columns = [column for column in account_event.c if column.name != "event_id"]
        wanted = (
            select(*columns).where(account_event.c.staff_id == staff_id).order_by(account_event.c.event_id.desc()).limit(limit)
        )
        with reading(self._engine) as connection:
            return [AccountEvent(**row) for row in connection.execute(wanted).mappings()]


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._others: list[AuditFact] = []

    def add(self, account: NewStaff) -> None:
        self._connection.execute(insert(staff).values(**asdict(account), active=True))

    def change(self, staff_id: str, change: AccountChange) -> None:
        values = {name: value for name, value in asdict(change).items() if name != "password_hash" or value is not None}
        self._connection.execute(update(staff).where(staff.c.staff_id == staff_id).values(**values))

    def set_password(self, staff_id: str, password_hash: str) -> None:
        self._connection.execute(update(staff).where(staff.c.staff_id == staff_id).values(password_hash=password_hash))

    def set_active(self, staff_id: str, active: bool) -> bool:
        which = (staff.c.staff_id == staff_id) & (staff.c.active != active)
        return self._connection.execute(update(staff).where(which).values(active=active)).rowcount > 0

    def drop_factors(self, staff_id: str) -> None:
        for table in (second_factor, recovery_code, passkey):
            self._connection.execute(delete(table).where(table.c.staff_id == staff_id))

    def end_sessions(self, staff_id: str, *, but: bytes | None = None) -> int:
        which = web_session.c.staff_id == staff_id
        if but is not None:
            which &= web_session.c.session_hash != but
        return self._connection.execute(delete(web_session).where(which)).rowcount

    def note(self, event: AccountEvent) -> None:
        note(self._connection, event)
        if event.by_staff_id is not None and event.staff_id is not None:
            what = f"account.{event.kind.removeprefix('account_')}"
            after = {"fields": tuple(event.detail.split())} if event.detail else {}
            self._others.append(make_fact(event.by_staff_id, what, event.staff_id, event.happened_at, after=after))

    def record_others(self) -> None:
        """Put what somebody did to another's account into the audit log, as the last thing."""
        for fact in self._others:
            SqlAuditLog(self._connection).append(fact)


class SqlWebSessions:
    """``WebSessions`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, session: WebSession, event: AccountEvent, *, stale_before: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(delete(web_session).where(web_session.c.seen_at < stale_before))
            connection.execute(insert(web_session).values(**asdict(session)))
            note(connection, event)

    def find(self, session_hash: bytes) -> tuple[WebSession, Person] | None:
        with reading(self._engine) as connection:
            row = connection.execute(_SESSION.where(web_session.c.session_hash == session_hash)).mappings().one_or_none()
        if row is None:
            return None
        session = WebSession(session_hash, row["staff_id"], row["opened_at"], row["seen_at"], row["address"], row["agent"])
        return session, person_of(row)

    def seen(self, session_hash: bytes, at: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(web_session).where(web_session.c.session_hash == session_hash).values(seen_at=at))

    def close(self, session_hash: bytes, event: AccountEvent) -> None:
        with writing(self._engine) as connection:
            if connection.execute(delete(web_session).where(web_session.c.session_hash == session_hash)).rowcount:
                note(connection, event)

    def open_of(self, staff_id: str) -> Sequence[WebSession]:
        wanted = select(web_session).where(web_session.c.staff_id == staff_id)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(web_session.c.seen_at.desc(), web_session.c.session_hash)).mappings()
            return [WebSession(**row) for row in rows]
