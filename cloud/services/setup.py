"""Open programmes: bring the database to what a setup file says.

Safe to repeat. What exists is brought to the file's values, except what its owner may have changed since: passwords, payout
accounts, sites that their merchant has changed, and the terms of a programme that the office has changed on its pages. Nothing
is ever removed, and what money hangs on never changes: the face value of a programme that has vouchers, and the merchant of a
site; nor the last day and the days of disputes of a programme whose holders are forgotten; nor does a budget fall below what
was issued. A programme whose terms are new or other than before gets a version of them, and an entry in the audit log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cloud.domain.retention import moved_after_forgetting
from cloud.domain.setup import OFFICE_DOOR, MerchantSetup, OfficerSetup, Setup, SetupError, StaffSetup, check_setup, door_of
from cloud.ports.programmes import NewStaff, SetupStore, SetupTransaction, TakenError
from cloud.services.audit import Act, record
from cloud.services.programmes import facts_of

ACTOR: Final = "cli"
"""Who changed it, where it was a file."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much the file names, and how many accounts were made for it."""

    programmes: int
    item_categories: int
    merchants: int
    sites: int
    staff: int
    staff_added: int


def load_setup(store: SetupStore, setup: Setup, *, hash_password: Callable[[str], str], now: datetime) -> Loaded:
    """Load a setup in one transaction.

    Args:
        hash_password: slow on purpose; called once per account that is new.
        now: since when what changes holds.

    Raises:
        SetupError: the setup is not sound in itself, or with what is stored. Nothing was written.
        PortError: the database failed. Nothing was written.
    """
    check_setup(setup)
    try:
        with store.begin() as transaction:
            _check_fixed(transaction, setup)
            changed = transaction.save_programmes(setup.programmes, by=ACTOR, at=now)
            transaction.save_item_categories(setup.item_categories)
            transaction.save_merchants(setup.merchants, by=ACTOR, at=now)
            transaction.save_doors(setup.doors)
            known = transaction.staff_ids()
            people = [person for person in _people(setup) if person[1].staff_id not in known]
            transaction.add_staff([_new_staff(merchant, person, hash_password) for merchant, person in people])
            for before, after in changed:
                act = Act(ACTOR, "programme.made" if before is None else "programme.changed", after.programme_id, now)
                record(transaction.audit, act, before=facts_of(before) if before else None, after=facts_of(after))
    except TakenError as problem:
        raise SetupError("A business number or a login of the setup file belongs to another id already.") from problem
    return Loaded(
        programmes=len(setup.programmes),
        item_categories=len(setup.item_categories),
        merchants=len(setup.merchants),
        sites=sum(len(merchant.sites) for merchant in setup.merchants),
        staff=len(_people(setup)),
        staff_added=len(people),
    )


def _check_fixed(transaction: SetupTransaction, setup: Setup) -> None:
    issued, forgotten = transaction.issued_face_values(), transaction.forgotten_programmes()
    for programme in setup.programmes:
        face_value_twd, issued_twd = issued.get(programme.programme_id, (programme.face_value_twd, 0))
        if face_value_twd != programme.face_value_twd:
            raise SetupError(f"Programme {programme.programme_id} has vouchers: its face value cannot change.")
        if moved_after_forgetting(forgotten.get(programme.programme_id, programme), programme):
            raise SetupError(
                f"The holders of programme {programme.programme_id} are forgotten: "
                "its last day and the days of disputes cannot change."
            )
        if programme.budget_twd is not None and programme.budget_twd < issued_twd:
            raise SetupError(f"Programme {programme.programme_id} has vouchers of {issued_twd} TWD: its budget cannot be less.")
    owners = transaction.merchant_of_sites()
    for merchant in setup.merchants:
        for site in merchant.sites:
            if owners.get(site.site_id, merchant.merchant_id) != merchant.merchant_id:
                raise SetupError(f"Site {site.site_id} belongs to another merchant.")


def _people(setup: Setup) -> list[tuple[MerchantSetup | None, StaffSetup | OfficerSetup]]:
    people: list[tuple[MerchantSetup | None, StaffSetup | OfficerSetup]] = [(None, officer) for officer in setup.office]
    return people + [(merchant, person) for merchant in setup.merchants for person in merchant.staff]


def _new_staff(
    merchant: MerchantSetup | None, person: StaffSetup | OfficerSetup, hash_password: Callable[[str], str]
) -> NewStaff:
    at_work = None if merchant is None or not isinstance(person, StaffSetup) else (merchant, person)
    return NewStaff(
        staff_id=person.staff_id,
        merchant_id=None if merchant is None else merchant.merchant_id,
        site_id=None if at_work is None else at_work[1].site_id,
        door=OFFICE_DOOR if at_work is None else door_of(*at_work),
        login=person.login,
        name=person.name,
        role=person.role,
        password_hash=hash_password(person.password),
    )
