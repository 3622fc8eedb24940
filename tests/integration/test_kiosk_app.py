"""A whole kiosk on an honest fake link and a strict fake cloud: visits from the first scan to the outcome."""

import pytest

from kiosk.domain.keys import Key
from kiosk.domain.view import Screen
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, make_event
from protocol.ids import reference
from protocol.limits import VOUCHERS_PER_ORDER_MAX
from protocol.messages import RedeemAccepted, decode_answer, decode_state, encode_body
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.fakes.kiosk_link import FakeLink, Weather
from tests.fakes.kiosk_outbox import MemoryOutbox
from tests.support.kiosk import KEYS, accepted, make_site, request_id
from tests.support.kiosk_app import LEGEND, HandKiosk, online

ONE, TWO = "000000000001", "000000000002"


@pytest.fixture
def kiosk() -> HandKiosk:
    kiosk = online(HandKiosk())
    kiosk.add_voucher(ONE, digits="1234")
    kiosk.add_voucher(TWO, digits="5678")
    return kiosk


def hold(kiosk: HandKiosk, voucher_no: str = ONE, digits: str = "1234") -> None:
    kiosk.scan(voucher_no)
    kiosk.give_digits(digits)


def test_one_voucher_from_scan_to_done(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.must_show(Screen.BASKET)
    assert [voucher.masked_no for voucher in kiosk.view.vouchers] == ["•••••••••001"]
    kiosk.confirm("800")
    kiosk.must_show(Screen.DONE)
    assert (kiosk.view.redeemed_twd, kiosk.view.total_twd, kiosk.view.topup_twd) == (500, 800, 300)
    assert not kiosk.view.repeated
    row = kiosk.outbox.find_by_voucher(ONE)
    assert row is not None
    assert row.answer is not None
    assert kiosk.view.reference == reference(row.request.id)
    kiosk.wait(8)
    kiosk.must_show(Screen.ATTRACT)
    assert kiosk.cloud.redeemed_twd == 500
    assert not kiosk.cloud.holds


def test_answer_is_on_the_disk_before_the_screen_says_done() -> None:
    outbox = MemoryOutbox()
    kiosk = online(HandKiosk(outbox=outbox))
    kiosk.add_voucher(ONE)
    stored_when_shown: list[bool] = []
    show = kiosk.app._on_view

    def watch(view: object) -> None:
        if getattr(view, "screen", None) is Screen.DONE:
            stored_when_shown.append(outbox.pending_count() == 0)
        show(view)  # type: ignore[arg-type]

    kiosk.app._on_view = watch
    hold(kiosk, digits="0000")
    kiosk.confirm()
    assert stored_when_shown == [True]


def test_typed_number_and_several_vouchers(kiosk: HandKiosk) -> None:
    kiosk.press(*ONE, Key.OK)
    kiosk.give_digits("1234")
    hold(kiosk, TWO, "5678")
    assert kiosk.view.redeemed_twd == 1000
    kiosk.confirm("999")
    kiosk.must_show(Screen.DONE)
    assert kiosk.cloud.redeemed_twd == 1000


def test_wrong_digits_come_back_with_tries_left(kiosk: HandKiosk) -> None:
    hold(kiosk, digits="1111")
    kiosk.must_show(Screen.DIGITS)
    assert kiosk.view.refusal is not None
    assert (kiosk.view.refusal.reason, kiosk.view.refusal.tries_left) == (Reason.NO_MATCH, 4)
    assert kiosk.view.entry == ""
    kiosk.give_digits("1234")
    kiosk.must_show(Screen.BASKET)


def test_fifth_wrong_try_ends_on_refused(kiosk: HandKiosk) -> None:
    kiosk.scan(ONE)
    for _ in range(5):
        kiosk.give_digits("1111")
    kiosk.must_show(Screen.REFUSED)
    assert kiosk.view.refusal is not None
    assert kiosk.view.refusal.tries_left == 0


def test_used_voucher_is_refused_and_the_others_stay_held(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm()
    kiosk.wait(8)
    hold(kiosk, TWO, "5678")
    hold(kiosk)
    kiosk.must_show(Screen.REFUSED)
    assert kiosk.view.refusal is not None
    assert kiosk.view.refusal.reason == Reason.ALREADY_REDEEMED
    assert kiosk.view.refusal.site == "Test Station"
    assert kiosk.view.back_to_basket
    kiosk.wait(1)
    kiosk.press(Key.OK)
    kiosk.must_show(Screen.BASKET)
    kiosk.confirm()
    assert kiosk.cloud.redeemed_twd == 1000


def test_cancel_releases_what_is_held(kiosk: HandKiosk) -> None:
    hold(kiosk)
    assert kiosk.cloud.holds == {ONE}
    kiosk.press(Key.CANCEL)
    kiosk.must_show(Screen.ATTRACT)
    assert not kiosk.cloud.holds


def test_customer_who_walks_away_leaves_nothing_held(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.wait(30)
    kiosk.must_show(Screen.MORE_TIME)
    kiosk.wait(20)
    kiosk.must_show(Screen.ATTRACT)
    assert not kiosk.cloud.holds


def test_late_check_of_a_customer_long_gone_is_released_and_shows_nothing(kiosk: HandKiosk) -> None:
    kiosk.scan(ONE)
    kiosk.give_digits("1234", answers=False)
    ((kind, late),) = kiosk.link.take_sent()
    kiosk.wait(8, answers=False)
    kiosk.must_show(Screen.UNKNOWN)
    kiosk.link.take_sent()
    kiosk.wait(15)
    kiosk.must_show(Screen.ATTRACT)
    kiosk.link.answer(kind, kiosk.cloud.judge(kind, late))
    assert kiosk.cloud.holds == {ONE}
    kiosk.settle()
    kiosk.must_show(Screen.ATTRACT)
    assert not kiosk.cloud.holds


def test_unknown_turns_to_done_when_the_answer_comes(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm(answers=False)
    kiosk.must_show(Screen.SENDING)
    assert not kiosk.view.can_cancel
    kiosk.press(Key.CANCEL, answers=False)
    kiosk.must_show(Screen.SENDING)
    kiosk.wait(3, answers=False)
    assert kiosk.view.still_checking
    kiosk.wait(5, answers=False)
    kiosk.must_show(Screen.UNKNOWN)
    kiosk.settle()
    kiosk.must_show(Screen.DONE)
    assert not kiosk.view.repeated


def test_scan_of_a_voucher_with_an_open_request_says_unknown_then_done_once(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm(answers=False)
    kiosk.wait(23, answers=False)
    kiosk.must_show(Screen.ATTRACT)
    kiosk.scan(ONE, answers=False)
    kiosk.must_show(Screen.UNKNOWN)
    kiosk.settle()
    kiosk.must_show(Screen.DONE)
    assert kiosk.view.repeated
    assert kiosk.view.redeemed_at is not None
    kiosk.wait(8)
    kiosk.scan(ONE)
    kiosk.must_show(Screen.DIGITS)


def test_outcome_that_nobody_saw_is_shown_at_the_next_scan_even_after_a_power_cut(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm(answers=False)
    kiosk.restart()
    kiosk.must_show(Screen.ATTRACT)
    assert kiosk.outbox.pending_count() == 0
    kiosk.scan(ONE)
    kiosk.must_show(Screen.DONE)
    assert kiosk.view.repeated
    assert kiosk.cloud.redeemed_twd == 500


def test_offline_kiosk_says_unknown_for_a_check_and_keeps_the_basket(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.link.disconnect()
    hold(kiosk, TWO, "5678")
    kiosk.must_show(Screen.CHECKING)
    assert not kiosk.view.online
    kiosk.wait(8)
    kiosk.must_show(Screen.UNKNOWN)
    assert kiosk.view.reference is None
    assert kiosk.view.back_to_basket
    kiosk.wait(1)
    kiosk.press(Key.OK)
    kiosk.must_show(Screen.BASKET)
    kiosk.press(Key.OK)
    kiosk.must_show(Screen.TOTAL)


def test_check_asked_while_the_link_comes_back_is_answered(kiosk: HandKiosk) -> None:
    kiosk.link.disconnect()
    hold(kiosk)
    kiosk.wait(2)
    kiosk.link.connect()
    kiosk.settle()
    kiosk.must_show(Screen.BASKET)
    assert kiosk.cloud.vouchers[ONE].tries_left == 5


def test_check_cut_off_on_the_line_is_sent_again_and_counted_once(kiosk: HandKiosk) -> None:
    kiosk.scan(ONE)
    kiosk.give_digits("1111", answers=False)
    ((kind, event),) = kiosk.link.take_sent()
    kiosk.cloud.judge(kind, event)
    kiosk.link.disconnect()
    kiosk.link.connect()
    kiosk.settle()
    kiosk.must_show(Screen.DIGITS)
    assert kiosk.cloud.vouchers[ONE].tries_left == 4


def test_check_that_reached_nobody_is_asked_again_while_the_customer_waits(kiosk: HandKiosk) -> None:
    kiosk.scan(ONE)
    kiosk.give_digits("1234", answers=False)
    first = kiosk.link.take_sent()
    kiosk.wait(2, answers=False)
    assert kiosk.link.take_sent() == []
    kiosk.wait(1, answers=False)
    assert kiosk.link.take_sent() == first, "the same message, so that wrong digits count once"
    kiosk.wait(5, answers=False)
    kiosk.link.take_sent()
    kiosk.wait(10, answers=False)
    assert [kind for kind, _ in kiosk.link.take_sent()] == [], "nobody waits any more"


def test_request_confirmed_offline_is_redeemed_after_reconnect(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.link.disconnect()
    kiosk.confirm()
    kiosk.wait(8)
    kiosk.must_show(Screen.UNKNOWN)
    kiosk.link.connect()
    kiosk.settle()
    kiosk.must_show(Screen.DONE)


def test_busy_is_no_answer_and_the_request_comes_again(kiosk: HandKiosk) -> None:
    kiosk.cloud.busy = 2
    hold(kiosk)
    kiosk.confirm()
    kiosk.must_show(Screen.SENDING)
    assert kiosk.outbox.pending_count() == 1
    kiosk.wait(7)
    kiosk.must_show(Screen.DONE)


def test_everything_is_final_within_a_minute_under_bad_weather() -> None:
    for seed in range(20):
        link = FakeLink(Weather(loss=0.3, doubling=0.3, reordering=0.5), seed=seed)
        kiosk = online(HandKiosk(link=link))
        for number in range(1, 4):
            voucher_no = kiosk.add_voucher(f"{number:012d}")
            kiosk.scan(voucher_no)
            kiosk.give_digits()
            kiosk.wait(1)
            if kiosk.view.screen is Screen.BASKET:
                kiosk.confirm()
            kiosk.wait(30)
        kiosk.link.weather = Weather()
        kiosk.wait(60)
        assert kiosk.outbox.pending_count() == 0, seed
        assert isinstance(kiosk.outbox, MemoryOutbox)
        won = [decode_answer(row.answer.body) for row in kiosk.outbox.rows if row.answer is not None]
        assert sum(answer.redeemed_twd for answer in won if isinstance(answer, RedeemAccepted)) == kiosk.cloud.redeemed_twd


@pytest.mark.parametrize("flaw", ["key", "source", "kind", "other request", "amount", "body"])
def test_answer_that_is_not_authentic_or_not_ours_is_dropped(kiosk: HandKiosk, flaw: str) -> None:
    hold(kiosk)
    kiosk.confirm("1000", answers=False)
    ((_, request),) = kiosk.link.take_sent()
    said = accepted(request.id, total_twd=5 if flaw == "amount" else 1000)
    body = encode_body(accepted(KNOWN_OTHER) if flaw == "other request" else said)
    event = make_event(
        KEYS.request if flaw == "key" else KEYS.answer,
        id=request.id,
        source="/cloudy" if flaw == "source" else CLOUD_SOURCE,
        type=answer_type(RequestKind.CHECK if flaw == "kind" else RequestKind.REDEEM),
        time="2026-10-05T04:00:01Z",
        body=b"{}" if flaw == "body" else body,
    )
    kiosk.link.answer(RequestKind.REDEEM, event)
    kiosk.settle(answers=False)
    kiosk.must_show(Screen.SENDING)
    assert kiosk.outbox.pending_count() == 1
    assert kiosk.app.unauthentic + kiosk.app.stale == 1


KNOWN_OTHER = request_id(77)


def test_repeated_answer_is_harmless(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm(answers=False)
    ((kind, request),) = kiosk.link.take_sent()
    answer = kiosk.cloud.judge(kind, request)
    kiosk.link.answer(kind, answer)
    kiosk.link.answer(kind, answer)
    kiosk.settle()
    kiosk.must_show(Screen.DONE)
    assert kiosk.app.stale == 1
    assert kiosk.app.unauthentic == 0


def test_full_disk_is_met_before_the_customer_gives_anything() -> None:
    outbox = MemoryOutbox()
    kiosk = online(HandKiosk(outbox=outbox))
    kiosk.add_voucher(ONE)
    outbox.broken = True
    kiosk.scan(ONE)
    kiosk.must_show(Screen.OUT_OF_ORDER)
    kiosk.wait(5)
    kiosk.must_show(Screen.OUT_OF_ORDER)
    outbox.broken = False
    kiosk.wait(5)
    kiosk.must_show(Screen.ATTRACT)
    hold(kiosk, digits="0000")
    kiosk.must_show(Screen.BASKET)


def test_disk_that_fails_at_the_confirmation_sends_nothing() -> None:
    outbox = MemoryOutbox()
    kiosk = online(HandKiosk(outbox=outbox))
    kiosk.add_voucher(ONE)
    hold(kiosk, digits="0000")
    outbox.broken = True
    kiosk.confirm()
    kiosk.must_show(Screen.OUT_OF_ORDER)
    assert kiosk.cloud.redeemed_twd == 0
    assert not kiosk.cloud.holds


def test_answer_that_cannot_be_saved_is_not_shown() -> None:
    outbox = MemoryOutbox()
    kiosk = online(HandKiosk(outbox=outbox))
    kiosk.add_voucher(ONE)
    hold(kiosk, digits="0000")
    kiosk.confirm(answers=False)
    outbox.broken = True
    kiosk.wait(8)
    kiosk.must_show(Screen.UNKNOWN)
    outbox.broken = False
    kiosk.wait(8)
    kiosk.must_show(Screen.DONE)


def test_full_order_fits_a_message(kiosk: HandKiosk) -> None:
    for number in range(VOUCHERS_PER_ORDER_MAX):
        kiosk.add_voucher(f"9{number:011d}")
        hold(kiosk, f"9{number:011d}", "0000")
    hold(kiosk)
    kiosk.must_show(Screen.REFUSED)
    assert kiosk.view.refusal is not None
    assert kiosk.view.refusal.reason == Reason.TOO_MANY_VOUCHERS
    kiosk.wait(1)
    kiosk.press(Key.OK)
    kiosk.confirm("9999999")
    kiosk.must_show(Screen.DONE)
    assert len(kiosk.view.vouchers) == VOUCHERS_PER_ORDER_MAX


def test_presence_tells_how_many_requests_are_open(kiosk: HandKiosk) -> None:
    hold(kiosk)
    kiosk.confirm(answers=False)
    assert kiosk.link.retained is not None
    assert (decode_state(kiosk.link.retained).state, decode_state(kiosk.link.retained).pending) == ("online", 1)
    kiosk.settle()
    assert decode_state(kiosk.link.retained).pending == 0


def test_item_is_asked_for_where_there_are_several() -> None:
    kiosk = online(HandKiosk(site=make_site(items=3)))
    kiosk.add_voucher(ONE)
    hold(kiosk, digits="0000")
    kiosk.press(Key.OK)
    kiosk.must_show(Screen.ITEM)
    assert [item.key for item in kiosk.view.items] == ["1", "2", "3"]
    kiosk.press("4")
    kiosk.must_show(Screen.ITEM)
    kiosk.press("2", *"700", Key.OK)
    assert (kiosk.view.screen, kiosk.view.item_code) == (Screen.CONFIRM, "item-2")


def test_flooded_queue_drops_and_counts(kiosk: HandKiosk) -> None:
    for _ in range(1000):
        kiosk.app.take_code(b"flood")
    assert kiosk.app.dropped > 0
    kiosk.settle()
    kiosk.wait(15)
    hold(kiosk)
    kiosk.must_show(Screen.BASKET)


def test_legend_is_applied_where_digits_are_sealed(kiosk: HandKiosk) -> None:
    assert kiosk.cloud.vouchers[ONE].digits == "".join(LEGEND[int(key)] for key in "1234")
    hold(kiosk)
    kiosk.must_show(Screen.BASKET)


def test_no_digit_and_no_whole_number_is_ever_in_a_view(kiosk: HandKiosk) -> None:
    odd = "987650000077"
    kiosk.add_voucher(odd, digits="4321")
    hold(kiosk, odd, "4321")
    kiosk.confirm("55")
    kiosk.wait(20)
    shown = repr(kiosk.views)
    assert odd not in shown
    assert "4321" not in shown
    assert not set(LEGEND) & set(shown)


def test_events_on_the_wire_hold_no_digit_in_clear(kiosk: HandKiosk) -> None:
    seen: list[Event] = []
    judge = kiosk.cloud.judge

    def listen(kind: RequestKind, event: Event) -> Event:
        seen.append(event)
        return judge(kind, event)

    kiosk.cloud.judge = listen  # type: ignore[method-assign]
    hold(kiosk)
    kiosk.confirm()
    assert {event.type for event in seen} >= {"voucherkiosk.check.requested.v1", "voucherkiosk.redeem.requested.v1"}
    assert not any(character.encode() in event.body for event in seen for character in LEGEND)
