"""Disputes in the database, for :mod:`cloud.ports.disputes`.

Whoever disputes takes the lock alone that everybody who confirms shares: a redemption is confirmed or disputed, never both. The
triggers of the tables hold the same for every other writer.
"""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Engine, and_, exists, insert, or_, select
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.tables import case_event, confirmation, dispute, dispute_end, redemption
from cloud.adapters.sql.transactions import Lock, take_lock, writing
from cloud.ports.disputes import Dispute, DisputeEnd, NotDisputed


def is_blocked() -> ColumnElement[bool]:
    """Tell of a redemption whether it is disputed now, or was set aside: it is not confirmed then."""
    return (
        exists()
        .select_from(dispute.outerjoin(dispute_end, dispute_end.c.redemption_id == dispute.c.redemption_id))
        .where(
            dispute.c.redemption_id == redemption.c.redemption_id,
            or_(dispute_end.c.outcome.is_(None), dispute_end.c.outcome == "set_aside"),
        )
        .correlate(redemption)
    )


class SqlDisputeStore:
    """``DisputeStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def open(self, wanted: Dispute) -> NotDisputed | None:
        try:
            with writing(self._engine) as connection:
                take_lock(connection, Lock.CONFIRM)
                problem = _problem(connection, wanted)
                if problem is None:
                    connection.execute(
                        insert(dispute).values(
                            redemption_id=wanted.redemption_id,
                            merchant_id=wanted.merchant_id,
                            reason=wanted.reason,
                            opened_by=wanted.by,
                            opened_at=wanted.at,
                        )
                    )
                return problem
        except IntegrityError:
            return "disputed_before"

    def end(self, wanted: DisputeEnd, *, merchant_id: str | None = None) -> bool:
        mine = dispute.c.redemption_id == wanted.redemption_id
        if merchant_id is not None:
            mine = and_(mine, dispute.c.merchant_id == merchant_id)
        ended = exists().where(dispute_end.c.redemption_id == dispute.c.redemption_id)
        with writing(self._engine) as connection:
            take_lock(connection, Lock.CONFIRM)
            if connection.execute(select(dispute.c.redemption_id).where(mine, ~ended)).first() is None:
                return False
            connection.execute(
                insert(dispute_end).values(
                    redemption_id=wanted.redemption_id,
                    outcome=wanted.outcome,
                    reason=wanted.reason,
                    ended_by=wanted.by,
                    ended_at=wanted.at,
                )
            )
            _close_case(connection, wanted.redemption_id, by=wanted.by, at=wanted.at, detail=wanted.reason)
        return True


def _problem(connection: Connection, wanted: Dispute) -> NotDisputed | None:
    is_its = and_(redemption.c.redemption_id == wanted.redemption_id, redemption.c.merchant_id == wanted.merchant_id)
    confirmed = exists().where(confirmation.c.redemption_id == redemption.c.redemption_id)
    before = exists().where(dispute.c.redemption_id == redemption.c.redemption_id)
    found = connection.execute(select(confirmed, before).select_from(redemption).where(is_its)).one_or_none()
    if found is None:
        return "unknown"
    is_confirmed, is_disputed = found
    return "confirmed" if is_confirmed else "disputed_before" if is_disputed else None


def _close_case(connection: Connection, redemption_id: UUID, *, by: str, at: datetime, detail: str) -> None:
    connection.execute(
        insert(case_event).values(
            case_kind="disputed",
            case_id=str(redemption_id),
            verb="resolve",
            by_staff_id=by,
            happened_at=at,
            detail=detail,
        )
    )
