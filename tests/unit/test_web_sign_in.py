"""Who is let in, and how guessing is slowed down."""

from dataclasses import replace

import pytest

from cloud.ports.people import Person
from cloud.services.sign_in import ADDRESS_TRIES_MAX, LOGIN_TRIES_MAX, Denied, PasswordCheck, SignInTry, WrongDoor, sign_in
from cloud.web.throttle import MemoryThrottle
from tests.fakes.web_people import FakePeople, PlainPasswords, StillClock

ADMIN = Person("boan-admin", "陳宥安", "lodging", "boan", "merchant_admin", True, "hash of right-password", "boan-hotel")
RIGHT = SignInTry("lodging", "boan", "right-password", "10.0.0.1")


class Desk:
    """Everything that sign-in needs, in memory."""

    def __init__(self, *people: Person) -> None:
        self.people = FakePeople(people)
        self.throttle = MemoryThrottle()
        self.passwords = PlainPasswords()
        self.clock = StillClock()

    def try_in(self, attempt: SignInTry) -> Person | WrongDoor | Denied:
        check = PasswordCheck(self.passwords.verify, "hash of nobody's password")
        return sign_in(self.people, self.throttle, check, attempt, now=self.clock.now())


def test_right_password_lets_in() -> None:
    assert Desk(ADMIN).try_in(RIGHT) == ADMIN


@pytest.mark.parametrize(
    "attempt",
    [
        replace(RIGHT, password="wrong-password"),
        replace(RIGHT, login="nobody"),
        replace(RIGHT, door="amusement", password="wrong-password"),
        replace(RIGHT, login="boan" * 100),
        replace(RIGHT, password="right-password" * 100),
        replace(RIGHT, login="nobody", password="nobody's password"),
    ],
    ids=[
        "wrong password",
        "unknown login",
        "door of another category, wrong password",
        "long login",
        "long password",
        "decoy's password",
    ],
)
def test_all_else_is_denied_with_the_same_words_and_work(attempt: SignInTry) -> None:
    desk = Desk(ADMIN)
    denied = desk.try_in(attempt)
    assert isinstance(denied, Denied)
    assert denied.wait_s == 0
    assert desk.passwords.verified == 1


def test_right_password_at_another_door_is_told_which_one() -> None:
    desk = Desk(ADMIN)
    assert desk.try_in(replace(RIGHT, door="amusement")) == WrongDoor(ADMIN)
    assert desk.passwords.verified == 1, "and costs no more than any other try"


def test_whoever_has_the_login_at_this_door_is_meant() -> None:
    namesake = replace(ADMIN, staff_id="a-namesake", door="amusement", password_hash="hash of another-password")
    desk = Desk(ADMIN, namesake)
    assert desk.try_in(RIGHT) == ADMIN
    assert desk.try_in(replace(RIGHT, door="amusement")) == Denied(staff_id="a-namesake")


def test_closed_account_is_not_shown_its_door() -> None:
    desk = Desk(replace(ADMIN, active=False))
    assert desk.try_in(replace(RIGHT, door="amusement")) == Denied()


def test_tries_at_all_doors_count_together() -> None:
    desk = Desk(ADMIN)
    doors = ("lodging", "amusement", "scan", "office")
    for count in range(LOGIN_TRIES_MAX):
        desk.try_in(replace(RIGHT, door=doors[count % len(doors)], password="guess"))
    denied = desk.try_in(RIGHT)
    assert isinstance(denied, Denied)
    assert denied.wait_s > 0


def test_closed_account_is_denied_like_a_wrong_password() -> None:
    desk = Desk(replace(ADMIN, active=False))
    assert desk.try_in(RIGHT) == Denied(staff_id="boan-admin")
    assert desk.passwords.verified == 1


def test_login_is_throttled_and_the_right_password_too() -> None:
    desk = Desk(ADMIN)
    for _ in range(LOGIN_TRIES_MAX):
        assert desk.try_in(replace(RIGHT, password="guess")) == Denied(staff_id="boan-admin")
    denied = desk.try_in(RIGHT)
    assert isinstance(denied, Denied)
    assert denied.wait_s == 15 * 60 + 1
    assert desk.passwords.verified == LOGIN_TRIES_MAX, "what must wait costs no hash"
    desk.clock.advance(seconds=denied.wait_s)
    assert desk.try_in(RIGHT) == ADMIN


def test_unknown_logins_are_throttled_alike() -> None:
    desk = Desk(ADMIN)
    outcomes = [desk.try_in(replace(RIGHT, login="nobody")) for _ in range(LOGIN_TRIES_MAX + 1)]
    assert [one.wait_s > 0 for one in outcomes if isinstance(one, Denied)] == [False] * LOGIN_TRIES_MAX + [True]


def test_success_clears_the_login_but_not_the_address() -> None:
    desk = Desk(ADMIN)
    for _ in range(ADDRESS_TRIES_MAX):
        assert desk.try_in(RIGHT) == ADMIN
    assert isinstance(desk.try_in(RIGHT), Denied)
    assert desk.try_in(replace(RIGHT, address="10.0.0.2")) == ADMIN


def test_address_is_throttled_over_many_logins() -> None:
    desk = Desk(ADMIN)
    for count in range(ADDRESS_TRIES_MAX):
        assert desk.try_in(replace(RIGHT, login=f"nobody{count}")) == Denied()
    denied = desk.try_in(replace(RIGHT, login="another"))
    assert isinstance(denied, Denied)
    assert denied.wait_s > 0


def test_throttle_forgets_the_oldest_key_at_its_limit() -> None:
    throttle, clock = MemoryThrottle(keys_max=2), StillClock()
    for key in ("a", "b", "c"):
        assert throttle.admit(key, tries_max=1, now=clock.now()) == 0
    assert throttle.admit("c", tries_max=1, now=clock.now()) > 0
    assert throttle.admit("a", tries_max=1, now=clock.now()) == 0


def test_password_is_not_in_the_repr() -> None:
    assert "right-password" not in repr(RIGHT) + repr(ADMIN)
