"""The keeper of a worker's sessions, with locks and a line that only remember."""

from collections.abc import Callable, Collection

import pytest

from cloud.adapters.session_keeper import SessionKeeper
from cloud.domain.shares import Standing
from protocol.errors import PortError
from tests.support.kiosk_client import wait_until


class Locks:
    """Locks of one worker among others."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.workers = 1
        self.mine: set[int] = set()
        self.others: set[int] = set()
        self.snatched: set[int] = set()
        """Taken by another between two looks."""
        self.failures: list[Exception] = []
        self.on_wait: Callable[[], None] = lambda: None

    def open(self) -> None:
        self.log.append("open")

    def standing(self) -> Standing:
        if self.failures:
            raise self.failures.pop(0)
        return Standing(self.workers, frozenset(self.mine), frozenset(self.others))

    def take(self, session: int) -> bool:
        if session in self.snatched:
            return False
        self.log.append(f"take {session}")
        self.mine.add(session)
        return True

    def give_back(self, session: int) -> None:
        self.log.append(f"give back {session}")
        self.mine.remove(session)

    def wait(self, wait_s: float) -> None:  # noqa: ARG002 - the port's signature
        self.on_wait()

    def wake(self) -> None:
        pass

    def close(self) -> None:
        self.log.append("close")
        self.mine.clear()


class Line:
    """Remembers what it was told."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.failure: Exception | None = None
        self.confirmed_at_s: list[float] = []

    def hold(self, session: int) -> None:
        self.log.append(f"hold {session}")

    def leave(self, sessions: Collection[int], *, wait_s: float) -> None:
        assert wait_s > 0
        self.log.append(f"leave {sorted(sessions)}")

    def drop_all(self) -> None:
        self.log.append("drop all")

    def confirm(self, at_s: float) -> None:
        self.confirmed_at_s.append(at_s)

    def when_lost(self, tell: Callable[[], None]) -> None:
        self.tell_lost = tell

    def fail(self, problem: Exception) -> None:
        self.failure = problem


class World:
    def __init__(self) -> None:
        self.log: list[str] = []
        self.locks = Locks(self.log)
        self.line = Line(self.log)
        self.now_s = 7.0
        self.keeper = SessionKeeper(self.locks, self.line, sessions=4, elapsed_s=lambda: self.now_s)


@pytest.fixture
def world() -> World:
    return World()


def test_a_lock_comes_before_its_session(world: World) -> None:
    world.keeper.look()
    assert world.log == [step for session in range(4) for step in (f"take {session}", f"hold {session}")]
    world.log.clear()
    world.keeper.look()
    assert world.log == []


def test_a_session_is_left_before_its_lock_is_given_back(world: World) -> None:
    world.keeper.look()
    world.log.clear()
    world.locks.workers = 2
    world.keeper.look()
    assert world.log == ["leave [2, 3]", "give back 3", "give back 2"]


def test_what_another_was_quicker_to_take_is_not_held(world: World) -> None:
    world.locks.snatched = {0, 2}
    world.keeper.look()
    assert world.log == ["take 1", "hold 1", "take 3", "hold 3"]


def test_what_was_seen_counts_from_before_the_question(world: World) -> None:
    seen = world.locks.standing

    def slowly() -> Standing:
        world.now_s += 3.0
        return seen()

    world.locks.standing = slowly  # type: ignore[method-assign]
    world.keeper.look()
    assert world.line.confirmed_at_s == [7.0, 10.0, 10.0, 10.0, 10.0]


def test_locks_that_cannot_be_seen_confirm_nothing(world: World) -> None:
    world.locks.failures = [PortError("gone", retry=True)]
    with pytest.raises(PortError):
        world.keeper.look()
    assert world.line.confirmed_at_s == []


def test_who_loses_the_locks_drops_everything_at_once_and_begins_anew(world: World) -> None:
    def lose_them_once() -> None:
        if world.log.count("open") == 1:
            world.locks.failures = [PortError("the connection broke", retry=True)]

    world.locks.on_wait = lose_them_once
    with world.keeper:
        wait_until(lambda: world.log.count("hold 3") == 2, what="the sessions to be held again")
    taken = [step for session in range(4) for step in (f"take {session}", f"hold {session}")]
    assert world.log == ["open", *taken, "drop all", "close"] * 2
    assert world.line.failure is None


@pytest.mark.parametrize("problem", [PortError("no such right", retry=False), ZeroDivisionError()])
def test_what_waiting_does_not_heal_reaches_whoever_takes_next(world: World, problem: Exception) -> None:
    world.locks.failures = [problem]
    with world.keeper:
        wait_until(lambda: world.line.failure is not None, what="the line to hear of it")
    assert world.line.failure is problem
    assert world.log == ["open", "drop all", "close"]
