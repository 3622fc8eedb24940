"""What a merchant's programs read, for :mod:`cloud.ports.api_reports`.

Nothing is counted and no row is skipped by number: a list goes on behind the last row that was read, so its last page costs
what the first does.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Engine, FromClause, Select, and_, case, func, literal, select, tuple_

from cloud.adapters.sql.borders import is_claimed_in_range, is_its_claim
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    payout,
    payout_file,
    payout_outcome,
    programme,
    programme_merchant_category,
    redemption,
    settlement,
    settlement_range,
)
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import day_bounds
from cloud.ports.api_reports import (
    ApiClaim,
    ApiConfirmation,
    ApiPayout,
    ApiProgramme,
    ApiTransaction,
    Place,
    TransactionsWanted,
)


class SqlApiReports:
    """``ApiReports`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def transactions(self, wanted: TransactionsWanted, *, limit: int, after: Place | None) -> Sequence[ApiTransaction]:
        progress = claim_progress()
        keys = (redemption.c.redeemed_at, redemption.c.redemption_id)
        conditions = _conditions(wanted, progress)
        which = select(redemption.c.redemption_id).select_from(_asked(wanted, progress)).where(*conditions)
        which = _walked(which, keys, after, descending=not wanted.oldest_first).limit(limit)
        with reading(self._engine) as connection:
            # Which rows first, then everything about them: nothing but these is joined then, whatever a planner believes.
            page = redemption.c.redemption_id.in_(connection.scalars(which).all())
            shown = _walked(_transactions(progress).where(page), keys, None, descending=not wanted.oldest_first)
            return _read_transactions(connection, shown)

    def find_transaction(self, redemption_id: UUID, *, merchant_id: str) -> ApiTransaction | None:
        wanted = (redemption.c.redemption_id == redemption_id, redemption.c.merchant_id == merchant_id)
        with reading(self._engine) as connection:
            return next(iter(_read_transactions(connection, _transactions(claim_progress()).where(*wanted))), None)

    def confirmations(self, merchant_id: str, *, limit: int, after: Place | None) -> Sequence[ApiConfirmation]:
        columns = [confirmation.c[name] for name in ApiConfirmation.__slots__]
        query = select(*columns).where(confirmation.c.merchant_id == merchant_id)
        query = query.order_by(confirmation.c.confirmation_no).limit(limit)
        if after is not None:
            # The number alone is unique.
            query = query.where(confirmation.c.confirmation_no > _number(after))
        with reading(self._engine) as connection:
            return [ApiConfirmation(**row) for row in connection.execute(query).mappings()]

    def claims(self, merchant_id: str, *, limit: int, after: Place | None) -> Sequence[ApiClaim]:
        query = _walked(_claims(merchant_id), (claim.c.period_starts_on, claim.c.claim_id), after, descending=True)
        with reading(self._engine) as connection:
            return [ApiClaim(**row) for row in connection.execute(query.limit(limit)).mappings()]

    def find_claim(self, claim_id: UUID, *, merchant_id: str) -> ApiClaim | None:
        query = _claims(merchant_id).where(claim.c.claim_id == claim_id)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else ApiClaim(**row)

    def payouts(self, merchant_id: str, *, claim_id: UUID | None, limit: int, after: Place | None) -> Sequence[ApiPayout]:
        query = (
            select(
                payout.c.payout_id,
                payout.c.claim_id,
                payout.c.attempt,
                payout.c.amount_twd,
                payout_file.c.made_at.label("sent_at"),
                payout_file.c.value_date,
                func.coalesce(payout_outcome.c.state, "sent").label("state"),
                payout_outcome.c.known_at,
                payout_outcome.c.return_code,
            )
            .join(claim, claim.c.claim_id == payout.c.claim_id)
            .join(payout_file, payout_file.c.file_id == payout.c.file_id)
            .outerjoin(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
            .where(claim.c.merchant_id == merchant_id)
        )
        if claim_id is not None:
            query = query.where(claim.c.claim_id == claim_id)
        query = _walked(query, (payout_file.c.made_at, payout.c.payout_id), after, descending=True).limit(limit)
        with reading(self._engine) as connection:
            return [ApiPayout(**row) for row in connection.execute(query).mappings()]

    def programmes(self, merchant_category: str) -> Sequence[ApiProgramme]:
        columns = [programme.c[name] for name in ApiProgramme.__slots__]
        query = (
            select(*columns)
            .join(programme_merchant_category, programme_merchant_category.c.programme_id == programme.c.programme_id)
            .where(programme_merchant_category.c.merchant_category == merchant_category)
            .order_by(programme.c.programme_id)
        )
        with reading(self._engine) as connection:
            return [ApiProgramme(**row) for row in connection.execute(query).mappings()]


def _number(place: Place) -> int:
    number = place[0]
    assert isinstance(number, int), "confirmations are placed by their number"
    return number


def _walked(query: Select[Any], keys: tuple[Column[Any], Column[Any]], after: Place | None, *, descending: bool) -> Select[Any]:
    """Sort by the keys, and begin behind a place."""
    if after is not None:
        there = tuple_(literal(after[0], keys[0].type), literal(after[1], keys[1].type))
        here = tuple_(*keys)
        query = query.where(here < there if descending else here > there)
    return query.order_by(*(key.desc() if descending else key.asc() for key in keys))


def _claims(merchant_id: str) -> Select[Any]:
    progress = claim_progress()
    return (
        select(
            claim.c.claim_id,
            claim.c.period_starts_on,
            settlement.c.closed_at,
            claim.c.programme_id,
            claim.c.redemption_count,
            claim.c.voucher_count,
            claim.c.amount_twd,
            (claim.c.amount_twd - progress.c.payable_twd).label("set_off_twd"),
            progress.c.payable_twd,
            progress.c.state,
            progress.c.return_code,
        )
        .join(settlement, settlement.c.period_starts_on == claim.c.period_starts_on)
        .join(progress, progress.c.claim_id == claim.c.claim_id)
        .where(claim.c.merchant_id == merchant_id)
    )


def _progressing(progress: FromClause) -> FromClause:
    """Each redemption with its confirmation, claim and progress, where it has them."""
    return (
        redemption.outerjoin(confirmation, confirmation.c.redemption_id == redemption.c.redemption_id)
        .outerjoin(settlement_range, is_claimed_in_range())
        .outerjoin(claim, is_its_claim())
        .outerjoin(progress, progress.c.claim_id == claim.c.claim_id)
    )


def _asked(wanted: TransactionsWanted, progress: FromClause) -> FromClause:
    """Redemptions with no more tables than the conditions name."""
    if wanted.state is None and wanted.claim_id is None:
        return redemption
    if wanted.state == "unconfirmed" and wanted.claim_id is None:
        return redemption.outerjoin(confirmation, confirmation.c.redemption_id == redemption.c.redemption_id)
    return _progressing(progress)


def _transactions(progress: FromClause) -> Select[Any]:
    columns = [redemption.c[name] for name in ApiTransaction.__slots__ if name in redemption.c]
    state = case(
        (progress.c.state.is_not(None), progress.c.state),
        (confirmation.c.redemption_id.is_not(None), "confirmed"),
        else_="unconfirmed",
    )
    what = select(*columns, state.label("state"), confirmation.c.confirmed_at, claim.c.claim_id)
    return what.select_from(_progressing(progress))


def _conditions(wanted: TransactionsWanted, progress: FromClause) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [redemption.c.merchant_id == wanted.merchant_id]
    match wanted.state:
        case None:
            pass
        case "unconfirmed":
            conditions.append(confirmation.c.redemption_id.is_(None))
        case "confirmed":
            conditions.append(and_(confirmation.c.redemption_id.is_not(None), claim.c.claim_id.is_(None)))
        case state:
            conditions.append(progress.c.state == state)
    if wanted.first_day is not None:
        conditions.append(redemption.c.redeemed_at >= day_bounds(wanted.first_day)[0])
    if wanted.last_day is not None:
        conditions.append(redemption.c.redeemed_at < day_bounds(wanted.last_day)[1])
    if wanted.claim_id is not None:
        conditions.append(claim.c.claim_id == wanted.claim_id)
    return conditions


def _read_transactions(connection: Connection, query: Select[Any]) -> list[ApiTransaction]:
    rows = connection.execute(query).mappings()
    return [ApiTransaction(**{**row, "voucher_nos": tuple(row["voucher_nos"].split())}) for row in rows]
