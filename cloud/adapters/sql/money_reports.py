"""The read side of the pages about money, for :mod:`cloud.ports.money_reports`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Select, and_, case, func, select

from cloud.adapters.sql.borders import find_last_border
from cloud.adapters.sql.payouts import select_payables
from cloud.adapters.sql.progress import claim_progress
from cloud.adapters.sql.report_trail import find_payouts
from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    device,
    merchant,
    pay_run,
    pay_run_end,
    pay_run_line,
    payout,
    payout_file,
    programme,
    redemption,
    settlement,
    site,
    staff,
)
from cloud.adapters.sql.transactions import reading
from cloud.ports.money_reports import (
    ClaimDetail,
    PaidTo,
    PayRunLine,
    PayRunRow,
    PayState,
    Taker,
    ToPay,
    Undoable,
    WeekClaim,
    WeekClaims,
)
from cloud.ports.reports import ClaimRow


class SqlMoneyReports:
    """``MoneyReports`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def undoable(self, merchant_id: str, *, since: datetime) -> Sequence[Undoable]:
        mine = confirmation.c.merchant_id == merchant_id
        # Backwards over the merchant's numbers and no further than the first that is too old: the newest have the highest.
        older = (
            select(confirmation.c.confirmation_no)
            .where(mine, confirmation.c.confirmed_at < since)
            .order_by(confirmation.c.confirmation_no.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            border = find_last_border(connection)
            seen_no = max(border.through_no if border else 0, connection.scalar(older) or 0)
            found = connection.execute(
                select(
                    confirmation.c.confirmed_at,
                    func.coalesce(func.max(staff.c.name), func.max(confirmation.c.staff_id)).label("by"),
                    func.count().label("redemption_count"),
                    func.sum(confirmation.c.voucher_count).label("voucher_count"),
                    func.sum(confirmation.c.amount_twd).label("amount_twd"),
                )
                .outerjoin(staff, staff.c.staff_id == confirmation.c.staff_id)
                .where(mine, confirmation.c.confirmation_no > seen_no, confirmation.c.confirmed_at >= since)
                .group_by(confirmation.c.confirmed_at)
                .order_by(confirmation.c.confirmed_at.desc())
            ).all()
        return [
            Undoable(row.confirmed_at, row.by, row.redemption_count, int(row.voucher_count), int(row.amount_twd))
            for row in found
        ]

    def takers(self, merchant_id: str) -> Sequence[Taker]:
        people = (
            select(staff.c.staff_id, staff.c.name)
            .where(staff.c.merchant_id == merchant_id, staff.c.role == "scan_staff")
            .order_by(staff.c.name, staff.c.staff_id)
        )
        kiosks = (
            select(device.c.device_id, device.c.device_id)
            .join(site, site.c.site_id == device.c.site_id)
            .where(site.c.merchant_id == merchant_id)
            .order_by(device.c.device_id)
        )
        with reading(self._engine) as connection:
            return [Taker(*row) for wanted in (people, kiosks) for row in connection.execute(wanted)]

    def find_claim(self, claim_id: UUID, *, merchant_id: str | None) -> ClaimDetail | None:
        wanted = _claims().add_columns(
            claim.c.merchant_id,
            merchant.c.name.label("merchant_name"),
            merchant.c.ubn,
            merchant.c.bank_code,
            merchant.c.account_no,
            settlement.c.closed_at,
        )
        wanted = wanted.join(settlement, settlement.c.period_starts_on == claim.c.period_starts_on)
        wanted = wanted.where(claim.c.claim_id == claim_id)
        if merchant_id is not None:
            wanted = wanted.where(claim.c.merchant_id == merchant_id)
        newest = (
            select(payout.c.bank_code, payout.c.account_no)
            .where(payout.c.claim_id == claim_id)
            .order_by(payout.c.attempt.desc())
            .limit(1)
        )
        with reading(self._engine) as connection:
            found = connection.execute(wanted).mappings().one_or_none()
            if found is None:
                return None
            row = {name: value for name, value in found.items() if name != "file_no"}
            sent = connection.execute(newest).mappings().one_or_none()
            return ClaimDetail(**(row | dict(sent or {})), payouts=find_payouts(connection, claim_id))

    def merchant_of(self, redemption_id: UUID) -> str | None:
        wanted = select(redemption.c.merchant_id).where(redemption.c.redemption_id == redemption_id)
        with reading(self._engine) as connection:
            found: str | None = connection.scalar(wanted)
        return found

    def week_claims(self, period_starts_on: date, *, state: PayState | None, after: UUID | None, limit: int) -> WeekClaims:
        conditions: list[Any] = [claim.c.period_starts_on == period_starts_on]
        progress = claim_progress()
        if state is not None:
            conditions.append(progress.c.state == state)
        sums = (
            select(
                func.count(), func.sum(claim.c.voucher_count), func.sum(claim.c.amount_twd), func.sum(progress.c.payable_twd)
            )
            .select_from(claim)
            .join(progress, progress.c.claim_id == claim.c.claim_id)
            .where(*conditions)
        )
        rows = _claims(progress).add_columns(claim.c.merchant_id, merchant.c.name.label("merchant_name")).where(*conditions)
        if after is not None:
            rows = rows.where(claim.c.claim_id > after)
        with reading(self._engine) as connection:
            count, vouchers, amount, payable = connection.execute(sums).one()
            found = [dict(row) for row in connection.execute(rows.order_by(claim.c.claim_id).limit(limit)).mappings()]
        listed = [
            WeekClaim(merchant_id=row.pop("merchant_id"), merchant_name=row.pop("merchant_name"), claim=ClaimRow(**row))
            for row in found
        ]
        return WeekClaims(listed, int(count), int(vouchers or 0), int(amount or 0), int(amount or 0) - int(payable or 0))

    def to_pay(self) -> ToPay:
        payable = select_payables().subquery("payable")
        unmended = payable.c.is_unmended
        sums = select(
            func.count(case((~unmended, 1))),
            func.sum(case((~unmended, payable.c.amount_twd), else_=0)),
            func.count(case((unmended, 1))),
            func.sum(case((unmended, payable.c.amount_twd), else_=0)),
        )
        progress = claim_progress()
        account = (merchant.c.bank_code, merchant.c.account_no, merchant.c.account_name, merchant.c.payee_id)
        is_whole = and_(*(column.is_not(None) for column in account))
        unknown = (
            select(func.count(), func.sum(progress.c.payable_twd))
            .select_from(claim)
            .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
            .join(progress, progress.c.claim_id == claim.c.claim_id)
            .where(~is_whole, progress.c.state.in_(("claimed", "returned")))
        )
        with reading(self._engine) as connection:
            found = [*connection.execute(sums).one(), *connection.execute(unknown).one()]
        return ToPay(*(int(value or 0) for value in found))

    def pay_runs(self, *, limit: int) -> Sequence[PayRunRow]:
        with reading(self._engine) as connection:
            rows = connection.execute(_runs().order_by(pay_run.c.run_no.desc()).limit(limit)).mappings()
            return [PayRunRow(**row) for row in rows]

    def find_pay_run(self, run_id: UUID) -> PayRunRow | None:
        with reading(self._engine) as connection:
            found = connection.execute(_runs().where(pay_run.c.run_id == run_id)).mappings().one_or_none()
        return None if found is None else PayRunRow(**found)

    def pay_run_lines(self, run_id: UUID, *, after: int, limit: int) -> Sequence[PayRunLine]:
        wanted = (
            select(
                pay_run_line.c.line_no,
                pay_run_line.c.claim_id,
                merchant.c.name.label("merchant_name"),
                claim.c.period_starts_on,
                pay_run_line.c.attempt,
                pay_run_line.c.amount_twd,
                pay_run_line.c.bank_code,
                pay_run_line.c.account_no,
            )
            .join(claim, claim.c.claim_id == pay_run_line.c.claim_id)
            .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
            .where(pay_run_line.c.run_id == run_id, pay_run_line.c.line_no > after)
            .order_by(pay_run_line.c.line_no)
            .limit(limit)
        )
        with reading(self._engine) as connection:
            return [PayRunLine(**row) for row in connection.execute(wanted).mappings()]

    def paid_to(self, payout_ids: Collection[UUID]) -> Mapping[UUID, PaidTo]:
        wanted = (
            select(payout.c.payout_id, payout.c.claim_id, merchant.c.name.label("merchant_name"), claim.c.period_starts_on)
            .join(claim, claim.c.claim_id == payout.c.claim_id)
            .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
            .where(payout.c.payout_id.in_(list(payout_ids)))
        )
        with reading(self._engine) as connection:
            rows = [dict(row) for row in connection.execute(wanted).mappings()]
        return {row.pop("payout_id"): PaidTo(**row) for row in rows}


def _claims(progress: Any = None) -> Select[Any]:
    progress = claim_progress() if progress is None else progress
    return (
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
        .select_from(claim)
        .join(programme, programme.c.programme_id == claim.c.programme_id)
        .join(merchant, merchant.c.merchant_id == claim.c.merchant_id)
        .join(progress, progress.c.claim_id == claim.c.claim_id)
    )


def _runs() -> Select[Any]:
    preparer, ender = staff.alias("preparer"), staff.alias("ender")
    return (
        select(
            pay_run.c.run_id,
            pay_run.c.run_no,
            pay_run.c.format,
            preparer.c.name.label("prepared_by"),
            pay_run.c.prepared_by.label("prepared_by_id"),
            pay_run.c.prepared_at,
            pay_run.c.line_count,
            pay_run.c.total_twd,
            pay_run_end.c.outcome,
            ender.c.name.label("ended_by"),
            pay_run_end.c.ended_at,
            pay_run_end.c.reason,
            payout_file.c.file_no,
        )
        .join(preparer, preparer.c.staff_id == pay_run.c.prepared_by)
        .outerjoin(pay_run_end, pay_run_end.c.run_id == pay_run.c.run_id)
        .outerjoin(ender, ender.c.staff_id == pay_run_end.c.ended_by)
        .outerjoin(payout_file, payout_file.c.file_id == pay_run_end.c.file_id)
    )
