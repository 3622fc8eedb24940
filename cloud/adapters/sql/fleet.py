"""The kiosks in the database, for :mod:`cloud.ports.fleet`."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Connection, Engine, Select, insert, select, update

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.engine import for_reading
from cloud.adapters.sql.failures import translated
from cloud.adapters.sql.tables import claim_code, device, device_presence, item_category, merchant, site
from cloud.domain.audit import make_fact
from cloud.ports.fleet import (
    ClaimCode,
    ClaimedSite,
    DeviceStateName,
    DuplicateDeviceError,
    EnrolledDevice,
    NewDevice,
    Presence,
)
from cloud.ports.ingest import ConflictError
from protocol.enrolment import ItemCategory
from protocol.errors import PortError

_ACTIONS = {"active": "kiosk.activated", "suspended": "kiosk.suspended", "revoked": "kiosk.revoked"}
_DEVICES_PER_QUERY_MAX = 500
"""SQLite takes a limited number of parameters per statement."""


class SqlFleet:
    """``Fleet`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        # Reads of their own: on SQLite a writing transaction would wait for the ingest worker's.
        self._reading = for_reading(engine)

    def has_site(self, site_id: str) -> bool:
        with _transaction(self._reading) as connection:
            return connection.execute(select(site.c.site_id).where(site.c.site_id == site_id)).first() is not None

    def add_claim_code(self, code: ClaimCode) -> None:
        with _transaction(self._writing) as connection:
            connection.execute(
                insert(claim_code).values(
                    code_hash=code.code_hash,
                    site_id=code.site_id,
                    made_at=code.made_at,
                    made_by=code.made_by,
                    expires_at=code.expires_at,
                )
            )
            SqlAuditLog(connection).append(make_fact(code.made_by, "kiosk.code_made", code.site_id, code.made_at))

    def find_claimed_site(self, code_hash: bytes, *, now: datetime) -> ClaimedSite | None:
        usable = (claim_code.c.code_hash == code_hash) & claim_code.c.device_id.is_(None) & (claim_code.c.expires_at > now)
        with _transaction(self._reading) as connection:
            found = connection.execute(
                select(site.c.site_id, site.c.name, merchant.c.merchant_category)
                .join_from(claim_code, site, claim_code.c.site_id == site.c.site_id)
                .join(merchant, site.c.merchant_id == merchant.c.merchant_id)
                .where(usable)
            ).one_or_none()
            if found is None:
                return None
            rows = connection.execute(_items_of(found.merchant_category)).all()
        items = [
            ItemCategory(
                code=row.item_category,
                names={"zh-Hant-TW": row.name_zh, "en": row.name_en, "ja": row.name_ja, "ko": row.name_ko},
            )
            for row in rows
        ]
        return ClaimedSite(found.site_id, found.name, items)

    def enrol(self, code_hash: bytes, device_: NewDevice) -> bool:
        # One statement judges: of two kiosks with the same code at the same moment, one updates a row and the other none.
        use_up = (
            update(claim_code)
            .where(
                claim_code.c.code_hash == code_hash,
                claim_code.c.device_id.is_(None),
                claim_code.c.expires_at > device_.enrolled_at,
            )
            .values(device_id=device_.device_id)
            .returning(claim_code.c.site_id)
        )
        try:
            with _transaction(self._writing) as connection:
                site_id = connection.execute(use_up).scalar_one_or_none()
                if site_id is None:
                    return False
                connection.execute(insert(device).values(**_row(device_), site_id=site_id))
        except ConflictError as problem:
            raise DuplicateDeviceError(device_.device_id) from problem
        return True

    def find_devices(self, device_ids: Collection[str]) -> Mapping[str, EnrolledDevice]:
        wanted = sorted(device_ids)
        found: dict[str, EnrolledDevice] = {}
        with _transaction(self._reading) as connection:
            for start in range(0, len(wanted), _DEVICES_PER_QUERY_MAX):
                some = wanted[start : start + _DEVICES_PER_QUERY_MAX]
                query = select(device.c.device_id, device.c.site_id, device.c.seal_public).where(device.c.device_id.in_(some))
                for row in connection.execute(query):
                    found[row.device_id] = EnrolledDevice(row.device_id, row.site_id, row.seal_public)
        return found

    def set_state(self, device_id: str, state: DeviceStateName, *, by: str, reason: str, now: datetime) -> bool:
        before = select(device.c.state).where(device.c.device_id == device_id)
        statement = (
            update(device)
            .where(device.c.device_id == device_id, device.c.state != "revoked")
            .values(state=state, state_changed_at=now, state_reason=reason)
        )
        with _transaction(self._writing) as connection:
            old = connection.scalar(before)
            changed = connection.execute(statement).rowcount == 1
            if changed:
                # The reason stands with the kiosk: it is somebody's own words, and the log is kept for ever.
                change = make_fact(by, _ACTIONS[state], device_id, now, before={"state": old}, after={"state": state})
                SqlAuditLog(connection).append(change)
            return changed

    def revoked_certificate_serials(self) -> Sequence[str]:
        query = select(device.c.certificate_serial).where(device.c.state == "revoked").order_by(device.c.certificate_serial)
        with _transaction(self._reading) as connection:
            return list(connection.scalars(query))

    def record_presence(self, presences: Iterable[Presence]) -> None:
        latest = {presence.device_id: presence for presence in presences}
        if not latest:
            return
        known = self.find_devices(latest)
        try:
            with _transaction(self._writing) as connection:
                for device_id in sorted(known):
                    _write_presence(connection, latest[device_id])
        except ConflictError as problem:
            raise PortError("another worker wrote the same presence", retry=True) from problem


@contextmanager
def _transaction(engine: Engine) -> Iterator[Connection]:
    with translated(), engine.begin() as connection:
        yield connection


def _write_presence(connection: Connection, presence: Presence) -> None:
    values = {"state": presence.state, "version": presence.version, "pending": presence.pending, "seen_at": presence.seen_at}
    if presence.remembered:
        # The broker repeats what it keeps whenever somebody subscribes: old news must not look like a sign of life.
        row = connection.execute(
            select(device_presence.c.state).where(device_presence.c.device_id == presence.device_id)
        ).one_or_none()
        if row is not None and row.state == presence.state:
            return
    statement = update(device_presence).where(device_presence.c.device_id == presence.device_id).values(**values)
    if connection.execute(statement).rowcount == 0:
        connection.execute(insert(device_presence).values(device_id=presence.device_id, **values))


def _items_of(merchant_category: str) -> Select[tuple[str, str, str, str, str]]:
    return (
        select(
            item_category.c.item_category,
            item_category.c.name_zh,
            item_category.c.name_en,
            item_category.c.name_ja,
            item_category.c.name_ko,
        )
        .where(item_category.c.merchant_category == merchant_category)
        .order_by(item_category.c.position, item_category.c.item_category)
    )


def _row(new: NewDevice) -> dict[str, object]:
    return {
        "device_id": new.device_id,
        "state": "active",
        "serial": new.serial,
        "seal_public": new.seal_public,
        "certificate_serial": new.certificate_serial,
        "certificate_pem": new.certificate_pem,
        "enrolled_at": new.enrolled_at,
        "state_changed_at": new.enrolled_at,
    }
