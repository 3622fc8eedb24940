"""The line to the kiosks: every session of a region's broker that this worker holds, taken from as if it were one.

All sessions fill one bounded queue, so a worker has one round at a time, however many it holds. An answer leaves by the session
whose lanes its kiosk is on, and an acknowledgement by the very connection that brought the message, or not at all.

Who holds which session is not decided here (:mod:`cloud.adapters.session_keeper`).
"""

import select
import ssl
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final

from cloud.adapters.certificates import KeyPair
from cloud.adapters.mqtt_queues import Arrivals
from cloud.adapters.mqtt_session import RECEIVE_MAX, BrokerAddress, MqttSession
from cloud.ports.line import Delivery
from cloud.ports.meters import LineState, SessionState
from cloud.ports.sessions import SESSIONS_MAX
from protocol.envelope import Event
from protocol.errors import PortError
from protocol.topics import LANE_AT, LANES

LOOK_S: Final = 0.05
LEFT_S: Final = 0.2
"""When the worker has not read for so long, the network threads do: the broker must hear from us."""

CONFIRMED_S: Final = 5.0
"""How long the locks, once seen, count as held where a connection is to be made anew."""


def worker_tls(ca_pem: str, pair: KeyPair) -> ssl.SSLContext:
    """Build the TLS settings of a client: its own certificate, our authority only, TLS 1.2 or newer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_verify_locations(cadata=ca_pem)
    # OpenSSL reads keys from files only. The folder is closed to others and gone a moment later.
    with tempfile.TemporaryDirectory(prefix="vk-") as folder:
        path = Path(folder) / "pair.pem"
        path.touch(mode=0o600)
        path.write_text(pair.certificate_pem + pair.key_pem, encoding="ascii")
        context.load_cert_chain(path)
    return context


class MqttLine:
    """``Line`` and ``SessionLine`` on one broker. A context manager: leaving drops what is held."""

    def __init__(self, address: BrokerAddress, tls: Callable[[int], ssl.SSLContext], *, sessions: int = 1) -> None:
        """Nothing is held yet.

        Args:
            tls: makes the settings of a session, with a certificate of its name.
            sessions: of the region, all workers together.
        """
        self._address = address
        self._tls = tls
        self._sessions = sessions
        self._session_of = {lane: place % sessions for place, lane in enumerate(LANES)}
        self._arrived = Arrivals(RECEIVE_MAX)
        # By number. One place is one step to other threads; only one of them changes what is held.
        self._held: list[MqttSession | None] = [None] * SESSIONS_MAX
        self._leaving: deque[tuple[Sequence[MqttSession], threading.Event]] = deque()
        self._connections = count()
        self._reconnects = 0
        self._read_at_s = float("-inf")
        self._confirmed_at_s = float("-inf")
        self._tell_lost: Callable[[], None] = _tell_nobody
        self._failure: Exception | None = None

    def __enter__(self) -> "MqttLine":
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.drop_all()

    # The worker's side: see cloud.ports.line.Line ---------------------------------------------------------------------------

    def take(self, count_max: int, *, wait_s: float) -> Sequence[Delivery]:
        """Return what queued."""
        self.flush()
        while self._leaving:
            sessions, has_left = self._leaving.popleft()
            self._let_go(sessions)
            has_left.set()
        self._check()
        self._read(count_max)
        end_s = time.monotonic() + wait_s
        while not self._arrived and (left_s := end_s - time.monotonic()) > 0:
            # Not longer at a time: the network threads may put something there, and sessions may come.
            self._wait_for_any(min(left_s, LOOK_S))
            self._read(count_max)
        return self._live(self._arrived.take(count_max))

    def take_more(self, count_max: int) -> Sequence[Delivery]:
        """Return what queued. Nobody leaves yet: the round's answers are still to be sent."""
        self._read(count_max)
        return self._live(self._arrived.take(count_max))

    def _read(self, count_max: int) -> None:
        """Read until so many wait here, or nothing more has arrived."""
        self._read_at_s = time.monotonic()
        sessions = [session for session in self._held if session is not None]
        while len(self._arrived) < count_max:
            # All of them in turn, so that none waits behind another.
            if not sum([session.read() for session in sessions]):
                break

    def _wait_for_any(self, wait_s: float) -> None:
        poll = select.poll()
        for session in self._held:
            if session is not None and (number := session.fileno) >= 0:
                poll.register(number, select.POLLIN)
        poll.poll(wait_s * 1_000)

    def _live(self, taken: Sequence[Delivery]) -> Sequence[Delivery]:
        # What an earlier connection brought comes again on another: judging it now would only cost a second round.
        live = {session.connection for session in self._held if session is not None}
        return [delivery for delivery in taken if delivery.connection in live]

    def publish(self, topic: str, event: Event) -> None:
        """Send an answer with QoS 1, by the session of its lane; not at all where another worker holds that."""
        session = self._held[self._session_of[topic[LANE_AT]]]
        if session is not None:
            session.publish(topic, event)

    def acknowledge(self, delivery: Delivery) -> None:
        """Acknowledge on the connection that brought the message, or not at all."""
        session = self._held[delivery.connection % SESSIONS_MAX]
        if session is not None:
            session.acknowledge(delivery)

    def flush(self) -> None:
        """Hand everything to the network threads."""
        for session in self._held:
            if session is not None:
                session.flush()

    def state(self) -> LineState:
        """How it is at this moment; may be asked from any thread."""
        waiting = self._arrived.waiting_by(lambda delivery: delivery.connection % SESSIONS_MAX)
        states = []
        for number, session in enumerate(self._held[: self._sessions]):
            found = waiting.get(number, (0, None))
            states.append(SessionState(session is not None and session.is_connected, *found))
        return LineState(states, self._reconnects)

    # The keeper's side: see cloud.ports.sessions.SessionLine ------------------------------------------------------------------

    def hold(self, session: int) -> None:
        """Connect a session."""
        tls = self._tls(session)
        held = MqttSession(session, self._sessions, self._address, self._arrived, self)
        # Before it starts: what arrives for nobody is dropped, and would not come again on this connection.
        self._held[session] = held
        held.start(tls)

    def leave(self, sessions: Collection[int], *, wait_s: float) -> None:
        """Disconnect sessions between two rounds."""
        leaving = [held for session in sessions if (held := self._held[session]) is not None]
        has_left = threading.Event()
        self._leaving.append((leaving, has_left))
        has_left.wait(wait_s)
        self._let_go(leaving)
        _end(leaving)

    def drop_all(self) -> None:
        """Disconnect everything at once."""
        dropped = [held for held in self._held if held is not None]
        self._let_go(dropped)
        _end(dropped)

    def confirm(self, at_s: float) -> None:
        """The locks were held at that second."""
        self._confirmed_at_s = at_s

    def when_lost(self, tell: Callable[[], None]) -> None:
        """Tell when a connection has broken."""
        self._tell_lost = tell

    def fail(self, problem: Exception) -> None:
        """Tell whoever takes next."""
        self._failure = problem

    # What sessions ask: see cloud.adapters.mqtt_session.SessionOwner ----------------------------------------------------------

    def new_connection(self, session: int) -> int:
        """Return a number that no other connection has, and that says whose it is."""
        return next(self._connections) * SESSIONS_MAX + session

    def may_connect(self, *, since_s: float) -> bool:
        """Tell whether the sessions are known to be this worker's."""
        confirmed_at_s = self._confirmed_at_s
        return confirmed_at_s > since_s and time.monotonic() - confirmed_at_s < CONFIRMED_S

    def is_reading(self) -> bool:
        """Tell whether the worker reads itself."""
        return time.monotonic() - self._read_at_s < LEFT_S

    def lost(self) -> None:
        """A connection broke."""
        self._reconnects += 1
        self._tell_lost()

    def _let_go(self, sessions: Sequence[MqttSession]) -> None:
        for session in sessions:
            if self._held[session.number] is session:
                self._held[session.number] = None

    def _check(self) -> None:
        if self._failure is not None:
            if isinstance(self._failure, PortError):
                raise self._failure
            raise PortError("the keeper of the sessions failed", retry=False) from self._failure
        for session in self._held:
            if session is not None and session.has_died:
                raise PortError("the MQTT network thread has died", retry=False)


def _tell_nobody() -> None:
    """Where every session is always this worker's."""


def _end(sessions: Sequence[MqttSession]) -> None:
    # First all goodbyes, then the waits for them.
    for session in sessions:
        session.disconnect()
    for session in sessions:
        session.close()
