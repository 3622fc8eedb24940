"""Accounts, made and changed by those who may: a merchant's admin for its scan staff (V-S2), the programme office for itself.

Rules:

* Whose accounts one may touch is decided here, once, by :func:`may_change`. An account of somebody else is answered like one
  that does not exist.
* An account is never deleted: it is closed, and its name stays on old transactions (O-7). Closing it, or giving it a new
  password, ends every open session of it in the same transaction.
* Nobody closes their own account or takes their own role away: a programme without an admin has nobody to make one.
* Every change is noted in the same transaction.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from cloud.domain.passwords import IsCommon, Weakness, weakness_of
from cloud.ports.accounts import AccountChange, AccountEvent, AccountStore, EventKind
from cloud.ports.people import OFFICE_DOOR, OFFICE_ROLES, SCAN_DOOR, Person
from cloud.ports.programmes import NewStaff, TakenError

LOGIN_LENGTH_MAX = 64
NAME_LENGTH_MAX = 60


class NotTheirsError(Exception):
    """There is no such account that this person may change."""


@dataclass(frozen=True, slots=True)
class AccountForm:
    """What somebody typed; an empty password on a change means: keep the one there is."""

    name: str
    login: str
    role: str
    site_id: str | None
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class FormProblem:
    """Which field needs another value, and why. Nothing was changed."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Hand:
    """Who does it, when and from where."""

    person: Person
    at: datetime
    address: str

    def event(self, kind: EventKind, staff_id: str, detail: str = "") -> AccountEvent:
        """The line of the trail."""
        by = None if staff_id == self.person.staff_id else self.person.staff_id
        return AccountEvent(self.at, kind, staff_id, self.person.door, self.address, by, detail)


@dataclass(frozen=True, slots=True)
class PasswordRules:
    """How a new password is judged and kept."""

    hash: Callable[[str], str]
    is_common: IsCommon


def may_change(person: Person, account: Person) -> bool:
    """Tell whether ``person`` looks after ``account``."""
    if person.role == "merchant_admin":
        return account.role == "scan_staff" and account.merchant_id == person.merchant_id
    return person.role == "programme_admin" and account.role != "scan_staff"


def add_account(
    store: AccountStore, rules: PasswordRules, hand: Hand, form: AccountForm, *, staff_id: str, sites: frozenset[str]
) -> FormProblem | None:
    """Make an account: scan staff for a merchant's admin, office people for a programme admin.

    Args:
        staff_id: the new account's id.
        sites: where the merchant's scan staff may stand.

    Returns:
        What has to be corrected, or None: it is made.
    """
    problem = _problem(form, sites=sites, roles=_roles_for_new(hand.person)) or _password_problem(form, rules)
    if problem is not None:
        return problem
    account = NewStaff(
        staff_id=staff_id,
        merchant_id=hand.person.merchant_id,
        site_id=form.site_id if form.role == "scan_staff" else None,
        door=SCAN_DOOR if form.role == "scan_staff" else OFFICE_DOOR,
        login=form.login,
        name=form.name,
        role=form.role,
        password_hash=rules.hash(form.password),
    )
    try:
        with store.begin() as transaction:
            transaction.add(account)
            transaction.note(hand.event("account_added", staff_id, form.role))
    except TakenError:
        return FormProblem("login", "taken")
    return None


def change_account(
    store: AccountStore, rules: PasswordRules, hand: Hand, account: Person, form: AccountForm, *, sites: frozenset[str]
) -> FormProblem | None:
    """Change name, login, role, site or password of an account that this person looks after.

    Raises:
        NotTheirsError: it is none of theirs.
    """
    _check_theirs(hand, account)
    own = account.staff_id == hand.person.staff_id
    roles = (account.role,) if own or account.role not in OFFICE_ROLES else OFFICE_ROLES
    problem = _problem(form, sites=sites, roles=roles) or (_password_problem(form, rules) if form.password else None)
    if problem is not None:
        return problem
    change = AccountChange(form.name, form.login, form.role, form.site_id, rules.hash(form.password) if form.password else None)
    try:
        with store.begin() as transaction:
            transaction.change(account.staff_id, change)
            transaction.note(hand.event("account_changed", account.staff_id, _changed(account, form)))
            if form.password or form.role != account.role:
                transaction.end_sessions(account.staff_id)
    except TakenError:
        return FormProblem("login", "taken")
    return None


def set_account_active(store: AccountStore, hand: Hand, account: Person, *, active: bool) -> None:
    """Close an account, or open it again. Closing ends its sessions at once.

    Raises:
        NotTheirsError: it is none of theirs, or their own.
    """
    _check_theirs(hand, account)
    if account.staff_id == hand.person.staff_id:
        raise NotTheirsError
    with store.begin() as transaction:
        if transaction.set_active(account.staff_id, active):
            transaction.note(hand.event("account_opened" if active else "account_closed", account.staff_id))
        if not active:
            transaction.end_sessions(account.staff_id)


def reset_factors(store: AccountStore, hand: Hand, account: Person) -> None:
    """Forget second factor, recovery codes and passkeys of somebody who lost them; ends their sessions.

    Raises:
        NotTheirsError: it is none of theirs, or their own: who is signed in can set up another one.
    """
    _check_theirs(hand, account)
    if account.staff_id == hand.person.staff_id:
        raise NotTheirsError
    with store.begin() as transaction:
        transaction.drop_factors(account.staff_id)
        transaction.end_sessions(account.staff_id)
        transaction.note(hand.event("factors_reset", account.staff_id))


def change_own_password(store: AccountStore, rules: PasswordRules, hand: Hand, password: str) -> Weakness | None:
    """Give oneself a new password. Every session of the account ends, this one too: the caller opens a new one.

    Returns:
        What is wrong with it, or None: it is changed.
    """
    weakness = weakness_of(password, personal=(hand.person.login, hand.person.name), is_common=rules.is_common)
    if weakness is None:
        password_hash = rules.hash(password)
        with store.begin() as transaction:
            transaction.set_password(hand.person.staff_id, password_hash)
            transaction.end_sessions(hand.person.staff_id)
            transaction.note(hand.event("password_changed", hand.person.staff_id))
    return weakness


def end_other_sessions(store: AccountStore, hand: Hand, *, but: bytes) -> int:
    """Sign oneself out everywhere else; return how many sessions that were."""
    with store.begin() as transaction:
        ended = transaction.end_sessions(hand.person.staff_id, but=but)
        if ended:
            transaction.note(hand.event("sessions_ended", hand.person.staff_id, str(ended)))
    return ended


def _roles_for_new(person: Person) -> tuple[str, ...]:
    return ("scan_staff",) if person.role == "merchant_admin" else OFFICE_ROLES


def _check_theirs(hand: Hand, account: Person) -> None:
    if not may_change(hand.person, account):
        raise NotTheirsError


def _problem(form: AccountForm, *, sites: frozenset[str], roles: tuple[str, ...]) -> FormProblem | None:
    if not 1 <= len(form.name) <= NAME_LENGTH_MAX or not form.name.isprintable():
        return FormProblem("name", "length")
    if not 1 <= len(form.login) <= LOGIN_LENGTH_MAX or not form.login.isprintable() or " " in form.login:
        return FormProblem("login", "length")
    if form.role not in roles:
        return FormProblem("role", "choose")
    if form.role == "scan_staff" and form.site_id not in sites:
        return FormProblem("site", "choose")
    return None


def _password_problem(form: AccountForm, rules: PasswordRules) -> FormProblem | None:
    weakness = weakness_of(form.password, personal=(form.login, form.name), is_common=rules.is_common)
    return None if weakness is None else FormProblem("password", weakness)


def _changed(account: Person, form: AccountForm) -> str:
    """Which fields; not their values: the trail is kept longer than a name may be."""
    pairs = {
        "name": (account.name, form.name),
        "login": (account.login, form.login),
        "role": (account.role, form.role),
        "site": (account.site_id, form.site_id),
    }
    names = [name for name, (before, after) in pairs.items() if before != after]
    return " ".join([*names, *(["password"] if form.password else [])])
