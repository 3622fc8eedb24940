"""Open programmes: bring the database to what a setup file says.

Safe to repeat. What exists is brought to the file's values, except what its owner may have changed since: passwords and payout
accounts. Nothing is ever removed, and three things never change: the face value of a programme that has vouchers and the
merchant of a site, because money hangs on them, and the last day of a programme whose holders are forgotten.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cloud.domain.setup import OFFICE_DOOR, MerchantSetup, OfficerSetup, Setup, SetupError, StaffSetup, check_setup, door_of
from cloud.ports.programmes import NewStaff, SetupStore, SetupTransaction, TakenError


@dataclass(frozen=True, slots=True)
class Loaded:
    """How much the file names, and how many accounts were made for it."""

    programmes: int
    item_categories: int
    merchants: int
    sites: int
    staff: int
    staff_added: int


def load_setup(store: SetupStore, setup: Setup, *, hash_password: Callable[[str], str]) -> Loaded:
    """Load a setup in one transaction.

    Args:
        hash_password: slow on purpose; called once per account that is new.

    Raises:
        SetupError: the setup is not sound in itself, or with what is stored. Nothing was written.
        PortError: the database failed. Nothing was written.
    """
    check_setup(setup)
    try:
        with store.begin() as transaction:
            _check_fixed(transaction, setup)
            transaction.save_programmes(setup.programmes)
            transaction.save_item_categories(setup.item_categories)
            transaction.save_merchants(setup.merchants)
            transaction.save_doors(setup.doors)
            known = transaction.staff_ids()
            people = [person for person in _people(setup) if person[1].staff_id not in known]
            transaction.add_staff([_new_staff(merchant, person, hash_password) for merchant, person in people])
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
    issued = transaction.issued_face_values()
    for programme in setup.programmes:
        if issued.get(programme.programme_id, programme.face_value_twd) != programme.face_value_twd:
            raise SetupError(f"Programme {programme.programme_id} has vouchers: its face value cannot change.")
    last_days = transaction.forgotten_programmes()
    for programme in setup.programmes:
        if last_days.get(programme.programme_id, programme.ends_on) != programme.ends_on:
            raise SetupError(f"The holders of programme {programme.programme_id} are forgotten: its last day cannot change.")
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
