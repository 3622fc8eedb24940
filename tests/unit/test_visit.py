"""The visit's transitions, one by one; what is not in the table changes nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from kiosk.domain import scenes as at
from kiosk.domain.effects import LookUp, NoteShown, SaveRequest, SendCheck, SendRelease, Sound
from kiosk.domain.events import (
    Answered,
    Checked,
    CodeScanned,
    Event,
    FitnessChanged,
    KeyPressed,
    KnownRequest,
    LanguageChosen,
    LinkChanged,
    RequestSaved,
    SaveFailed,
    Ticked,
)
from kiosk.domain.keys import Key
from kiosk.domain.scenes import Held, IdDigits, Order, Scene, State, Visit, Why
from kiosk.domain.screen import show
from kiosk.domain.site import LANGUAGES, Site
from kiosk.domain.steps import Step
from kiosk.domain.view import Screen
from kiosk.domain.visit import advance
from protocol import words
from protocol.messages import CheckAccepted, Refusal, Refused
from protocol.reasons import Reason
from protocol.voucher import VoucherCode
from tests.support.kiosk import accepted, make_site, refused, request_id

NOW = 100.0
ONE, TWO = "000000000001", "000000000002"
ID = request_id(1)
SITE = make_site(items=2)
ONE_ITEM = make_site(items=1)


def held(voucher_no: str = ONE, *, programme_id: str = "programme-1") -> Held:
    return Held(voucher_no, IdDigits("9876"), 500, programme_id)


EMPTY = Visit(1, "en", NOW)
FULL = replace(EMPTY, held=(held(),))
BOTH = replace(EMPTY, held=(held(), held(TWO)))
ORDER = Order("item-1", 800)

SCENES: dict[str, Scene] = {
    "attract": at.Attract("zh-Hant-TW", NOW),
    "number": at.Number(EMPTY, "123"),
    "number of a second": at.Number(FULL),
    "digits": at.Digits(EMPTY, ONE),
    "digits begun": at.Digits(EMPTY, ONE, IdDigits("12")),
    "digits of a second": at.Digits(FULL, TWO),
    "checking": at.Checking(EMPTY, 2, ONE, IdDigits("9876"), NOW),
    "checking a second": at.Checking(FULL, 2, TWO, IdDigits("9876"), NOW),
    "basket": at.Basket(FULL),
    "item": at.ChoosingItem(FULL),
    "total": at.Total(FULL, "item-1"),
    "total begun": at.Total(FULL, "item-1", "80"),
    "confirm": at.Confirm(FULL, ORDER),
    "saving": at.Saving(FULL, ORDER, 3),
    "sending": at.Sending(FULL, ORDER, ID, NOW),
    "done": at.Done(EMPTY, ID, accepted(ID), (held(),), False, NOW),
    "done again": at.Done(FULL, ID, accepted(ID), (), True, NOW),
    "refused": at.Refused(EMPTY, Why(Reason.EXPIRED), NOW),
    "refused, others held": at.Refused(FULL, Why(Reason.EXPIRED), NOW),
    "unknown": at.Unknown(EMPTY, NOW, ID, (held(),)),
    "unknown check": at.Unknown(FULL, NOW),
    "more time": at.MoreTime(at.Total(FULL, "item-1", "80"), NOW),
    "out of order": at.OutOfOrder("en"),
}


def state_of(name: str, *, site: Site = SITE) -> State:
    fit = name != "out of order"
    return State(site, SCENES[name], serial=3, online=True, fit=fit)


def after(name: str, event: Event, *, seconds: float = 1, site: Site = SITE) -> Step:
    return advance(state_of(name, site=site), event, NOW + seconds)


def pressed(name: str, key: Key | str, *, site: Site = SITE) -> Step:
    return after(name, KeyPressed(Key(key)), site=site)


def release_of(step: Step) -> tuple[str, ...]:
    return tuple(no for effect in step.effects if isinstance(effect, SendRelease) for no in effect.voucher_nos)


def check_accepted(voucher_no: str, *, programme_id: str = "programme-1") -> CheckAccepted:
    return CheckAccepted(
        request_id=ID, voucher_no=voucher_no, face_value_twd=500, hold_until="2026-10-05T04:05:00Z", programme_id=programme_id
    )


KEY_TABLE: list[tuple[str, str, type[Scene], Screen]] = [
    ("attract", "5", at.Number, Screen.NUMBER),
    ("attract", "ok", at.Number, Screen.NUMBER),
    ("number", "cancel", at.Number, Screen.NUMBER),
    ("number", "clear", at.Number, Screen.NUMBER),
    ("number", "ok", at.Number, Screen.NUMBER),
    ("number of a second", "cancel", at.Basket, Screen.BASKET),
    ("digits", "cancel", at.Attract, Screen.ATTRACT),
    ("digits begun", "cancel", at.Digits, Screen.DIGITS),
    ("digits begun", "ok", at.Digits, Screen.DIGITS),
    ("digits of a second", "cancel", at.Basket, Screen.BASKET),
    ("checking", "cancel", at.Attract, Screen.ATTRACT),
    ("checking a second", "cancel", at.Basket, Screen.BASKET),
    ("basket", "7", at.Number, Screen.NUMBER),
    ("basket", "cancel", at.Attract, Screen.ATTRACT),
    ("basket", "ok", at.ChoosingItem, Screen.ITEM),
    ("item", "2", at.Total, Screen.TOTAL),
    ("item", "9", at.ChoosingItem, Screen.ITEM),
    ("item", "ok", at.ChoosingItem, Screen.ITEM),
    ("item", "clear", at.Basket, Screen.BASKET),
    ("item", "cancel", at.Attract, Screen.ATTRACT),
    ("total", "0", at.Total, Screen.TOTAL),
    ("total", "ok", at.Total, Screen.TOTAL),
    ("total", "clear", at.ChoosingItem, Screen.ITEM),
    ("total", "cancel", at.Attract, Screen.ATTRACT),
    ("total begun", "cancel", at.Total, Screen.TOTAL),
    ("total begun", "ok", at.Confirm, Screen.CONFIRM),
    ("confirm", "ok", at.Saving, Screen.SENDING),
    ("confirm", "clear", at.Total, Screen.TOTAL),
    ("confirm", "4", at.Total, Screen.TOTAL),
    ("confirm", "cancel", at.Attract, Screen.ATTRACT),
    ("done", "1", at.Attract, Screen.ATTRACT),
    ("done again", "cancel", at.Basket, Screen.BASKET),
    ("refused", "ok", at.Attract, Screen.ATTRACT),
    ("refused, others held", "ok", at.Basket, Screen.BASKET),
    ("unknown", "ok", at.Attract, Screen.ATTRACT),
    ("unknown check", "ok", at.Basket, Screen.BASKET),
    ("more time", "cancel", at.Total, Screen.TOTAL),
    ("more time", "3", at.Total, Screen.TOTAL),
]


@pytest.mark.parametrize(("name", "key", "scene", "screen"), KEY_TABLE)
def test_key_leads_to_scene(name: str, key: str, scene: type[Scene], screen: Screen) -> None:
    step = pressed(name, key)
    assert isinstance(step.state.scene, scene)
    assert show(step.state, NOW + 1).screen is screen


DEAF: list[tuple[str, str]] = [
    *(("saving", key) for key in Key),
    *(("sending", key) for key in Key),
    *(("out of order", key) for key in Key),
    *(("checking", key) for key in Key if key is not Key.CANCEL),
    ("attract", "cancel"),
    ("attract", "clear"),
]


@pytest.mark.parametrize(("name", "key"), DEAF)
def test_key_that_means_nothing_changes_nothing(name: str, key: str) -> None:
    assert pressed(name, key) == Step(state_of(name))


ILLEGAL: list[Event] = [
    KnownRequest(9, ONE, ID, None),
    KnownRequest(1, "999999999999", ID, accepted(ID)),
    Checked(1, 99, ONE, refused(ID, Reason.EXPIRED)),
    RequestSaved(99, ID),
    SaveFailed(99),
    Answered(request_id(55), accepted(request_id(55))),
    Answered(request_id(55), refused(request_id(55), Reason.EXPIRED)),
    LanguageChosen("tlh"),
    Ticked(),
]


@pytest.mark.parametrize("name", SCENES)
@pytest.mark.parametrize("event", ILLEGAL, ids=lambda event: type(event).__name__)
def test_event_that_belongs_to_nothing_here_changes_nothing(name: str, event: Event) -> None:
    assert after(name, event) == Step(state_of(name))


@pytest.mark.parametrize("name", SCENES)
def test_link_changes_only_what_the_screen_says_of_it(name: str) -> None:
    step = after(name, LinkChanged(False))
    assert step == Step(replace(state_of(name), online=False))


def test_every_screen_is_reached() -> None:
    assert {show(state_of(name), NOW).screen for name in SCENES} == set(Screen)


@pytest.mark.parametrize("name", ["attract", "number", "basket", "item", "total", "done", "refused", "unknown", "more time"])
def test_scan_is_taken_up_from_every_screen_before_the_last_look(name: str) -> None:
    step = after(name, CodeScanned(VoucherCode(TWO)))
    assert isinstance(step.state.scene, at.Digits)
    assert step.state.scene.voucher_no == TWO
    assert LookUp(step.state.scene.visit.serial, TWO) in step.effects


@pytest.mark.parametrize("name", ["checking", "confirm", "saving", "sending", "out of order", "digits begun"])
def test_scan_is_left_alone_where_it_would_disturb(name: str) -> None:
    assert after(name, CodeScanned(VoucherCode(TWO))) == Step(state_of(name))


def test_scan_replaces_the_voucher_whose_digits_were_not_begun() -> None:
    step = after("digits", CodeScanned(VoucherCode(TWO)))
    assert isinstance(step.state.scene, at.Digits)
    assert step.state.scene.voucher_no == TWO
    assert after("digits", CodeScanned(VoucherCode(ONE))) == Step(state_of("digits"))


@pytest.mark.parametrize("reason", [Reason.NOT_A_VOUCHER, Reason.FORGED])
def test_code_that_is_no_voucher_is_refused_and_the_basket_stays(reason: Reason) -> None:
    step = after("basket", CodeScanned(reason))
    assert isinstance(step.state.scene, at.Refused)
    assert step.state.scene.why.reason is reason
    view = show(step.state, NOW + 1)
    assert view.back_to_basket
    assert view.refusal is not None
    alone = after("attract", CodeScanned(reason))
    assert not show(alone.state, NOW + 1).back_to_basket


def test_same_voucher_twice_is_told_and_not_added() -> None:
    step = after("basket", CodeScanned(VoucherCode(ONE)))
    assert step.state.scene == at.Basket(replace(FULL, active_at=NOW + 1), again=True)
    assert show(step.state, NOW).already_added
    typed = replace(state_of("number of a second"), scene=at.Number(FULL, ONE))
    assert isinstance(advance(typed, KeyPressed(Key.OK), NOW + 1).state.scene, at.Basket)


def test_check_is_sent_with_its_own_number() -> None:
    state = replace(state_of("digits"), scene=at.Digits(EMPTY, ONE, IdDigits("9876")))
    step = advance(state, KeyPressed(Key.OK), NOW)
    assert SendCheck(1, 4, ONE, IdDigits("9876")) in step.effects
    assert isinstance(step.state.scene, at.Checking)
    assert step.state.scene.ask == step.state.serial == 4


def test_accepted_check_fills_the_basket() -> None:
    step = after("checking a second", Checked(1, 2, TWO, check_accepted(TWO)))
    assert isinstance(step.state.scene, at.Basket)
    assert step.state.scene.visit.held_nos == (ONE, TWO)


def test_voucher_of_another_programme_is_refused_and_let_go() -> None:
    step = after("checking a second", Checked(1, 2, TWO, check_accepted(TWO, programme_id="programme-2")))
    assert isinstance(step.state.scene, at.Refused)
    assert step.state.scene.why.reason is Reason.MIXED_PROGRAMMES
    assert step.state.scene.visit.held_nos == (ONE,)
    assert release_of(step) == (TWO,)


@pytest.mark.parametrize(("tries_left", "scene"), [(4, at.Digits), (1, at.Digits), (None, at.Digits), (0, at.Refused)])
def test_wrong_digits_lead_back_as_long_as_tries_are_left(tries_left: int | None, scene: type[Scene]) -> None:
    wrong = refused(ID, Reason.NO_MATCH, Refusal(voucher_no=ONE, reason=Reason.NO_MATCH, tries_left=tries_left))
    step = after("checking", Checked(1, 2, ONE, wrong))
    assert isinstance(step.state.scene, scene)
    view = show(step.state, NOW + 1)
    assert view.refusal is not None
    assert view.refusal.tries_left == tries_left
    assert view.entry == ""


def test_late_check_that_holds_is_let_go_unless_it_is_wanted_again() -> None:
    late = Checked(1, 99, TWO, check_accepted(TWO))
    assert release_of(after("attract", late)) == (TWO,)
    assert release_of(after("basket", late)) == (TWO,)
    assert release_of(after("digits of a second", late)) == ()
    assert release_of(after("basket", replace(late, voucher_no=ONE))) == ()
    assert release_of(after("basket", replace(late, visit=7, voucher_no=ONE))) == (ONE,)
    assert after("basket", late).state == state_of("basket")


def test_saved_request_cannot_be_cancelled_and_the_screen_says_so() -> None:
    assert not show(state_of("saving"), NOW).can_cancel
    step = after("saving", RequestSaved(3, ID))
    assert step.state.scene == at.Sending(FULL, ORDER, ID, NOW + 1)
    assert not show(step.state, NOW + 1).can_cancel


def test_failed_save_sends_nothing_and_lets_go() -> None:
    step = after("saving", SaveFailed(3))
    assert isinstance(step.state.scene, at.OutOfOrder)
    assert not step.state.fit
    assert release_of(step) == (ONE,)
    mended = advance(step.state, FitnessChanged(True), NOW + 2)
    assert isinstance(mended.state.scene, at.Attract)


@pytest.mark.parametrize("name", ["sending", "unknown"])
def test_accepted_answer_is_done(name: str) -> None:
    step = after(name, Answered(ID, accepted(ID, total_twd=800)))
    view = show(step.state, NOW + 1)
    assert view.screen is Screen.DONE
    assert not view.repeated
    assert len(view.vouchers) == 1
    assert (view.redeemed_twd, view.total_twd, view.topup_twd) == (500, 800, 300)
    left = advance(step.state, KeyPressed(Key.OK), NOW + 3)
    assert NoteShown(ID) in left.effects
    assert release_of(left) == ()


def test_refused_order_keeps_the_vouchers_that_nothing_was_said_against() -> None:
    state = replace(state_of("sending"), scene=at.Sending(BOTH, ORDER, ID, NOW))
    said = Refusal(voucher_no=TWO, reason=Reason.EXPIRED)
    step = advance(state, Answered(ID, refused(ID, Reason.EXPIRED, said)), NOW + 1)
    assert isinstance(step.state.scene, at.Refused)
    assert step.state.scene.visit.held_nos == (ONE,)
    assert release_of(step) == (TWO,)
    assert show(step.state, NOW + 1).reference is not None


def test_refusal_of_the_kiosk_itself_ends_the_visit() -> None:
    step = after("sending", Answered(ID, refused(ID, Reason.DEVICE_NOT_ACTIVE)))
    assert not show(step.state, NOW + 1).back_to_basket
    assert release_of(step) == (ONE,)


def test_refused_total_may_be_typed_again() -> None:
    step = after("sending", Answered(ID, refused(ID, Reason.TOTAL_NOT_ALLOWED)))
    assert show(step.state, NOW + 1).back_to_basket
    assert release_of(step) == ()


def test_voucher_with_an_open_request_is_unknown_until_its_answer() -> None:
    step = after("digits of a second", KnownRequest(1, TWO, ID, None))
    assert isinstance(step.state.scene, at.Unknown)
    assert step.state.scene.visit.held_nos == (ONE,)
    done = advance(step.state, Answered(ID, accepted(ID)), NOW + 2)
    view = show(done.state, NOW + 2)
    assert view.screen is Screen.DONE
    assert view.repeated
    assert view.back_to_basket
    refusal = advance(step.state, Answered(ID, refused(ID, Reason.EXPIRED)), NOW + 2)
    assert show(refusal.state, NOW + 2).back_to_basket


def test_voucher_whose_success_nobody_saw_is_shown_as_done_before() -> None:
    step = after("digits", KnownRequest(1, ONE, ID, accepted(ID)))
    view = show(step.state, NOW + 1)
    assert (view.screen, view.repeated, view.redeemed_at) == (Screen.DONE, True, accepted(ID).redeemed_at)


def test_result_does_not_end_by_the_second_tap_of_an_impatient_finger() -> None:
    for name in ("done", "refused", "unknown"):
        step = after(name, KeyPressed(Key.OK), seconds=0.4)
        assert step == Step(state_of(name))


TIMES: list[tuple[str, float, type[Scene]]] = [
    ("number", 30, at.MoreTime),
    ("digits", 30, at.MoreTime),
    ("basket", 30, at.MoreTime),
    ("item", 30, at.MoreTime),
    ("total", 30, at.MoreTime),
    ("confirm", 30, at.MoreTime),
    ("more time", 20, at.Attract),
    ("checking", 8, at.Unknown),
    ("sending", 8, at.Unknown),
    ("done", 8, at.Attract),
    ("refused", 15, at.Attract),
    ("refused, others held", 15, at.Basket),
    ("unknown", 15, at.Attract),
    ("unknown check", 15, at.Basket),
]


@pytest.mark.parametrize(("name", "limit", "scene"), TIMES)
def test_scene_ends_at_its_limit_and_not_before(name: str, limit: float, scene: type[Scene]) -> None:
    assert after(name, Ticked(), seconds=limit - 0.01) == Step(state_of(name))
    assert isinstance(after(name, Ticked(), seconds=limit).state.scene, scene)


def test_wipe_lets_go_of_everything_held() -> None:
    assert release_of(after("more time", Ticked(), seconds=20)) == (ONE,)


def test_check_given_up_is_let_go_though_its_answer_never_came() -> None:
    assert release_of(after("checking a second", Ticked(), seconds=8)) == (TWO,)
    assert release_of(pressed("checking a second", "cancel")) == (TWO,)
    assert set(release_of(pressed("checking", "cancel"))) == {ONE}


def test_more_time_counts_down() -> None:
    seconds = [show(state_of("more time"), NOW + passed).seconds_left for passed in (0, 0.5, 19.5, 20)]
    assert seconds == [20, 20, 1, 0]


def test_waiting_says_that_it_takes_longer_after_three_seconds() -> None:
    for name in ("checking", "sending"):
        assert not show(state_of(name), NOW + 2.9).still_checking
        assert show(state_of(name), NOW + 3).still_checking


def test_time_passes_before_an_event_acts() -> None:
    step = after("total begun", KeyPressed(Key.OK), seconds=31)
    assert isinstance(step.state.scene, at.Total), "the key answered the question for more time, it did not confirm"
    late = after("sending", Answered(ID, accepted(ID)), seconds=9)
    assert isinstance(late.state.scene, at.Done)


def test_language_falls_back_after_every_customer_and_after_a_while() -> None:
    chosen = after("attract", LanguageChosen("ja"))
    assert show(chosen.state, NOW).language == "ja"
    assert isinstance(chosen.state.scene, at.Attract)
    started = advance(chosen.state, KeyPressed(Key.OK), NOW + 2)
    assert show(started.state, NOW).language == "ja"
    over = advance(started.state, KeyPressed(Key.CANCEL), NOW + 3)
    assert show(over.state, NOW).language == SITE.language
    waited = advance(chosen.state, Ticked(), NOW + 31)
    assert show(waited.state, NOW).language == SITE.language


@pytest.mark.parametrize("name", SCENES)
def test_language_changes_on_every_screen_and_nothing_else_does(name: str) -> None:
    before = state_of(name)
    step = after(name, LanguageChosen("ko"))
    assert show(step.state, NOW + 1).language == "ko"
    if name != "more time":
        assert type(step.state.scene) is type(before.scene)
    assert release_of(step) == ()


def test_site_with_one_item_does_not_ask_for_it() -> None:
    assert isinstance(pressed("basket", "ok", site=ONE_ITEM).state.scene, at.Total)
    assert isinstance(pressed("total", "clear", site=ONE_ITEM).state.scene, at.Basket)


def test_order_below_the_vouchers_warns_that_there_is_no_change() -> None:
    cheap = replace(state_of("confirm"), scene=at.Confirm(FULL, Order("item-1", 499)))
    view = show(cheap, NOW)
    assert (view.no_change, view.topup_twd) == (True, 0)
    exact = replace(cheap, scene=at.Confirm(FULL, Order("item-1", 500)))
    assert not show(exact, NOW).no_change


def test_a_second_tap_does_not_confirm_what_nobody_has_read() -> None:
    typed = replace(state_of("total"), scene=at.Total(FULL, "item-1", "80"))
    asked = advance(typed, KeyPressed(Key.OK), NOW + 1).state
    guard_s = SITE.timing.confirm_guard_s
    at_once = advance(asked, KeyPressed(Key.OK), NOW + 1 + guard_s / 2)
    assert isinstance(at_once.state.scene, at.Confirm)
    assert at_once.effects == ()
    later = advance(asked, KeyPressed(Key.OK), NOW + 1 + guard_s)
    assert isinstance(later.state.scene, at.Saving)


def test_confirmation_saves_what_was_shown() -> None:
    step = pressed("confirm", "ok")
    assert SaveRequest(1, 4, FULL.held, ORDER) in step.effects


def test_seven_digits_are_the_most_and_no_total_begins_with_zero() -> None:
    state = state_of("total")
    for key in "0123456789":
        state = advance(state, KeyPressed(Key(key)), NOW + 1).state
    assert show(state, NOW).entry == "1234567"


def test_unfit_kiosk_serves_nobody_new_but_sees_through_what_is_under_way() -> None:
    assert isinstance(after("attract", FitnessChanged(False)).state.scene, at.OutOfOrder)
    begun = after("basket", FitnessChanged(False))
    assert isinstance(begun.state.scene, at.OutOfOrder)
    assert release_of(begun) == (ONE,)
    assert set(release_of(after("checking a second", FitnessChanged(False)))) == {ONE, TWO}
    assert release_of(after("more time", FitnessChanged(False))) == (ONE,)
    for name in ("saving", "sending", "done", "refused", "unknown"):
        step = after(name, FitnessChanged(False))
        assert type(step.state.scene) is type(SCENES[name])
    done = advance(after("done", FitnessChanged(False)).state, KeyPressed(Key.OK), NOW + 2)
    assert isinstance(done.state.scene, at.OutOfOrder)


def everything() -> Iterator[object]:
    for name in SCENES:
        yield state_of(name)
        for key in Key:
            step = pressed(name, key)
            yield step
            yield show(step.state, NOW)


def test_no_repr_shows_digits_or_typed_keys() -> None:
    text = "\n".join(map(repr, everything()))
    assert "9876" not in text
    assert repr(KeyPressed(Key.DIGIT_7)) == "KeyPressed(…)"
    assert repr(IdDigits("9876")) == "IdDigits(…)"


def test_screen_speaks_the_languages_of_the_refusals() -> None:
    assert set(LANGUAGES) == set(words.LANGUAGES)


def test_every_key_that_acts_is_heard() -> None:
    for name, key, _, _ in KEY_TABLE:
        assert any(isinstance(effect, Sound) for effect in pressed(name, key).effects), (name, key)


def test_site_needs_items_that_have_keys_and_a_language_of_ours() -> None:
    for items in (0, 11):
        with pytest.raises(ValueError, match="item categories"):
            make_site(items=items)
    with pytest.raises(ValueError, match="speaks"):
        Site("Test", SITE.items, language="tlh")


def test_refusal_says_only_what_concerns_this_voucher() -> None:
    said: Refused = refused(
        ID, Reason.ALREADY_REDEEMED, Refusal(voucher_no=TWO, reason=Reason.ALREADY_REDEEMED, site="Elsewhere")
    )
    step = after("checking", Checked(1, 2, ONE, said))
    assert isinstance(step.state.scene, at.Refused)
    assert step.state.scene.why == Why(Reason.ALREADY_REDEEMED)
