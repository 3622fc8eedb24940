"""The exceptions queue from the facts that are there, for :mod:`cloud.ports.cases`."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, get_args
from uuid import UUID

from sqlalchemy import Connection, Engine, Select, String, and_, cast, exists, func, insert, select
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.tables import (
    case_event,
    claim,
    device,
    device_presence,
    dispute,
    dispute_end,
    merchant,
    parked_message,
    payout,
    payout_outcome,
    redemption,
    staff,
)
from cloud.adapters.sql.transactions import reading, writing
from cloud.ports.cases import Case, CaseEvent, CaseKind

_KINDS: Final[tuple[CaseKind, ...]] = get_args(CaseKind)


class SqlCaseStore:
    """``CaseStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open_cases(self, kind: CaseKind | None = None, *, limit: int) -> Sequence[Case]:
        kinds = _KINDS if kind is None else (kind,)
        with reading(self._engine) as connection:
            found = [case for one in kinds for case in _read(connection, one, _SOURCES[one](), limit)]
        return sorted(found, key=lambda case: (case.since, case.kind, case.case_id))[:limit]

    def find_case(self, kind: CaseKind, case_id: str) -> Case | None:
        source = _SOURCES[kind]().subquery("source")
        try:
            typed: Any = UUID(case_id) if kind in ("disputed", "returned") else int(case_id) if kind == "parked" else case_id
        except ValueError:
            return None
        with reading(self._engine) as connection:
            found = _read(connection, kind, select(source).where(source.c.case_id == typed), 1)
        return found[0] if found else None

    def trail(self, kind: CaseKind, case_id: str) -> Sequence[CaseEvent]:
        wanted = (
            select(case_event, func.coalesce(staff.c.name, case_event.c.by_staff_id).label("by"))
            .outerjoin(staff, staff.c.staff_id == case_event.c.by_staff_id)
            .where(case_event.c.case_kind == kind, case_event.c.case_id == case_id)
            .order_by(case_event.c.event_id)
        )
        with reading(self._engine) as connection:
            rows = connection.execute(wanted).all()
        return [CaseEvent(kind, case_id, row.verb, row.by, row.happened_at, row.detail) for row in rows]

    def add(self, event: CaseEvent) -> bool:
        try:
            with writing(self._engine) as connection:
                connection.execute(
                    insert(case_event).values(
                        case_kind=event.kind,
                        case_id=event.case_id,
                        verb=event.verb,
                        by_staff_id=event.by,
                        happened_at=event.at,
                        detail=event.detail,
                    )
                )
        except IntegrityError:
            return False
        return True


def _read(connection: Connection, kind: CaseKind, source: Select[Any], limit: int) -> list[Case]:
    rows = [dict(row) for row in connection.execute(source.limit(limit)).mappings()]
    owners = _owners(connection, kind, [str(row["case_id"]) for row in rows])
    return [
        Case(
            kind=kind,
            case_id=str(row["case_id"]),
            since=row["since"],
            subject=row["subject"],
            about=row["about"] or "",
            count=row.get("count", 1),
            amount_twd=row.get("amount_twd"),
            owner_id=owners.get(str(row["case_id"]), (None, None))[0],
            owner=owners.get(str(row["case_id"]), (None, None))[1],
            link_id=str(row.get("link_id", "")),
        )
        for row in rows
    ]


def _owners(connection: Connection, kind: CaseKind, case_ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """Who took each case last and did not leave it."""
    wanted = (
        select(
            case_event.c.case_id,
            case_event.c.verb,
            case_event.c.by_staff_id,
            func.coalesce(staff.c.name, case_event.c.by_staff_id).label("name"),
        )
        .outerjoin(staff, staff.c.staff_id == case_event.c.by_staff_id)
        .where(
            case_event.c.case_kind == kind,
            case_event.c.case_id.in_(case_ids),
            case_event.c.verb.in_(("take", "leave")),
        )
        .order_by(case_event.c.event_id)
    )
    owners: dict[str, tuple[str, str]] = {}
    for row in connection.execute(wanted):
        if row.verb == "take":
            owners[row.case_id] = (row.by_staff_id, row.name)
        else:
            owners.pop(row.case_id, None)
    return owners


def _disputed() -> Select[Any]:
    ended = exists().where(dispute_end.c.redemption_id == dispute.c.redemption_id)
    return (
        select(
            dispute.c.redemption_id.label("case_id"),
            dispute.c.opened_at.label("since"),
            merchant.c.name.label("subject"),
            dispute.c.reason.label("about"),
            redemption.c.redeemed_twd.label("amount_twd"),
            dispute.c.redemption_id.label("link_id"),
        )
        .join(redemption, redemption.c.redemption_id == dispute.c.redemption_id)
        .join(merchant, merchant.c.merchant_id == dispute.c.merchant_id)
        .where(~ended)
        .order_by(dispute.c.opened_at)
    )


def _returned() -> Select[Any]:
    newer = payout.alias("newer")
    return (
        select(
            payout.c.payout_id.label("case_id"),
            payout_outcome.c.known_at.label("since"),
            merchant.c.name.label("subject"),
            payout_outcome.c.return_code.label("about"),
            payout.c.amount_twd,
            payout.c.claim_id.label("link_id"),
        )
        .join(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .join(claim, claim.c.claim_id == payout.c.claim_id)
        .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
        .where(
            payout_outcome.c.state == "returned",
            ~exists().where(newer.c.claim_id == payout.c.claim_id, newer.c.attempt > payout.c.attempt),
        )
        .order_by(payout_outcome.c.known_at)
    )


def _pending() -> Select[Any]:
    return (
        select(
            device.c.device_id.label("case_id"),
            device_presence.c.seen_at.label("since"),
            device.c.device_id.label("subject"),
            device_presence.c.state.label("about"),
            device_presence.c.pending.label("count"),
            device.c.device_id.label("link_id"),
        )
        .join(device_presence, device_presence.c.device_id == device.c.device_id)
        .where(device.c.state == "active", device_presence.c.pending > 0)
        .order_by(device_presence.c.seen_at)
    )


def select_parked() -> Select[Any]:
    """Messages that nobody has closed."""
    resolved = exists().where(
        and_(
            case_event.c.case_kind == "parked",
            case_event.c.verb == "resolve",
            case_event.c.case_id == cast(parked_message.c.parked_id, String),
        )
    )
    return (
        select(
            parked_message.c.parked_id.label("case_id"),
            parked_message.c.parked_at.label("since"),
            parked_message.c.topic.label("subject"),
            parked_message.c.problem.label("about"),
        )
        .where(~resolved)
        .order_by(parked_message.c.parked_id)
    )


_SOURCES: Final = {"disputed": _disputed, "returned": _returned, "pending": _pending, "parked": select_parked}
