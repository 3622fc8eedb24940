"""API keys, kept answers and the trail of both, for :mod:`cloud.ports.connect`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Engine, and_, insert, select, update

from cloud.adapters.sql.confirmations import confirm_in
from cloud.adapters.sql.tables import api_answer, api_key, connect_event, merchant, site, staff
from cloud.adapters.sql.transactions import insert_into, reading, writing
from cloud.ports.confirmations import Confirmed
from cloud.ports.connect import KEY_ROLE, ApiKey, ConfirmRequest, ConnectEvent, KeptAnswer, NewKey

_NOTHING: Final = "!"
"""No hash: nothing that is typed can be verified against it."""

_KEY = (
    select(
        api_key.c.key_id,
        staff.c.name,
        staff.c.merchant_id,
        merchant.c.merchant_category,
        staff.c.site_id,
        site.c.name.label("site_name"),
        api_key.c.prefix,
        api_key.c.scopes,
        staff.c.active,
        api_key.c.made_at,
        api_key.c.expires_at,
        api_key.c.used_at,
        api_key.c.revoked_at,
    )
    .join(staff, staff.c.staff_id == api_key.c.key_id)
    .join(merchant, merchant.c.merchant_id == staff.c.merchant_id)
    .join(site, site.c.site_id == staff.c.site_id)
)


def note(connection: Connection, event: ConnectEvent) -> None:
    """Append a line to the trail."""
    connection.execute(insert(connect_event).values(**asdict(event)))


class SqlKeyStore:
    """``KeyStore`` and ``ConfirmOnce`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, key: NewKey, event: ConnectEvent) -> None:
        account = {
            "staff_id": key.key_id,
            "merchant_id": key.merchant_id,
            "site_id": key.site_id,
            "door": KEY_ROLE,
            "login": key.key_id,
            "name": key.name,
            "role": KEY_ROLE,
            "password_hash": _NOTHING,
            "active": True,
        }
        row = {
            "key_id": key.key_id,
            "secret_hash": key.secret_hash,
            "prefix": key.prefix,
            "scopes": " ".join(sorted(key.scopes)),
            "made_at": key.made_at,
            "made_by": key.made_by,
            "expires_at": key.expires_at,
        }
        with writing(self._engine) as connection:
            connection.execute(insert(staff).values(**account))
            connection.execute(insert(api_key).values(**row))
            note(connection, event)

    def revoke(self, key_id: str, event: ConnectEvent) -> bool:
        which = and_(
            staff.c.staff_id == key_id, staff.c.merchant_id == event.merchant_id, staff.c.role == KEY_ROLE, staff.c.active
        )
        with writing(self._engine) as connection:
            if not connection.execute(update(staff).where(which).values(active=False)).rowcount:
                return False
            connection.execute(update(api_key).where(api_key.c.key_id == key_id).values(revoked_at=event.happened_at))
            note(connection, event)
        return True

    def find_by_hash(self, secret_hash: bytes) -> ApiKey | None:
        with reading(self._engine) as connection:
            row = connection.execute(_KEY.where(api_key.c.secret_hash == secret_hash)).mappings().one_or_none()
        return None if row is None else _key_of(row)

    def keys_of(self, merchant_id: str) -> Sequence[ApiKey]:
        wanted = _KEY.where(staff.c.merchant_id == merchant_id)
        wanted = wanted.order_by(staff.c.active.desc(), api_key.c.made_at.desc(), api_key.c.key_id)
        with reading(self._engine) as connection:
            return [_key_of(row) for row in connection.execute(wanted).mappings()]

    def used(self, key_id: str, at: datetime) -> None:
        with writing(self._engine) as connection:
            connection.execute(update(api_key).where(api_key.c.key_id == key_id).values(used_at=at))

    def events_of(self, merchant_id: str, *, limit: int) -> Sequence[ConnectEvent]:
        columns = [column for column in connect_event.c if column.name != "event_id"]
        wanted = select(*columns).where(connect_event.c.merchant_id == merchant_id)
        with reading(self._engine) as connection:
            rows = connection.execute(wanted.order_by(connect_event.c.event_id.desc()).limit(limit)).mappings()
            return [ConnectEvent(**row) for row in rows]

    def confirm_once(self, which: ConfirmRequest, *, encode: Callable[[Confirmed], bytes], now: datetime) -> KeptAnswer:
        with writing(self._engine) as connection:
            # The place is taken first: of two that send the same request at once, the second waits here for the first.
            taken = insert_into(connection, api_answer).values(
                key_id=which.key_id,
                request_hash=which.request_hash,
                body_hash=which.body_hash,
                answer=b"",
                answered_at=now,
            )
            mine = (api_answer.c.key_id == which.key_id) & (api_answer.c.request_hash == which.request_hash)
            if connection.execute(taken.on_conflict_do_nothing().returning(api_answer.c.key_id)).first() is None:
                row = connection.execute(select(api_answer.c.body_hash, api_answer.c.answer).where(mine)).one()
                return KeptAnswer(row.body_hash, row.answer)
            done = confirm_in(
                connection, which.redemption_ids, merchant_id=which.merchant_id, staff_id=which.key_id, confirmed_at=now
            )
            kept = KeptAnswer(which.body_hash, encode(done))
            connection.execute(update(api_answer).where(mine).values(answer=kept.answer))
        return kept


def _key_of(row: Any) -> ApiKey:
    return ApiKey(**{**row, "scopes": frozenset(row["scopes"].split())})
