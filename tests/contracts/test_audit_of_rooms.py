"""What other rooms of the office do is in the audit log too, in the transaction of what was done, and says nothing personal."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from cloud.adapters.sql.audit import SqlAuditTrail
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.domain.calendar import Period
from cloud.domain.pay_runs import PayRunError
from cloud.domain.payouts import Originator
from cloud.ports.audit import AuditSearch
from cloud.services.audit import verify
from cloud.services.confirm import confirm_all
from cloud.services.correct import Wish, correct
from cloud.services.pay import import_return, prepare_pay_run, release_pay_run, withdraw_pay_run
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
PAY_DAY = WEEK.ends_at + timedelta(hours=9)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
A, B = HANDS.prepared_by, HANDS.released_by


def log(engine: Engine) -> list[tuple[str, str, str, str]]:
    """Who did what to what, oldest first, without the setup's own entries."""
    trail = SqlAuditTrail(engine)
    assert verify(trail)[1] is None
    facts = [row.entry.fact for row in trail.search(AuditSearch(), page_size=50).rows]
    return [(fact.actor, fact.action, fact.object_id, fact.after) for fact in reversed(facts) if fact.actor != "cli"]


def test_payouts_and_corrections_are_recorded(engine: Engine) -> None:
    load_example(engine)
    till, place = Till(engine), PLACES[1]
    redemption_id = till.redeem(WEEK.starts_at, place=place, vouchers=2)
    confirm_all(SqlConfirmationStore(engine), merchant_id=place.merchant_id, staff_id=place.staff_id, now=WEEK.starts_at)
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    store = SqlPayoutStore(engine)
    first = prepare_pay_run(store, "ach_p01", ORIGINATOR, by=A, now=PAY_DAY)
    assert first is not None
    withdraw_pay_run(store, first.run_id, by=A, reason="王小明 said so", now=PAY_DAY)
    run = prepare_pay_run(store, "ach_p01", ORIGINATOR, by=A, now=PAY_DAY)
    assert run is not None
    with pytest.raises(PayRunError):
        release_pay_run(store, run.run_id, ORIGINATOR, by=A, now=PAY_DAY)
    file = release_pay_run(store, run.run_id, ORIGINATOR, by=B, now=PAY_DAY)
    answer = answer_p01(file.content, failures={}, answered_on=file.value_date)
    for _ in range(2):
        import_return(store, answer, by=A, now=PAY_DAY + timedelta(days=1))
    correct(SqlCorrectionStore(engine), SqlPeople(engine), Wish(redemption_id, "王小明", A, 1_000), now=PAY_DAY)
    whole = '{"amount_twd":2000,"line_count":1}'
    assert log(engine) == [
        (A, "pay_run.prepared", "1", whole),
        (A, "pay_run.withdrawn", "1", whole),
        (A, "pay_run.prepared", "2", whole),
        (B, "pay_run.released", "2", whole),
        (A, "bank_return.imported", "1", '{"paid_count":1,"returned_count":0}'),
        (A, "redemption.corrected", str(redemption_id), '{"amount_twd":1000}'),
    ]
