"""Planted bugs, one at a time: the check of the checkers. Each is the kind of mistake that a tired person makes.

A mutant replaces one function at the place where its module looks it up. If the simulation does not notice within
:data:`SEEDS_MAX` seeds, it is the simulation that is broken.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any, Final
from uuid import UUID

from msgspec import structs
from pytest_mock import MockerFixture
from sqlalchemy import and_

from cloud.adapters.sql import settlements
from cloud.adapters.sql.borders import Border, is_unclaimed_by
from cloud.adapters.sql.tables import confirmation
from cloud.domain import docket
from cloud.domain import redemption as judging
from cloud.domain.records import Ask, Journal, Knowledge, Posting, Redemption, StoredAnswer
from cloud.ports.ingest import ConflictError, IngestStore
from cloud.services.admit import KnownDevice
from cloud.services.reply import Reply, final_reply
from kiosk.domain import outbox as outbox_rules
from kiosk.domain.events import RequestSaved
from kiosk.domain.scenes import Done, Saving, State
from kiosk.domain.steps import Step, go
from kiosk.ports import OutboxRow
from protocol.chain import GENESIS
from protocol.envelope import Event
from protocol.errors import PortError, ProtocolError
from protocol.ids import reference
from protocol.messages import Answer, RedeemAccepted, decode_answer
from protocol.topics import RequestKind
from tests.fakes.cloud_ingest import MemoryIngestStore
from tests.fakes.kiosk_outbox import MemoryOutbox
from tests.simulation.weather import draw_scenario

SEEDS_MAX: Final = 200

Plant = Callable[[MockerFixture], None]


def judge_ignores_uses(mocker: MockerFixture) -> None:
    """The judge forgets to ask whether a voucher was used; only the primary key is left."""

    def open_docket(known: Knowledge, now: datetime) -> docket.Docket:
        return docket.open_docket(replace(known, uses={}), now)

    mocker.patch.object(judging, "open_docket", open_docket)


def nobody_judges_uses(mocker: MockerFixture) -> None:
    """The same, and the primary key is gone too."""
    judge_ignores_uses(mocker)
    mocker.patch.object(MemoryIngestStore, "_check_constraints")


def repeat_is_judged_anew(mocker: MockerFixture) -> None:
    """The stored answer is not found again."""
    mocker.patch.object(judging, "_is_repeat", return_value=False)


def store_forgets_answers(mocker: MockerFixture) -> None:
    """The redemption is written, its answer is not."""
    write = MemoryIngestStore._write

    def forgetful(self: MemoryIngestStore, decisions: Any) -> None:
        write(self, decisions)
        for answer in decisions.answers:
            if answer.sequence is not None:
                del self.answers[answer.request_id]

    mocker.patch.object(MemoryIngestStore, "_write", forgetful)


def answers_before_commit(mocker: MockerFixture) -> None:
    """What was decided is said although it could not be written."""

    def hasty(store: IngestStore, asks: Sequence[Ask], now: datetime) -> list[StoredAnswer]:
        with store.begin() as transaction:
            judgement = judging.judge(asks, transaction.load(asks), now)
            with suppress(ConflictError, PortError):
                transaction.save(judgement.decisions)
            return judgement.answers

    mocker.patch("cloud.services.answer._answer_once", hasty)


def repeated_answer_has_its_own_time(mocker: MockerFixture) -> None:
    """Every sending of an answer is dated anew."""
    ticks = count()

    def dated(device: KnownDevice, stored: StoredAnswer, traceparent: str | None) -> Reply:
        later = structs.replace(stored, answered_at=stored.answered_at + timedelta(milliseconds=next(ticks)))
        return final_reply(device, later, traceparent)

    mocker.patch("cloud.ingest.final_reply", dated)


def tries_are_not_counted(mocker: MockerFixture) -> None:
    """Wrong digits cost nothing."""

    def count_wrong_try(self: docket.Docket, voucher_no: str, request_id: UUID) -> int:
        return self.wrong_tries.get(voucher_no, 0) + 1

    mocker.patch.object(docket.Docket, "count_wrong_try", count_wrong_try)


def merchant_earns_the_total(mocker: MockerFixture) -> None:
    """The order's total is posted instead of the vouchers' face value."""

    def redeem_journal(made: Redemption) -> Journal:
        total = made.order_total_twd
        accounts = (f"programme:{made.programme_id}:outstanding", f"merchant:{made.merchant_id}:redeemed")
        postings = (Posting(accounts[0], total), Posting(accounts[1], -total))
        return Journal(made.redemption_id, "redeem", postings, made.redeemed_at)

    mocker.patch.object(docket, "redeem_journal", redeem_journal)


def outbox_gives_up(mocker: MockerFixture) -> None:
    """After the second try a request counts as delivered."""

    def published(delivery: outbox_rules.Delivery, now: float, back_off: outbox_rules.BackOff) -> outbox_rules.Delivery:
        after = outbox_rules.published(delivery, now, back_off)
        tired = isinstance(after, outbox_rules.Pending) and after.attempts >= 2
        return outbox_rules.Final() if tired else after

    mocker.patch("kiosk.app.courier.published", published)


def restart_forgets(mocker: MockerFixture) -> None:
    """After a power cut nobody looks into the outbox."""
    mocker.patch("kiosk.app.courier.Courier.load")


def success_when_saved(mocker: MockerFixture) -> None:
    """The screen says done as soon as the request is on its way."""

    def take_saved(state: State, event: RequestSaved, now: float) -> Step:
        scene = state.scene
        assert isinstance(scene, Saving)
        accepted = RedeemAccepted(
            request_id=event.request_id,
            reference=reference(event.request_id),
            redeemed_at="2021-11-03T04:30:00Z",
            voucher_count=len(scene.visit.held),
            redeemed_twd=scene.visit.held_twd,
            order_total_twd=scene.order.total_twd,
            topup_twd=0,
        )
        return go(state, Done(scene.visit, event.request_id, accepted, scene.visit.held, False, now))

    mocker.patch("kiosk.domain.visit.take_saved", take_saved)


def success_before_the_disk(mocker: MockerFixture) -> None:
    """The answer is shown and not stored."""

    def store_answer(self: MemoryOutbox, request_id: UUID, answer: Event) -> OutboxRow | None:
        return self.find(request_id)

    mocker.patch.object(MemoryOutbox, "store_answer", store_answer)


def kiosk_believes_anybody(mocker: MockerFixture) -> None:
    """An answer's proof is not looked at."""

    def read_answer(_kind: RequestKind, event: Event, _key: bytes) -> Answer | None:
        try:
            return decode_answer(event.body)
        except ProtocolError:
            return None

    mocker.patch("kiosk.app.loop.read_answer", read_answer)


def outcome_is_kept_secret(mocker: MockerFixture) -> None:
    """A voucher that is shown again is taken for a new one."""
    mocker.patch("kiosk.app.hands._known", return_value=None)


def chain_is_not_linked(mocker: MockerFixture) -> None:
    """Every request says that it is the first."""
    mocker.patch("tests.fakes.kiosk_outbox.link_of", return_value=GENESIS)
    mocker.patch("kiosk.adapters.outbox_sqlite.link_of", return_value=GENESIS)


def keys_stand_on_the_screen(mocker: MockerFixture) -> None:
    """What was typed is not hidden."""
    mocker.patch("kiosk.domain.screen._DOT", "7")


def digits_travel_in_clear(mocker: MockerFixture) -> None:
    """Somebody switched the sealing off to see what goes wrong, and left it off."""

    def seal_digits(_key: bytes, digits: Sequence[str], **_rest: Any) -> str:
        return "".join(digits)

    mocker.patch("kiosk.app.requests.seal_digits", seal_digits)


def claims_by_time_window(mocker: MockerFixture) -> None:
    """A settlement takes what was redeemed in its week, and forgets what was confirmed late."""

    def is_of_its_week(border: Border | None, through_no: int) -> Any:
        unclaimed = is_unclaimed_by(border, through_no)
        return unclaimed if border is None else and_(unclaimed, confirmation.c.redeemed_at >= border.ends_at)

    mocker.patch.object(settlements, "is_unclaimed_by", is_of_its_week)


def _every_seed(_seed: int) -> bool:
    return True


def _with_sql(seed: int) -> bool:
    return draw_scenario(seed).database == "sqlite"


MUTANTS: Final[dict[Plant, Callable[[int], bool]]] = {
    judge_ignores_uses: _every_seed,
    nobody_judges_uses: _every_seed,
    repeat_is_judged_anew: _every_seed,
    store_forgets_answers: _every_seed,
    answers_before_commit: _every_seed,
    repeated_answer_has_its_own_time: _every_seed,
    tries_are_not_counted: _every_seed,
    merchant_earns_the_total: _every_seed,
    outbox_gives_up: _every_seed,
    restart_forgets: _every_seed,
    success_when_saved: _every_seed,
    success_before_the_disk: _every_seed,
    kiosk_believes_anybody: _every_seed,
    outcome_is_kept_secret: _every_seed,
    chain_is_not_linked: _every_seed,
    keys_stand_on_the_screen: _every_seed,
    digits_travel_in_clear: _every_seed,
    claims_by_time_window: _with_sql,
}
"""Each planted bug, and which seeds can meet it at all."""
