"""Queries for the office's lists of applications and merchants, and for trails."""

from dataclasses import fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, and_, case, func, literal, or_, select

from cloud.adapters.sql.tables import (
    application,
    application_paper,
    merchant,
    merchant_event,
    payout_account_change,
    site,
    staff,
)
from cloud.domain.merchants import ApplicationState
from cloud.ports.merchants import (
    ROWS_PER_PAGE,
    AccountChange,
    ApplicationFilter,
    ApplicationRow,
    MerchantEvent,
    MerchantFilter,
    MerchantRow,
    PayoutAccount,
    Told,
)
from cloud.ports.people import OFFICE_DOOR


def find_applications(
    connection: Connection, wanted: ApplicationFilter, *, today: date, page_no: int
) -> tuple[list[ApplicationRow], int]:
    """One page of the queue, and how many rows it has."""
    state = _standing(today)
    which = application.c.state != "draft" if wanted.state is None else state == wanted.state
    which = and_(which, _matches(application.c.name_zh, application.c.ubn, wanted.search))
    if wanted.merchant_category:
        which = and_(which, application.c.merchant_category == wanted.merchant_category)
    papers = (
        select(func.count())
        .where(application_paper.c.application_id == application.c.application_id, application_paper.c.removed_at.is_(None))
        .scalar_subquery()
    )
    columns = [application.c[one.name] for one in fields(ApplicationRow) if one.name not in ("state", "paper_count")]
    # Who waits for the office comes first, whoever waits longest in front; then the rest, the latest in front.
    order = (
        application.c.state != "submitted",
        case((application.c.state == "submitted", application.c.submitted_at)),
        application.c.decided_at.desc(),
        application.c.application_id,
    )
    rows = select(*columns, state.label("state"), papers.label("paper_count")).where(which).order_by(*order)
    found = connection.execute(_page(rows, page_no)).mappings()
    return [ApplicationRow(**row) for row in found], _count(connection, select(func.count()).select_from(application), which)


def count_applications(connection: Connection, *, today: date) -> dict[ApplicationState, int]:
    """How many applications there are of each state."""
    state = _standing(today)
    rows = connection.execute(select(state, func.count()).group_by(state))
    return {row[0]: row[1] for row in rows}


def find_merchants(connection: Connection, wanted: MerchantFilter, *, page_no: int) -> tuple[list[MerchantRow], int]:
    """One page of the merchants, and how many there are."""
    which = _matches(merchant.c.name, merchant.c.ubn, wanted.search)
    if wanted.state is not None:
        which = and_(which, merchant.c.state == wanted.state)
    if wanted.merchant_category:
        which = and_(which, merchant.c.merchant_category == wanted.merchant_category)
    rows = connection.execute(
        _page(select(merchant).where(which).order_by(merchant.c.name, merchant.c.merchant_id), page_no)
    ).all()
    places: dict[str, list[str]] = {row.merchant_id: [] for row in rows}
    wanted_sites = select(site.c.merchant_id, site.c.name).where(site.c.merchant_id.in_(places)).order_by(site.c.name)
    for row in connection.execute(wanted_sites):
        places[row.merchant_id].append(row.name)
    found = [
        MerchantRow(
            row.merchant_id,
            row.name,
            row.ubn,
            row.merchant_category,
            row.state,
            tuple(places[row.merchant_id]),
            row.account_no is not None,
        )
        for row in rows
    ]
    return found, _count(connection, select(func.count()).select_from(merchant), which)


def find_account_changes(
    connection: Connection, *, merchant_id: str | None, since: datetime | None, limit: int
) -> list[AccountChange]:
    """Payout accounts that were named, newest first."""
    change = payout_account_change
    wanted = (
        select(change, merchant.c.name.label("merchant_name"), staff.c.name.label("by_name"))
        .join(merchant, merchant.c.merchant_id == change.c.merchant_id)
        .join(staff, staff.c.staff_id == change.c.by_staff_id)
        .order_by(change.c.change_id.desc())
        .limit(limit)
    )
    if merchant_id is not None:
        wanted = wanted.where(change.c.merchant_id == merchant_id)
    if since is not None:
        wanted = wanted.where(change.c.changed_at >= since)
    return [
        AccountChange(
            row.merchant_id,
            row.merchant_name,
            row.changed_at,
            row.by_name,
            PayoutAccount(row.bank_code, row.account_no, row.account_name, row.payee_id),
            replaces=row.replaces,
        )
        for row in connection.execute(wanted)
    ]


def find_trail(connection: Connection, *, application_id: UUID | None, merchant_id: str | None) -> list[Told]:
    """What was done, newest first, with the names of who did it."""
    columns = [merchant_event.c[one.name] for one in fields(MerchantEvent)]
    wanted = (
        select(*columns, staff.c.name.label("by_name"), staff.c.door)
        .outerjoin(staff, staff.c.staff_id == merchant_event.c.by_staff_id)
        .where(
            or_(
                and_(literal(application_id is not None), merchant_event.c.application_id == application_id),
                and_(literal(merchant_id is not None), merchant_event.c.merchant_id == merchant_id),
            )
        )
        .order_by(merchant_event.c.event_id.desc())
    )
    return [_told(row) for row in connection.execute(wanted).mappings()]


def _told(row: Any) -> Told:
    event = MerchantEvent(**{one.name: row[one.name] for one in fields(MerchantEvent)})
    return Told(event, row["by_name"] or row["by_staff_id"], row["door"] == OFFICE_DOOR)


def _standing(today: date) -> ColumnElement[Any]:
    """The rule of :func:`cloud.domain.merchants.standing`, in SQL."""
    over = (application.c.state == "returned") & (application.c.correct_by < today)
    return case((over, "lapsed"), else_=application.c.state)


def _matches(name: ColumnElement[str], ubn: ColumnElement[str], search: str) -> ColumnElement[bool]:
    return or_(name.icontains(search, autoescape=True), ubn.startswith(search, autoescape=True))


def _page(rows: Select[Any], page_no: int) -> Select[Any]:
    return rows.limit(ROWS_PER_PAGE).offset((page_no - 1) * ROWS_PER_PAGE)


def _count(connection: Connection, count: Select[Any], which: ColumnElement[bool]) -> int:
    return int(connection.scalar(count.where(which)) or 0)
