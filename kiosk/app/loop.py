"""The one loop. Adapters put into one bounded queue, from whatever thread; one thread takes out, lets the visit advance,
has its effects carried out and shows what changed. Nothing else writes the state.

Rules kept here:

* An effect is carried out before the next event is looked at, so "saved" and "looked up" are answered at once.
* A visit hears of a final answer only after it is on the disk.
* A full queue drops what comes: an answer comes again, a key is pressed again. It is counted.
* The outbox's failures are the world's: they make the kiosk say that it is out of order, and it looks by itself whether that
  is over. Any other exception is a fault of ours, ends the program, and systemd starts it anew.
* Voucher numbers and digits are in no log line.
"""

import logging
import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from kiosk.app.answers import read_answer
from kiosk.app.checks import Checks
from kiosk.app.courier import Courier
from kiosk.app.hands import Hands
from kiosk.app.parts import Parts
from kiosk.domain.effects import Tune
from kiosk.domain.events import CodeScanned, Event, FitnessChanged, KeyPressed, LanguageChosen, LinkChanged, Ticked
from kiosk.domain.keys import Key
from kiosk.domain.scenes import Digits, begin
from kiosk.domain.screen import show
from kiosk.domain.view import Screen, View
from kiosk.domain.visit import advance
from kiosk.ports import CrashPoint
from protocol import envelope
from protocol.errors import PortError
from protocol.messages import DeviceState, encode_body
from protocol.topics import RequestKind
from protocol.voucher import decode_voucher

QUEUE_MAX: Final = 256
TICK_S: Final = 0.1
PROBE_S: Final = 5.0
"""How often a kiosk that is out of order tries whether it can save again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Scanned:
    content: bytes


@dataclass(frozen=True, slots=True)
class _Arrived:
    kind: RequestKind
    event: envelope.Event


class _Woken:
    """Something changed that does not fit a queue."""


_Input: TypeAlias = KeyPressed | LanguageChosen | _Scanned | _Arrived | _Woken


def play_nothing(_tune: Tune) -> None:
    """The page chooses its sounds by itself; this is for a kiosk with a buzzer."""


class App:
    """One kiosk."""

    def __init__(
        self, parts: Parts, *, on_view: Callable[[View], None], on_sound: Callable[[Tune], None] = play_nothing
    ) -> None:
        """Put together; nothing runs yet.

        Args:
            on_view: gets every new view, from the loop's thread; must neither block nor raise.
            on_sound: likewise every sound.
        """
        self._parts = parts
        self._on_view = on_view
        self._inputs: queue.Queue[_Input] = queue.Queue(QUEUE_MAX)
        self._stopping = threading.Event()
        self._is_connected = False
        self._connections = 0
        self._followed_connections = 0
        self._checks = Checks(parts.link, wait_s=parts.site.timing.answer_wait_s)
        self._courier = Courier(parts.outbox, parts.link, back_off=parts.back_off, passing=parts.passing)
        self._hands = Hands(parts, self._checks, self._courier, on_sound=on_sound)
        self._state = begin(parts.site, parts.clock.monotonic())
        self._view: View | None = None
        self._reported: bytes | None = None
        self._probe_at = 0.0
        self.dropped = 0
        """Inputs that found the queue full."""
        self.unauthentic = 0
        """Answers that nobody with our key made."""
        self.stale = 0
        """Authentic answers to nothing that is open: repeated or late ones."""

    # Called by adapters, from any thread -------------------------------------------------------------------------------

    def take_key(self, key: Key) -> None:
        """A key went down."""
        self._put(KeyPressed(key))

    def take_language(self, language: str) -> None:
        """A language was chosen."""
        self._put(LanguageChosen(language))

    def take_code(self, content: bytes) -> None:
        """A code came into sight."""
        self._put(_Scanned(content))

    def take_answer(self, kind: RequestKind, event: envelope.Event) -> None:
        """Something came back from the cloud's direction."""
        self._put(_Arrived(kind, event))

    def take_connection(self, connected: bool) -> None:
        """The link opened or closed."""
        # Not through the queue: whether we are connected must not be lost where the queue is full.
        self._is_connected = connected
        self._connections += connected
        self._put(_Woken())

    def stop(self) -> None:
        """End :meth:`run`, within :data:`TICK_S`."""
        # Called by a signal's code in the loop's own thread: it must take no lock that the loop may hold, so no queue.
        self._stopping.set()

    # The loop's thread -------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Take up what the outbox holds, start the link, show the first view.

        Raises:
            PortError: the outbox cannot be read.
        """
        now = self._parts.clock.monotonic()
        self._courier.load(now)
        self._report()
        self._parts.link.start(self.take_answer, self.take_connection)
        self._show(now)

    def run(self) -> None:
        """Turn until :meth:`stop`."""
        while not self._stopping.is_set():
            self.turn()

    def turn(self, wait_s: float = TICK_S) -> bool:
        """Wait for one input, at most ``wait_s`` seconds; handle it, and everything that time brings with it.

        Returns:
            Whether there was an input.
        """
        try:
            found: _Input | None = self._inputs.get(timeout=wait_s) if wait_s else self._inputs.get_nowait()
        except queue.Empty:
            found = None
        now = self._parts.clock.monotonic()
        self._follow_link(now)
        if found is not None:
            self._take(found, now)
        self._feed(Ticked(), now)
        self._checks.send_due(now)
        self._publish_due(now)
        self._mend(now)
        self._report()
        self._show(now)
        return found is not None

    def _put(self, found: _Input) -> None:
        try:
            self._inputs.put_nowait(found)
        except queue.Full:
            self.dropped += 1
            log.warning("the queue is full; %d inputs were dropped", self.dropped)

    def _take(self, found: _Input, now: float) -> None:
        match found:
            case KeyPressed() | LanguageChosen():
                self._feed(found, now)
                if (
                    isinstance(found, KeyPressed)
                    and isinstance(self._state.scene, Digits)
                    and len(self._state.scene.entry) == 1
                ):
                    self._parts.passing(CrashPoint.DURING_DIGITS)
            case _Scanned(content):
                self._feed(CodeScanned(decode_voucher(content, self._parts.trusted)), now)
            case _Arrived(kind, event):
                heard = self._believe(kind, event)
                if heard is not None:
                    self._feed(heard, now)
            case _Woken():
                pass
            case _:
                assert_never(found)

    def _believe(self, kind: RequestKind, event: envelope.Event) -> Event | None:
        answer = read_answer(kind, event, self._parts.device.keys.answer)
        if answer is None:
            self.unauthentic += 1
            log.warning("an answer on %s is not authentic; %d so far", kind, self.unauthentic)
            return None
        heard: Event | None = None
        if kind is RequestKind.CHECK:
            heard = self._checks.take(answer)
            if heard is not None:
                self._parts.passing(CrashPoint.CHECK_ANSWERED)
        elif kind is RequestKind.REDEEM:
            try:
                heard = self._courier.take(event, answer)
            except PortError as problem:
                log.error("an answer could not be saved: %s", problem)  # noqa: TRY400 - the sentence says it all
                return FitnessChanged(False)
        self.stale += heard is None and kind is not RequestKind.RELEASE
        return heard

    def _feed(self, event: Event, now: float) -> None:
        was_fit = self._state.fit
        events = deque([event])
        while events:
            step = advance(self._state, events.popleft(), now)
            self._state = step.state
            for effect in step.effects:
                events.extend(self._hands.carry_out(effect, now))
        if was_fit and not self._state.fit:
            self._probe_at = now + PROBE_S

    def _mend(self, now: float) -> None:
        if self._state.fit or now < self._probe_at:
            return
        self._probe_at = now + PROBE_S
        try:
            self._courier.probe()
        except PortError as problem:
            log.warning("still out of order: %s", problem)
        else:
            self._feed(FitnessChanged(True), now)

    def _publish_due(self, now: float) -> None:
        if not self._is_connected:
            return
        try:
            self._courier.publish_due(now)
        except PortError as problem:
            log.error("the outbox cannot be read: %s", problem)  # noqa: TRY400 - the sentence says it all
            self._feed(FitnessChanged(False), now)

    def _follow_link(self, now: float) -> None:
        connected, connections = self._is_connected, self._connections
        if connected != self._state.online:
            self._feed(LinkChanged(connected), now)
        if connections != self._followed_connections:
            self._followed_connections = connections
            self._courier.reconnected(now)
            self._checks.reconnected(now)

    def _report(self) -> None:
        parts = self._parts
        state = DeviceState(state="online", boot_id=parts.boot_id, version=parts.version, pending=self._courier.pending_count)
        body = encode_body(state)
        if body != self._reported:
            self._reported = body
            parts.link.report(body)

    def _show(self, now: float) -> None:
        view = show(self._state, now)
        if view == self._view:
            return
        before, self._view = self._view, view
        self._on_view(view)
        if view.screen in {Screen.DONE, Screen.REFUSED} and (before is None or before.screen is not view.screen):
            self._parts.passing(CrashPoint.AFTER_SCREEN)
