"""Two people for every payout, on both databases: the rule, and what the database refuses where nobody asks the rule."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import merchant, pay_run_end, payout, payout_file
from cloud.domain.calendar import Period
from cloud.domain.pay_runs import PayRun, PayRunError
from cloud.domain.payouts import Originator
from cloud.services.confirm import confirm_all
from cloud.services.pay import (
    find_draft,
    import_return,
    keep_draft,
    make_payout_file,
    prepare_pay_run,
    preview_return,
    release_pay_run,
    withdraw_pay_run,
)
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01
from tests.support.money import HANDS, Till
from tests.support.setups import PLACES, load_example

pytest_plugins = ("tests.support.databases",)

WEEK = Period(date(2026, 11, 4))
PAY_DAY = WEEK.ends_at + timedelta(hours=9)
ORIGINATOR = Originator("0040037", "1234567890", "04595257", "101", "TOURISM VOUCHER PROGRAMME")
HOTEL_ACCOUNT = "3001987654"
A, B = HANDS.prepared_by, HANDS.released_by


@pytest.fixture
def till(engine: Engine) -> Till:
    """A claim of the hotel and one of the park, closed."""
    load_example(engine)
    till = Till(engine)
    for place, vouchers in ((PLACES[1], 2), (PLACES[2], 3)):
        till.redeem(WEEK.starts_at, place=place, vouchers=vouchers)
        store = SqlConfirmationStore(engine)
        confirm_all(store, merchant_id=place.merchant_id, staff_id=place.staff_id, now=WEEK.starts_at)
    settle_due(SqlSettlementStore(engine), now=WEEK.ends_at)
    return till


def prepare(till: Till, *, by: str = A, now: datetime = PAY_DAY, unmended: bool = False) -> PayRun | None:
    return prepare_pay_run(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, by=by, now=now, unmended=unmended)


def must_prepare(till: Till, *, now: datetime = PAY_DAY) -> PayRun:
    run = prepare(till, now=now)
    assert run is not None
    return run


def refused(till: Till, run_id: UUID, *, by: str = B) -> str:
    with pytest.raises(PayRunError) as caught:
        release_pay_run(SqlPayoutStore(till.engine), run_id, ORIGINATOR, by=by, now=PAY_DAY)
    return caught.value.problem


def files(till: Till) -> int:
    with till.engine.connect() as connection:
        return len(connection.execute(select(payout_file.c.file_no)).all())


def test_nothing_is_paid_before_another_person_releases_it(till: Till) -> None:
    run = must_prepare(till)
    assert (run.total_twd, len(run.lines), files(till), till.balance("bank:in_transit")) == (5_000, 2, 0, 0)
    assert refused(till, run.run_id, by=A) == "same_person"
    with pytest.raises(PayRunError, match="waits"):
        prepare(till, by=B)
    file = release_pay_run(SqlPayoutStore(till.engine), run.run_id, ORIGINATOR, by=B, now=PAY_DAY)
    assert (file.total_twd, files(till), till.balance("bank:in_transit")) == (5_000, 1, -5_000)
    assert refused(till, run.run_id) == "ended"
    assert refused(till, UUID(int=1)) == "unknown"
    assert prepare(till) is None


def test_a_withdrawn_run_pays_nothing_and_frees_its_claims(till: Till) -> None:
    run = must_prepare(till)
    withdraw_pay_run(SqlPayoutStore(till.engine), run.run_id, by=A, reason="typing error", now=PAY_DAY)
    assert refused(till, run.run_id) == "ended"
    again = must_prepare(till)
    assert (again.run_no, again.lines) == (run.run_no + 1, run.lines)


def test_an_account_that_changed_in_between_is_not_paid(till: Till) -> None:
    run = must_prepare(till)
    with till.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(account_no="999"))
    assert refused(till, run.run_id) == "changed"
    assert files(till) == 0


def test_the_database_wants_two_people_and_what_they_saw(till: Till) -> None:
    run = must_prepare(till)
    file_id = UUID(int=77)
    released = {"run_id": run.run_id, "prepared_by": A, "outcome": "released", "ended_at": PAY_DAY, "reason": ""}
    file = {
        "file_id": file_id, "file_no": 9, "format": "ach_p01", "made_at": PAY_DAY, "value_date": date(2026, 11, 12),
        "content": b"", "sha256": b"", "line_count": 1, "total_twd": 1,
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="two_people"), till.engine.begin() as connection:
        connection.execute(insert(pay_run_end).values(**released, ended_by=A, file_id=file_id))
    with pytest.raises(IntegrityError, match=r"(?i)foreign key"), till.engine.begin() as connection:
        connection.execute(insert(pay_run_end).values(**released | {"prepared_by": B}, ended_by=A, file_id=file_id))
    with pytest.raises(IntegrityError, match="released"), till.engine.begin() as connection:
        connection.execute(insert(payout_file).values(**file))
    line = run.lines[0]
    row = {
        "payout_id": UUID(int=78), "claim_id": line.claim_id, "attempt": 1, "file_id": file_id, "line_no": 1,
        "amount_twd": line.amount_twd, "bank_code": line.bank_code, "account_no": line.account_no,
    }  # fmt: skip
    for change in ({"amount_twd": line.amount_twd + 1}, {"account_no": "666"}, {"attempt": 2}):
        with pytest.raises(IntegrityError, match="not what was released"):
            _pay_behind_the_back(till.engine, {**released, "ended_by": B, "file_id": file_id}, file, row | change)


def _pay_behind_the_back(engine: Engine, end: dict[str, Any], file: dict[str, Any], line: dict[str, Any]) -> None:
    with engine.begin() as connection:
        for table, values in ((pay_run_end, end), (payout_file, file), (payout, line)):
            connection.execute(insert(table).values(**values))


def test_a_returned_payout_waits_until_its_account_is_mended(till: Till) -> None:
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=PAY_DAY)
    assert file is not None
    store = SqlPayoutStore(till.engine)
    answer = answer_p01(file.content, failures={HOTEL_ACCOUNT: "22"}, answered_on=date(2026, 11, 12))
    preview = preview_return(store, answer)
    assert (preview.imported.paid_twd, preview.imported.returned_twd, len(preview.outcomes)) == (3_000, 2_000, 2)
    digest = keep_draft(store, answer, by=A, now=PAY_DAY)
    assert keep_draft(store, answer, by=A, now=PAY_DAY) == digest
    assert find_draft(store, digest) == answer
    assert import_return(store, answer, by=A, now=PAY_DAY) == preview.imported
    assert find_draft(store, digest) is None
    assert preview_return(store, answer).imported.file_no is None
    assert prepare(till) is None, "the account is still the same"
    with till.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(account_no="30019876"))
    run = must_prepare(till)
    assert [(line.attempt, line.account_no, line.amount_twd) for line in run.lines] == [(2, "30019876", 2_000)]


def test_paying_to_the_same_account_again_has_to_be_said(till: Till) -> None:
    file = make_payout_file(SqlPayoutStore(till.engine), "ach_p01", ORIGINATOR, hands=HANDS, now=PAY_DAY)
    assert file is not None
    answer = answer_p01(file.content, failures={HOTEL_ACCOUNT: "05"}, answered_on=date(2026, 11, 12))
    import_return(SqlPayoutStore(till.engine), answer, by=A, now=PAY_DAY)
    run = prepare(till, unmended=True)
    assert run is not None
    assert run.total_twd == 2_000
