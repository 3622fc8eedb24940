"""Sign-in: who stands at the door.

Rules:

* An unknown login, a wrong password and a closed account get the same answer after the same work: one password is verified in
  each case, against a decoy where there is no account.
* Tries are counted before the password is looked at: :data:`LOGIN_TRIES_MAX` per login and :data:`ADDRESS_TRIES_MAX` per
  address within the throttle's window. The right password clears the login's count, not the address's.

What a browser keeps after that (the session) is the web's matter.
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


def sign_in(
    people: People, throttle: Throttle, passwords: PasswordCheck, attempt: SignInTry, *, now: datetime
) -> Person | Denied:
    """Return the person, or why nobody is let in.

    Args:
        now: the real time (UTC), for the throttle's window; not a simulated calendar.
    """
    login_key = f"login {attempt.door} {attempt.login.casefold()[:LOGIN_LENGTH_MAX]}"
    wait_s = throttle.admit(f"address {attempt.address}", tries_max=ADDRESS_TRIES_MAX, now=now) or throttle.admit(
        login_key, tries_max=LOGIN_TRIES_MAX, now=now
    )
    if wait_s:
        return Denied(wait_s)
    fits = len(attempt.login) <= LOGIN_LENGTH_MAX and len(attempt.password) <= PASSWORD_LENGTH_MAX
    person = people.find_by_login(attempt.door, attempt.login) if fits else None
    known_hash = passwords.decoy_hash if person is None else person.password_hash
    matches = passwords.verify(known_hash, attempt.password if fits else "")
    if person is None or not person.active or not matches:
        return Denied()
    throttle.forget(login_key)
    return person
