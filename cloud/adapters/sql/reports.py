"""The read side of the pages, for :mod:`cloud.ports.reports`. Every method sees one moment of the database."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Connection, Engine, and_, case, exists, func, select

from cloud.adapters.sql.borders import find_last_border, is_unclaimed_after
from cloud.adapters.sql.disputing import is_blocked
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.report_overviews import read_days, read_office_overview, read_programme_uses
from cloud.adapters.sql.report_trail import find_trail
from cloud.adapters.sql.report_transactions import find_transaction, find_transactions, walk_transactions
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    device,
    device_presence,
    issue_batch,
    merchant,
    programme,
    redemption,
    redemption_line,
    settlement,
    site,
    voucher,
)
from cloud.adapters.sql.totals import read_totals
from cloud.adapters.sql.transactions import reading
from cloud.domain.calendar import day_bounds, day_of
from cloud.ports.reports import (
    NEWEST_FIRST,
    ClaimRow,
    DayAmount,
    DeviceRow,
    IssueRow,
    Mark,
    OfficeOverview,
    Order,
    Overview,
    ProgrammeUse,
    SettlementRow,
    Totals,
    TransactionFilter,
    TransactionPage,
    TransactionRow,
    TransactionTrail,
)


class SqlReports:
    """``Reports`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def find_transactions(
        self, wanted: TransactionFilter, *, page_size: int, order: Order = NEWEST_FIRST, mark: Mark | None = None
    ) -> TransactionPage:
        with reading(self._engine) as connection:
            return find_transactions(connection, wanted, page_size=page_size, order=order, mark=mark)

    def walk_transactions(self, wanted: TransactionFilter) -> Iterator[TransactionRow]:
        return walk_transactions(self._engine, wanted)

    def find_transaction(self, redemption_id: UUID, *, merchant_id: str) -> TransactionRow | None:
        with reading(self._engine) as connection:
            return find_transaction(connection, redemption_id, merchant_id=merchant_id)

    def find_trail(self, redemption_id: UUID, *, merchant_id: str) -> TransactionTrail | None:
        with reading(self._engine) as connection:
            return find_trail(connection, redemption_id, merchant_id=merchant_id)

    def claims(self, *, merchant_id: str, period_starts_on: date | None = None) -> Sequence[ClaimRow]:
        progress = claim_progress()
        wanted = (
            select(
                claim.c.claim_id,
                claim.c.period_starts_on,
                programme.c.name_zh.label("programme_name_zh"),
                programme.c.name_en.label("programme_name_en"),
                claim.c.redemption_count,
                claim.c.voucher_count,
                claim.c.amount_twd,
                progress.c.state,
                progress.c.return_code,
                progress.c.file_no,
                (claim.c.amount_twd - progress.c.payable_twd).label("set_off_twd"),
            )
            .join(programme, programme.c.programme_id == claim.c.programme_id)
            .join(progress, progress.c.claim_id == claim.c.claim_id)
            .where(claim.c.merchant_id == merchant_id)
            .order_by(claim.c.period_starts_on.desc(), claim.c.programme_id)
        )
        if period_starts_on is not None:
            wanted = wanted.where(claim.c.period_starts_on == period_starts_on)
        with reading(self._engine) as connection:
            return [ClaimRow(**row) for row in connection.execute(wanted).mappings()]

    def overview(self, *, merchant_id: str, now: datetime) -> Overview:
        with reading(self._engine) as connection:
            return _overview(connection, merchant_id, now)

    def days(self, *, merchant_id: str, first_day: date, last_day: date) -> Sequence[DayAmount]:
        with reading(self._engine) as connection:
            return read_days(connection, merchant_id, first_day, last_day)

    def office_overview(self, *, now: datetime) -> OfficeOverview:
        with reading(self._engine) as connection:
            return read_office_overview(connection, now)

    def programme_uses(self) -> Sequence[ProgrammeUse]:
        with reading(self._engine) as connection:
            return read_programme_uses(connection)

    def devices(self, *, merchant_id: str | None = None) -> Sequence[DeviceRow]:
        wanted = (
            select(
                device.c.device_id,
                site.c.name.label("site_name"),
                merchant.c.name.label("merchant_name"),
                device.c.state,
                func.coalesce(device_presence.c.state, "never").label("presence"),
                device_presence.c.seen_at,
                func.coalesce(device_presence.c.pending, 0).label("pending"),
                device.c.enrolled_at,
                device.c.site_id,
            )
            .join(site, site.c.site_id == device.c.site_id)
            .join(merchant, merchant.c.merchant_id == site.c.merchant_id)
            .outerjoin(device_presence, device_presence.c.device_id == device.c.device_id)
            .order_by(merchant.c.name, site.c.name, device.c.device_id)
        )
        if merchant_id is not None:
            wanted = wanted.where(site.c.merchant_id == merchant_id)
        with reading(self._engine) as connection:
            return [DeviceRow(**row) for row in connection.execute(wanted).mappings()]

    def issues(self) -> Sequence[IssueRow]:
        redeemed = (
            select(voucher.c.issue_id, func.count().label("redeemed_count"))
            .join(redemption_line, redemption_line.c.voucher_no == voucher.c.voucher_no)
            .group_by(voucher.c.issue_id)
            .subquery("redeemed")
        )
        wanted = (
            select(
                issue_batch.c.issue_id,
                issue_batch.c.programme_id,
                programme.c.name_zh.label("programme_name_zh"),
                programme.c.name_en.label("programme_name_en"),
                issue_batch.c.issued_at,
                issue_batch.c.voucher_count,
                func.coalesce(redeemed.c.redeemed_count, 0).label("redeemed_count"),
            )
            .join(programme, programme.c.programme_id == issue_batch.c.programme_id)
            .outerjoin(redeemed, redeemed.c.issue_id == issue_batch.c.issue_id)
            .order_by(issue_batch.c.issued_at.desc(), issue_batch.c.issue_id)
        )
        with reading(self._engine) as connection:
            return [IssueRow(**row) for row in connection.execute(wanted).mappings()]

    def settlements(self) -> Sequence[SettlementRow]:
        progress = claim_progress()
        sums = {
            f"{state}_twd": func.coalesce(func.sum(case((progress.c.state == state, progress.c.payable_twd), else_=0)), 0)
            for state in ("sent", "paid", "returned")
        }
        wanted = (
            select(settlement, *(amount.label(name) for name, amount in sums.items()))
            .outerjoin(claim, claim.c.period_starts_on == settlement.c.period_starts_on)
            .outerjoin(progress, progress.c.claim_id == claim.c.claim_id)
            .group_by(*settlement.c)
            .order_by(settlement.c.period_starts_on.desc())
        )
        with reading(self._engine) as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        # PostgreSQL sums bigint as numeric: back to whole dollars.
        return [SettlementRow(**(row | {name: int(row[name]) for name in sums})) for row in rows]

    def totals(self) -> Totals:
        with reading(self._engine) as connection:
            return read_totals(connection)


def _overview(connection: Connection, merchant_id: str, now: datetime) -> Overview:
    start, end = day_bounds(day_of(now))
    today = and_(redemption.c.redeemed_at >= start, redemption.c.redeemed_at < end)
    is_confirmed = exists().where(confirmation.c.redemption_id == redemption.c.redemption_id)
    mine = redemption.c.merchant_id == merchant_id
    sums = select(func.count(), func.coalesce(func.sum(redemption.c.redeemed_twd), 0))
    today_count, today_twd = connection.execute(sums.where(mine, today)).one()
    waiting_count, waiting_twd = connection.execute(sums.where(mine, ~is_confirmed, ~is_blocked())).one()
    unclaimed = (confirmation.c.merchant_id == merchant_id, is_unclaimed_after(find_last_border(connection)))
    next_twd = connection.scalar(select(func.sum(confirmation.c.amount_twd)).where(*unclaimed))
    not_online = (
        select(func.count())
        .select_from(device)
        .join(site, site.c.site_id == device.c.site_id)
        .outerjoin(device_presence, device_presence.c.device_id == device.c.device_id)
        .where(site.c.merchant_id == merchant_id, device.c.state == "active")
        .where(func.coalesce(device_presence.c.state, "never") != "online")
    )
    return Overview(
        today_count=today_count,
        today_twd=int(today_twd),
        unconfirmed_count=waiting_count,
        unconfirmed_twd=int(waiting_twd),
        next_claim_twd=int(next_twd or 0),
        devices_not_online=int(connection.scalar(not_online) or 0),
    )
