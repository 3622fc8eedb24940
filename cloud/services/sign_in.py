"""Sign-in: who stands at the door.

Rules:

* An unknown login, a wrong password and a closed account get the same answer after the same work: one password is verified in
  each case, against a decoy where there is no account.
* Whoever has the login at another door only, and gives its password, is told which door that is (O-5): kind to the owner, and
  nothing that a guesser did not know already. They are not let in.
* Tries are counted before the password is looked at: :data:`LOGIN_TRIES_MAX` per login, whatever the door, and
  :data:`ADDRESS_TRIES_MAX` per address within the throttle's window. The right password clears the login's count, not the
  address's.

What a browser keeps after that (the session), and a second factor, are the web's matter.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cloud.ports.people import People, Person, Throttle

LOGIN_TRIES_MAX = 8
ADDRESS_TRIES_MAX = 40
"""Higher than for a login: a hotel's whole staff shares one address."""

LOGIN_LENGTH_MAX = 64
PASSWORD_LENGTH_MAX = 256
"""Longer passwords are refused unread: Argon2 would hash a megabyte as willingly."""


@dataclass(frozen=True, slots=True)
class SignInTry:
    """What somebody typed, and from where."""

    door: str
    login: str
    password: str = field(repr=False)
    address: str


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """How passwords are verified.

    ``verify(password_hash, password)`` tells whether they belong together; ``decoy_hash`` is a hash of the same cost that
    belongs to no account.
    """

    verify: Callable[[str, str], bool]
    decoy_hash: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Denied:
    """Nobody is let in; ``wait_s`` above 0 says when to try again, 0 that login and password do not match."""

    wait_s: int = 0
    staff_id: str | None = None
    """Whose login it was, for the trail. Never for the page."""


@dataclass(frozen=True, slots=True)
class WrongDoor:
    """Login and password are right, at another door."""

    person: Person


def sign_in(
    people: People, throttle: Throttle, passwords: PasswordCheck, attempt: SignInTry, *, now: datetime
) -> Person | WrongDoor | Denied:
    """Return the person, or why nobody is let in.

    Args:
        now: the real time (UTC), for the throttle's window; not a simulated calendar.
    """
    login_key = f"login {attempt.login.casefold()[:LOGIN_LENGTH_MAX]}"
    wait_s = throttle.admit(f"address {attempt.address}", tries_max=ADDRESS_TRIES_MAX, now=now) or throttle.admit(
        login_key, tries_max=LOGIN_TRIES_MAX, now=now
    )
    if wait_s:
        return Denied(wait_s)
    # PostgreSQL knows no text with a zero in it; nobody has such a login.
    fits = (
        len(attempt.login) <= LOGIN_LENGTH_MAX and attempt.login.isprintable() and len(attempt.password) <= PASSWORD_LENGTH_MAX
    )
    person = people.find_by_login(attempt.door, attempt.login) if fits else None
    # Asked for in every case: an unknown login must not be quicker, nor slower, than a known one.
    elsewhere = people.find_at_other_doors(attempt.door, attempt.login) if fits else None
    found = person or elsewhere
    known_hash = passwords.decoy_hash if found is None else found.password_hash
    matches = passwords.verify(known_hash, attempt.password if fits else "")
    if found is None or not found.active or not matches:
        return Denied(staff_id=None if found is None else found.staff_id)
    throttle.forget(login_key)
    return found if person is not None else WrongDoor(found)
