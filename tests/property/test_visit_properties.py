"""Random customers, random answers, random time: what must hold in every sequence.

The model carries out effects as the app does: look-ups and saves are answered at once; checks and requests are answered
whenever the sequence chooses, in any order, or never.
"""

from dataclasses import dataclass, field
from uuid import UUID

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from kiosk.domain import scenes as at
from kiosk.domain.effects import Effect, LookUp, NoteShown, SaveRequest, SendCheck, SendRelease
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
from kiosk.domain.scenes import begin, visit_of
from kiosk.domain.screen import show
from kiosk.domain.site import LANGUAGES
from kiosk.domain.view import Screen
from kiosk.domain.visit import advance
from protocol.limits import ORDER_TOTAL_MAX_TWD, VOUCHERS_PER_ORDER_MAX
from protocol.messages import CheckAccepted, RedeemAccepted, Refusal, Refused
from protocol.reasons import Reason
from protocol.voucher import VoucherCode
from tests.support.kiosk import accepted, make_site, refused, request_id

VOUCHERS = [f"70000000{number:04d}" for number in range(6)]
FACE_VALUE_TWD = 500
REASONS = st.sampled_from(list(Reason))


@dataclass
class Stored:
    """One row of the outbox, as far as a visit can tell."""

    save: SaveRequest
    answer: RedeemAccepted | Refused | None = None
    shown: bool = False


@dataclass
class World:
    """What is outside of the pure machine."""

    rows: dict[UUID, Stored] = field(default_factory=dict)
    checks: list[SendCheck] = field(default_factory=list)
    disk_works: bool = True
    holds: set[tuple[int, str]] = field(default_factory=set)


class Visits(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.state = begin(make_site(items=2), self.now)
        self.world = World()
        self.effects: list[Effect] = []

    # What may happen ---------------------------------------------------------------------------------------------------

    @rule(key=st.sampled_from(list(Key)))
    def press(self, key: Key) -> None:
        self.feed(KeyPressed(key))

    @rule(keys=st.text("0123456789", min_size=4, max_size=4))
    def type_four_and_ok(self, keys: str) -> None:
        for key in keys:
            self.feed(KeyPressed(Key(key)))
        self.feed(KeyPressed(Key.OK))

    @rule(index=st.integers(0, len(VOUCHERS) - 1))
    def scan(self, index: int) -> None:
        self.feed(CodeScanned(VoucherCode(VOUCHERS[index])))

    @rule(index=st.integers(0, len(VOUCHERS) - 1), total=st.integers(1, 3000), answered=st.booleans())
    def hurry_through(self, index: int, total: int, answered: bool) -> None:
        """An expert: deep states are rarely found key by key."""
        self.scan(index)
        self.type_four_and_ok("1234")
        self.answer_check(len(self.world.checks) - 1, None)
        for key in ["ok", "1", *str(total), "ok"]:
            self.feed(KeyPressed(Key(key)))
        self.now += self.state.site.timing.confirm_guard_s
        self.feed(KeyPressed(Key.OK))
        if answered and isinstance(self.state.scene, at.Sending):
            request = self.state.scene.request_id
            save = self.world.rows[request].save
            self.world.rows[request].answer = accepted(request, vouchers=len(save.held), total_twd=save.order.total_twd)
            self.feed(Answered(request, accepted(request, vouchers=len(save.held), total_twd=save.order.total_twd)))

    @rule(reason=st.sampled_from([Reason.NOT_A_VOUCHER, Reason.FORGED]))
    def scan_rubbish(self, reason: Reason) -> None:
        self.feed(CodeScanned(reason))

    @rule(which=st.integers(0, 20), reason=st.none() | REASONS)
    def answer_check(self, which: int, reason: Reason | None) -> None:
        if not self.world.checks:
            return
        check = self.world.checks.pop(which % len(self.world.checks))
        answer: CheckAccepted | Refused
        if reason is None:
            programme = "programme-2" if check.voucher_no == VOUCHERS[-1] else "programme-1"
            answer = CheckAccepted(
                request_id=request_id(check.ask),
                voucher_no=check.voucher_no,
                face_value_twd=FACE_VALUE_TWD,
                hold_until="2026-10-05T04:05:00Z",
                programme_id=programme,
            )
        else:
            self.world.holds.discard((check.visit, check.voucher_no))
            answer = refused(request_id(check.ask), reason, Refusal(voucher_no=check.voucher_no, reason=reason, tries_left=3))
        self.feed(Checked(check.visit, check.ask, check.voucher_no, answer))

    @rule(which=st.integers(0, 20), reason=st.none() | REASONS, blame=st.booleans())
    def answer_request(self, which: int, reason: Reason | None, blame: bool) -> None:
        open_ids = [request for request, row in self.world.rows.items() if row.answer is None]
        if not open_ids:
            return
        request = open_ids[which % len(open_ids)]
        row = self.world.rows[request]
        if reason is None:
            row.answer = accepted(request, vouchers=len(row.save.held), total_twd=row.save.order.total_twd)
        else:
            blamed = [Refusal(voucher_no=row.save.held[0].voucher_no, reason=reason)] if blame else []
            row.answer = refused(request, reason, *blamed)
        # The row has its answer before the visit hears of it.
        self.feed(Answered(request, row.answer))

    @rule(seconds=st.sampled_from([0.1, 0.6, 3, 8, 15, 20, 30, 60]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Ticked())

    @rule(language=st.sampled_from([*LANGUAGES, "tlh"]))
    def choose_language(self, language: str) -> None:
        self.feed(LanguageChosen(language))

    @rule(index=st.integers(0, 20))
    def come_back(self, index: int) -> None:
        """Somebody whose request was sent comes back later to see what became of it."""
        self.pass_time(60)
        self.pass_time(60)
        saved = [voucher.voucher_no for row in self.world.rows.values() for voucher in row.save.held]
        if saved:
            self.feed(CodeScanned(VoucherCode(saved[index % len(saved)])))

    @rule(works=st.sampled_from([True, True, True, False]))
    def change_disk(self, works: bool) -> None:
        self.world.disk_works = works
        self.feed(FitnessChanged(works))

    @rule(online=st.booleans())
    def change_link(self, online: bool) -> None:
        self.feed(LinkChanged(online))

    @rule(number=st.integers(900, 999))
    def hear_nonsense(self, number: int) -> None:
        before = self.state
        stranger = request_id(number)
        for event in (
            Answered(stranger, accepted(stranger)),
            RequestSaved(10_000 + number, stranger),
            SaveFailed(10_000 + number),
            KnownRequest(10_000 + number, VOUCHERS[0], stranger, accepted(stranger)),
        ):
            assert advance(before, event, self.now).state == advance(before, Ticked(), self.now).state

    # The app's part ----------------------------------------------------------------------------------------------------

    def feed(self, event: Event) -> None:
        events = [event]
        while events:
            before = self.state
            step = advance(before, events.pop(0), self.now)
            self.state = step.state
            self.effects += step.effects
            for effect in step.effects:
                events += self.carry_out(effect)

    def carry_out(self, effect: Effect) -> list[Event]:
        match effect:
            case LookUp(visit, voucher_no):
                return self.look_up(visit, voucher_no)
            case SaveRequest():
                return self.save(effect)
            case SendCheck():
                self.world.checks.append(effect)
                # The cloud may hold it from now on, whether or not its answer ever comes.
                self.world.holds.add((effect.visit, effect.voucher_no))
            case SendRelease(visit, voucher_nos):
                assert voucher_nos
                self.world.holds -= {(visit, voucher_no) for voucher_no in voucher_nos}
            case NoteShown(request):
                assert isinstance(self.world.rows[request].answer, RedeemAccepted), "only a success is noted as seen"
                self.world.rows[request].shown = True
            case _:
                pass
        return []

    def look_up(self, visit: int, voucher_no: str) -> list[Event]:
        if not self.world.disk_works:
            return [FitnessChanged(False)]
        for request, row in reversed(self.world.rows.items()):
            if voucher_no in [voucher.voucher_no for voucher in row.save.held]:
                if row.answer is None:
                    return [KnownRequest(visit, voucher_no, request, None)]
                if isinstance(row.answer, RedeemAccepted) and not row.shown:
                    return [KnownRequest(visit, voucher_no, request, row.answer)]
                return []
        return []

    def save(self, save: SaveRequest) -> list[Event]:
        numbers = [voucher.voucher_no for voucher in save.held]
        assert 1 <= len(numbers) <= VOUCHERS_PER_ORDER_MAX
        assert len(set(numbers)) == len(numbers)
        assert 1 <= save.order.total_twd <= ORDER_TOTAL_MAX_TWD
        assert len({voucher.programme_id for voucher in save.held}) == 1
        assert all(len(voucher.digits) == 4 for voucher in save.held)
        if not self.world.disk_works:
            return [SaveFailed(save.ask)]
        request = request_id(len(self.world.rows) + 1)
        self.world.rows[request] = Stored(save)
        return [RequestSaved(save.ask, request)]

    # What must hold ----------------------------------------------------------------------------------------------------

    @invariant()
    def done_only_with_a_stored_acceptance(self) -> None:
        if isinstance(self.state.scene, at.Done):
            row = self.world.rows[self.state.scene.request_id]
            assert row.answer == self.state.scene.accepted

    @invariant()
    def money_adds_up(self) -> None:
        view = show(self.state, self.now)
        assert view.redeemed_twd >= 0
        if view.screen in {Screen.BASKET, Screen.ITEM, Screen.TOTAL, Screen.CONFIRM, Screen.SENDING}:
            assert view.redeemed_twd == sum(voucher.face_value_twd for voucher in view.vouchers)
        if view.screen in {Screen.CONFIRM, Screen.SENDING, Screen.DONE}:
            assert view.total_twd is not None
            assert view.topup_twd == max(0, view.total_twd - view.redeemed_twd)
        assert view.no_change == (
            view.screen in {Screen.CONFIRM, Screen.SENDING, Screen.MORE_TIME}
            and view.total_twd is not None
            and view.redeemed_twd > view.total_twd
        )

    @invariant()
    def no_digits_and_no_whole_number_in_sight(self) -> None:
        view = show(self.state, self.now)
        shown = repr(view)
        if view.screen is Screen.DIGITS:
            assert set(view.entry) <= {"•"}
        if view.screen is not Screen.NUMBER:
            assert not any(voucher_no in shown for voucher_no in VOUCHERS)
        assert "typed=" not in repr(self.state) + repr(self.effects)
        self.effects.clear()

    @invariant()
    def nothing_is_held_in_two_ways(self) -> None:
        visit = visit_of(self.state.scene)
        if visit is not None:
            assert len(set(visit.held_nos)) == len(visit.held_nos) <= VOUCHERS_PER_ORDER_MAX

    @invariant()
    def what_cannot_be_cancelled_says_so(self) -> None:
        if isinstance(self.state.scene, at.Saving | at.Sending):
            assert not show(self.state, self.now).can_cancel
            assert (
                advance(self.state, KeyPressed(Key.CANCEL), self.now).state.scene
                == advance(self.state, Ticked(), self.now).state.scene
            )

    @invariant()
    def cancel_leads_home(self) -> None:
        """With enough red keys, and a little time for what cannot be cancelled, everybody gets out."""
        state, now = self.state, self.now
        for _ in range(12):
            now += 8
            state = advance(state, KeyPressed(Key.CANCEL), now).state
        assert isinstance(state.scene, at.Attract | at.OutOfOrder)
        assert isinstance(state.scene, at.Attract) == state.fit

    @invariant()
    def time_alone_leads_home_and_nothing_stays_held(self) -> None:
        state, now = self.state, self.now
        released: set[tuple[int, str]] = set()
        for _ in range(12):
            now += 60
            step = advance(state, Ticked(), now)
            state = step.state
            for effect in step.effects:
                if isinstance(effect, SendRelease):
                    released |= {(effect.visit, voucher_no) for voucher_no in effect.voucher_nos}
        assert isinstance(state.scene, at.Attract | at.OutOfOrder)
        asked = {(row.save.visit, voucher.voucher_no) for row in self.world.rows.values() for voucher in row.save.held}
        assert self.world.holds <= released | asked


Visits.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestVisits = Visits.TestCase
