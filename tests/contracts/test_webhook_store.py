"""Webhooks on both databases: what is told to whom, once per fact, in order, and what happens when nobody listens."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, insert, select, update
from standardwebhooks.webhooks import Webhook as Verifier

from cloud.adapters.secret_box import SecretBox
from cloud.adapters.sql import webhook_facts
from cloud.adapters.sql.confirmations import SqlConfirmationStore
from cloud.adapters.sql.payouts import SqlPayoutStore
from cloud.adapters.sql.settlements import SqlSettlementStore
from cloud.adapters.sql.tables import redemption, webhook, webhook_attempt, webhook_message
from cloud.adapters.sql.webhook_facts import LAG
from cloud.adapters.sql.webhooks import SqlWebhookStore
from cloud.domain.webhooks import EVENTS, OVERLAP, RETRIES
from cloud.ports.connect import ConnectEvent
from cloud.ports.people import Person
from cloud.ports.webhooks import PostOutcome, Webhook
from cloud.services.accounts import Hand
from cloud.services.confirm import confirm, confirm_all
from cloud.services.pay import import_return, make_payout_file
from cloud.services.settle import settle_due
from cloud.services.webhooks import (
    KEPT,
    LEASE,
    Teller,
    WebhookDesk,
    WebhookForm,
    make_webhook,
    rotate_secret,
    set_webhook_state,
    tell,
)
from tests.fakes.web_people import StillClock
from tests.support.bank import answer_p01
from tests.support.money import HANDS, PLACES, Till
from tests.support.setups import load_example
from tests.support.web_life import ORIGINATOR

pytest_plugins = ("tests.support.databases",)

START = datetime(2026, 11, 4, 1, 30, tzinfo=UTC)
"""A Wednesday morning in Taipei, within the example programme."""

URL = "https://pos.example.tw/hook"
HOTEL, PARK = PLACES[1], PLACES[2]


@dataclass
class Server:
    """A merchant's server: verifies every message with the reference library."""

    secret: str = ""
    outcome: PostOutcome = field(default_factory=lambda: PostOutcome(204, "", 3))
    taken: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    tried: list[str] = field(default_factory=list)

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> PostOutcome:
        assert url == URL
        self.tried.append(headers["webhook-id"])
        if self.outcome.status == 204:
            self.taken.append((headers["webhook-id"], json.loads(body)))
        return self.outcome

    @property
    def events(self) -> list[object]:
        return [message["type"] for _, message in self.taken]


@dataclass
class Room:
    """Everything around one webhook."""

    engine: Engine
    clock: StillClock
    till: Till
    store: SqlWebhookStore
    desk: WebhookDesk
    server: Server
    teller: Teller

    def hand(self, staff_id: str = "boan-admin", merchant_id: str = HOTEL.merchant_id) -> Hand:
        person = Person(staff_id, "", "lodging", "boan", "merchant_admin", True, "", merchant_id)
        return Hand(person, self.clock.now(), "203.0.113.9")

    def make(self, *events: str, webhook_id: str = "w-1") -> str:
        form = WebhookForm(URL, frozenset(events or EVENTS))
        secret = make_webhook(self.desk, self.hand(), form, webhook_id=webhook_id, calendar=self.clock.now())
        assert isinstance(secret, str), secret
        self.server.secret = secret
        return secret

    def tell(self, **later: float) -> None:
        self.clock.advance(**later)
        for webhook_id in self.store.active_ids():
            tell(self.teller, webhook_id)

    def found(self) -> Webhook:
        found = self.store.find("w-1", merchant_id=HOTEL.merchant_id)
        assert found is not None
        return found


@pytest.fixture
def room(engine: Engine) -> Iterator[Room]:
    load_example(engine)
    clock, server, store, box = StillClock(START), Server(), SqlWebhookStore(engine), SecretBox(bytes(32))
    desk = WebhookDesk(store, box, lambda length: bytes(range(length)), plain_http=False)
    return Room(engine, clock, Till(engine), store, desk, server, Teller(store, box, server, clock, clock))


def test_what_happens_to_an_order_is_told_once_and_in_order(room: Room) -> None:
    room.till.redeem(START - timedelta(hours=1))  # before there was a webhook
    room.clock.advance(minutes=1)
    room.make()
    first = room.till.redeem(room.clock.now(), vouchers=2, order_total_twd=5050)
    room.till.redeem(room.clock.now(), place=PARK)
    room.tell(seconds=2)
    room.tell(seconds=2)
    assert room.server.events == ["redemption.accepted"]
    [(_, message)] = room.server.taken
    data = message["data"]
    assert isinstance(data, dict)
    assert (data["redemption_id"], data["voucher_count"], data["topup_twd"]) == (str(first), 2, 3050)
    confirm_all(SqlConfirmationStore(room.engine), merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=room.clock.now())
    room.tell(seconds=2)
    _settle_and_pay(room)
    assert room.server.events[2:] == ["claim.settled", "payout.returned", "payout.paid"]
    amounts = [message["data"]["amount_twd"] for _, message in room.server.taken[1:]]  # type: ignore[index]
    assert amounts == [3000] * 4
    room.tell(days=1)
    assert len(room.server.taken) == len(set(room.server.tried)) == len(room.server.tried)


def _settle_and_pay(room: Room) -> None:
    payouts = SqlPayoutStore(room.engine)
    room.clock.advance(days=7)
    assert settle_due(SqlSettlementStore(room.engine), now=room.clock.now())
    room.tell(seconds=2)
    for code in ("05", None):
        file = make_payout_file(payouts, "ach_p01", ORIGINATOR, hands=HANDS, now=room.clock.now())
        assert file is not None
        room.clock.advance(days=1)
        answer = answer_p01(file.content, failures=lambda _, code=code: code, answered_on=file.value_date)  # type: ignore[misc]
        import_return(payouts, answer, by=HANDS.prepared_by, now=room.clock.now(), file_no=file.file_no)
        room.tell(seconds=2)


def test_only_what_was_asked_for_is_told(room: Room) -> None:
    room.make("confirmation.made")
    ids = [room.till.redeem(START, vouchers=number + 1) for number in range(3)]
    store = SqlConfirmationStore(room.engine)
    confirm(store, ids[:2], merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=room.clock.now())
    room.tell()
    confirm(store, ids, merchant_id=HOTEL.merchant_id, staff_id="boan-admin", now=room.clock.now() + timedelta(seconds=1))
    room.tell(seconds=2)
    acts = [message["data"] for _, message in room.server.taken]
    assert [(act["redemption_count"], act["voucher_count"], act["amount_twd"]) for act in acts] == [(2, 3, 3000), (1, 3, 3000)]  # type: ignore[index]
    # And when it has become old enough that nobody looks back at it.
    for _ in range(3):
        room.tell(seconds=LAG.total_seconds())
    assert len(room.server.taken) == 2


def test_a_commit_that_comes_late_is_told(room: Room) -> None:
    room.make("redemption.accepted")
    room.till.redeem(START + timedelta(minutes=20))
    room.tell(minutes=20)
    late = room.till.redeem(START + timedelta(seconds=1))  # judged long before, visible only now
    room.tell(minutes=5)
    assert [message["data"]["redemption_id"] for _, message in room.server.taken][1:] == [str(late)]  # type: ignore[index]


def test_more_than_one_look_takes_is_told_in_the_end(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_facts, "FACTS_MAX", 20)
    room.make("redemption.accepted")
    with room.engine.begin() as connection:
        rows = [
            {
                "redemption_id": UUID(int=number + 1),
                "programme_id": "travel-2026",
                "merchant_id": HOTEL.merchant_id,
                "site_id": HOTEL.site_id,
                "device_id": "kiosk-1",
                "item_category": "room",
                "order_total_twd": 1000,
                "voucher_count": 1,
                "redeemed_twd": 1000,
                "topup_twd": 0,
                "redeemed_at": START + timedelta(seconds=number // 16),
            }
            for number in range(50)
        ]
        connection.execute(insert(redemption), rows)
    for _ in range(8):
        room.tell(minutes=20)
    told = [message["data"]["redemption_id"] for _, message in room.server.taken]  # type: ignore[index]
    assert told == [str(UUID(int=number + 1)) for number in range(50)]


def test_the_reference_library_takes_our_signatures(room: Room) -> None:
    old = room.make("redemption.accepted")
    seen: list[tuple[bytes, dict[str, str]]] = []
    room.clock.at = datetime.now(UTC)  # the library knows only the real time
    room.teller = Teller(
        room.store, room.desk.secrets, lambda _, body, headers: _keep(seen, body, headers), room.clock, room.clock
    )
    desk = WebhookDesk(room.store, room.desk.secrets, lambda length: bytes(length), plain_http=False)
    room.till.redeem(room.clock.now())
    room.tell()
    new = rotate_secret(desk, room.hand(), room.found())
    room.till.redeem(room.clock.now())
    room.tell()
    with_both, last = seen[-1], None
    for secret in (old, new):
        assert Verifier(secret).verify(*with_both)["type"] == "redemption.accepted"
    room.clock.advance(seconds=OVERLAP.total_seconds())
    room.till.redeem(room.clock.now())
    room.tell()
    last = seen[-1]
    assert len(last[1]["webhook-signature"].split()) == 1
    with pytest.raises(Exception, match="signature"):
        Verifier(new).verify(with_both[0] + b" ", with_both[1])


def _keep(seen: list[tuple[bytes, dict[str, str]]], body: bytes, headers: Mapping[str, str]) -> PostOutcome:
    seen.append((body, dict(headers)))
    return PostOutcome(200, "", 1)


def test_a_server_that_cannot_be_reached_loses_nothing(room: Room) -> None:
    room.make("redemption.accepted")
    room.server.outcome = PostOutcome(None, "no_answer", 5000)
    ids = [str(room.till.redeem(START + timedelta(seconds=number))) for number in range(3)]
    room.tell(seconds=3)
    room.tell(seconds=1)
    assert len(room.server.tried) == 1, "one try tells enough; the others wait with it"
    for pause in RETRIES[:-2]:
        room.tell(seconds=pause.total_seconds())
    room.server.outcome = PostOutcome(204, "", 5)
    room.tell(days=2)
    assert [message["data"]["redemption_id"] for _, message in room.server.taken] == ids  # type: ignore[index]
    assert room.found().failures == 0


def test_a_message_that_is_refused_holds_nothing_else_up(room: Room) -> None:
    room.make("redemption.accepted")
    room.server.outcome = PostOutcome(500, "", 5)
    room.till.redeem(START)
    room.tell()
    room.server.outcome = PostOutcome(204, "", 5)
    room.till.redeem(START + timedelta(seconds=1))
    room.tell(seconds=2)
    assert len(room.server.taken) == 1
    room.tell(seconds=RETRIES[0].total_seconds())
    assert room.server.tried == [room.server.tried[0], room.server.tried[1], room.server.tried[0]]
    log = room.store.log_of("w-1", limit=10)
    assert [(one.state, one.attempts, one.last.status if one.last else None) for one in log] == [
        ("delivered", 1, 204),
        ("delivered", 2, 204),
    ]


@pytest.mark.parametrize(("outcome", "reason"), [((500, ""), "refused"), ((None, "host_unknown"), "unreachable")])
def test_a_dead_webhook_is_disabled_after_days_and_can_be_woken(
    room: Room, outcome: tuple[int | None, str], reason: str
) -> None:
    room.make("redemption.accepted")
    room.server.outcome = PostOutcome(*outcome, 5)
    room.till.redeem(START)
    began = room.clock.now()
    for pause in (timedelta(), *RETRIES):
        assert room.found().state == "active"
        room.tell(seconds=pause.total_seconds())
    assert (room.found().state, room.found().reason) == ("disabled", reason)
    assert room.clock.now() - began > timedelta(days=3)
    assert len(room.server.tried) == len(RETRIES) + 1
    room.tell(days=1)
    assert len(room.server.tried) == len(RETRIES) + 1
    room.server.outcome = PostOutcome(204, "", 5)
    set_webhook_state(room.desk, room.hand(), room.found(), "active")
    room.till.redeem(room.clock.now())
    room.tell()
    assert len(room.server.taken) == (1 if reason == "refused" else 2), "what could not be sent at all is still waiting"


def test_gone_is_gone(room: Room) -> None:
    room.make("redemption.accepted")
    room.server.outcome = PostOutcome(410, "", 5)
    room.till.redeem(START)
    room.tell()
    assert (room.found().state, room.found().reason) == ("disabled", "gone")


def test_two_deliverers_do_not_send_the_same(room: Room) -> None:
    room.make("redemption.accepted")
    room.till.redeem(START)
    now = room.clock.now()
    assert room.store.lease("w-1", now=now, until=now + LEASE) is not None
    room.tell(seconds=1)
    assert room.server.tried == []
    room.tell(seconds=LEASE.total_seconds())  # whoever had it died
    assert len(room.server.taken) == 1


def test_an_attempt_that_was_not_written_down_is_made_again(room: Room) -> None:
    room.make("redemption.accepted")
    room.till.redeem(START)

    class Killed(BaseException):
        pass

    def die(_url: str, _body: bytes, headers: Mapping[str, str]) -> PostOutcome:
        room.server.tried.append(headers["webhook-id"])
        raise Killed

    with pytest.raises(Killed):
        tell(Teller(room.store, room.desk.secrets, die, room.clock, room.clock), "w-1")
    room.tell(seconds=1)
    assert len(set(room.server.tried)) == 1
    assert len(room.server.tried) == 2


def test_a_message_is_sent_again_when_somebody_asks(room: Room) -> None:
    room.make("redemption.accepted")
    room.till.redeem(START)
    room.tell()
    [logged] = room.store.log_of("w-1", limit=5)
    hand = room.hand()
    told = ConnectEvent(hand.at, HOTEL.merchant_id, "message_resent", "w-1", hand.person.staff_id)
    assert not room.store.resend("w-2", logged.message_id, told)
    assert room.store.resend("w-1", logged.message_id, told)
    room.tell(seconds=1)
    assert room.server.tried == [room.server.tried[0]] * 2


def test_old_messages_are_forgotten_and_not_told_again(room: Room) -> None:
    room.make("redemption.accepted")
    room.till.redeem(START)
    room.tell()
    room.tell(days=1)
    assert room.store.sweep(room.clock.now() + KEPT - KEPT) == 1
    room.tell(seconds=1)
    assert len(room.server.tried) == 1
    with room.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(webhook_attempt)) == 0
        assert connection.scalar(select(func.count()).select_from(webhook_message)) == 0


def test_secrets_are_not_in_the_database(room: Room) -> None:
    secret = room.make()
    with room.engine.connect() as connection:
        kept = connection.scalar(select(webhook.c.secret))
    assert secret.removeprefix("whsec_") not in str(kept)
    assert room.desk.secrets.open(str(kept), "w-1") == secret
    with pytest.raises(ValueError, match="vault"):
        room.desk.secrets.open(str(kept), "w-2")


def test_a_paused_webhook_is_told_later(room: Room) -> None:
    room.make("redemption.accepted")
    set_webhook_state(room.desk, room.hand(), room.found(), "paused")
    room.till.redeem(START)
    room.tell(seconds=1)
    assert room.server.tried == []
    set_webhook_state(room.desk, room.hand("yunling-admin", PARK.merchant_id), room.found(), "removed")
    assert room.found().state == "paused", "nobody else's hand moves it"
    set_webhook_state(room.desk, room.hand(), room.found(), "active")
    room.tell(seconds=1)
    assert len(room.server.taken) == 1
    with room.engine.begin() as connection:
        connection.execute(update(webhook).values(state="removed"))
    assert room.store.webhooks_of(HOTEL.merchant_id) == []


def test_a_secret_of_another_vault_disables_one_webhook_only(room: Room) -> None:
    room.make("redemption.accepted")
    room.make("redemption.accepted", webhook_id="w-2")
    with room.engine.begin() as connection:
        connection.execute(
            update(webhook).where(webhook.c.webhook_id == "w-1").values(secret=SecretBox(bytes(33)).close("x", "w-1"))
        )
    room.till.redeem(START)
    room.tell()
    assert (room.found().state, room.found().reason) == ("disabled", "secret")
    assert len(room.server.taken) == 1
    rotate_secret(room.desk, room.hand(), room.found())
    set_webhook_state(room.desk, room.hand(), room.found(), "active")
    room.tell(days=2)
    assert len(room.server.taken) == 2
