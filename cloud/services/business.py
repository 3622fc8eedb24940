"""What a merchant keeps up to date itself: contact (您的業者資料), sites, and the account it is paid to (撥款帳戶設定).

* A site is added by an approved merchant alone; names and addresses are corrected by any.
* A payout account belongs to the merchant: its holder's number is the merchant's business number, or a sole owner's own ID. The
  bank compares it and sends the money back where it differs (return code 05), so it is compared here first.
* A new account counts for every payout that is not made yet. A payout that is at the bank keeps the account it was made with.
* Whoever changes an account must have proved themselves just now (the pages see to that) and types the number twice. The change
  is told on the merchant's first page for :data:`NOTICE_FOR` and in the office's list: whoever did not do it shall see it.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from cloud.domain.banks import BankList
from cloud.domain.business import Contact, Slip, contact_slips, is_phone, tidy_contact
from cloud.domain.counties import area_of
from cloud.domain.identity import is_payee_id
from cloud.ports.merchants import Merchant, MerchantEvent, MerchantEventKind, MerchantStore, PayoutAccount, Place
from cloud.services.accounts import Hand
from cloud.services.apply import StaleError, changed_contact

NOTICE_FOR: Final = timedelta(days=7)
"""How long the first page says that the payout account was changed."""

SITE_NAME_LENGTH_MAX: Final = 60
"""It stands on the kiosk's screen."""

_LENGTHS_MAX: Final = {"name": SITE_NAME_LENGTH_MAX, "name_en": 100, "address": 120, "phone": 30}
_ACCOUNT_NAME_LENGTH_MAX: Final = 70
"""What a payment message has room for."""


@dataclass(frozen=True, slots=True)
class AccountForm:
    """A payout account as it was typed."""

    bank: str
    branch: str
    account_no: str = field(repr=False)
    account_no_again: str = field(repr=False)
    account_name: str
    payee_id: str = field(repr=False)


def payee_ids(merchant: Merchant) -> tuple[str, ...]:
    """Numbers of whom a merchant's account may belong to."""
    return (merchant.ubn, merchant.owner_id) if merchant.owner_id else (merchant.ubn,)


def change_contact(store: MerchantStore, merchant_id: str, contact: Contact, *, hand: Hand) -> list[Slip]:
    """Change how a merchant is reached; return what has to be put right, empty: it is changed."""
    contact = tidy_contact(contact)
    found = contact_slips(contact)
    if found:
        return found
    with store.begin() as transaction:
        before = transaction.find_merchant(merchant_id)
        if before is None:
            raise StaleError
        if contact != before.contact:
            transaction.save_contact(merchant_id, contact)
            detail = " ".join(changed_contact(before.contact, contact))
            transaction.note(_event("profile_changed", merchant_id, hand, detail))
    return []


def add_site(store: MerchantStore, place: Place, *, hand: Hand) -> list[Slip]:
    """Add a site; return what has to be put right, empty: it is added. Its id is the form's: what is sent twice is added once.

    Raises:
        StaleError: the merchant does not take part any more, or the id is another's.
    """
    place = _tidied(place)
    found = _site_slips(place)
    if found:
        return found
    with store.begin() as transaction:
        merchant = transaction.find_merchant(place.merchant_id)
        if merchant is None or merchant.state != "approved":
            raise StaleError
        there = transaction.find_place(place.site_id)
        if there is not None:
            if there.merchant_id != place.merchant_id:
                raise StaleError
            return []
        transaction.add_place(place, by=hand.person.staff_id, at=hand.at)
        transaction.note(_event("site_added", place.merchant_id, hand, place.site_id))
    return []


def change_site(store: MerchantStore, place: Place, *, hand: Hand) -> list[Slip]:
    """Correct a site's names, address and phone; return what has to be put right, empty: it is changed.

    Raises:
        StaleError: it is no site of this merchant.
    """
    place = _tidied(place)
    found = _site_slips(place)
    if found:
        return found
    with store.begin() as transaction:
        before = transaction.find_place(place.site_id)
        if before is None or before.merchant_id != place.merchant_id:
            raise StaleError
        if place != before:
            transaction.save_place(place, by=hand.person.staff_id, at=hand.at)
            transaction.note(_event("site_changed", place.merchant_id, hand, place.site_id))
    return []


def set_payout_account(store: MerchantStore, banks: BankList, merchant_id: str, form: AccountForm, *, hand: Hand) -> list[Slip]:
    """Name the account that a merchant is paid to from now on; return what has to be put right, empty: it is named."""
    form = _plain(form)
    with store.begin() as transaction:
        before = transaction.find_merchant(merchant_id)
        if before is None:
            raise StaleError
        found = _account_slips(form, banks, before)
        account = PayoutAccount(form.bank + form.branch, form.account_no, form.account_name, form.payee_id)
        if not found and account != before.account:
            transaction.save_account(before, account, by_staff_id=hand.person.staff_id, at=hand.at)
            detail = f"{account.bank_code} …{account.account_no[-4:]}"
            transaction.note(_event("account_changed", merchant_id, hand, detail))
    return found


def _account_slips(form: AccountForm, banks: BankList, merchant: Merchant) -> list[Slip]:
    problem = banks.problem_of(form.bank, form.branch, form.account_no)
    found = [] if problem is None else [Slip(*problem)]
    if problem is None and form.account_no != form.account_no_again:
        found.append(Slip("account_no_again", "differs"))
    if not 1 <= len(form.account_name) <= _ACCOUNT_NAME_LENGTH_MAX or not form.account_name.isprintable():
        found.append(Slip("account_name", "length"))
    if not is_payee_id(form.payee_id):
        found.append(Slip("payee_id", "number"))
    elif form.payee_id not in payee_ids(merchant):
        found.append(Slip("payee_id", "theirs"))
    return found


def _plain(form: AccountForm) -> AccountForm:
    """Numbers without the blanks and hyphens that bank books print."""
    strip = str.maketrans("", "", " -")
    return replace(
        form,
        bank=form.bank.strip(),
        branch=form.branch.translate(strip),
        account_no=form.account_no.translate(strip),
        account_no_again=form.account_no_again.translate(strip),
        account_name=form.account_name.strip(),
        payee_id=form.payee_id.strip().upper(),
    )


def _tidied(place: Place) -> Place:
    return replace(
        place,
        name=place.name.strip(),
        name_en=place.name_en.strip(),
        address=place.address.strip(),
        phone=tidy_contact(Contact(phone=place.phone)).phone,
    )


def _site_slips(place: Place) -> list[Slip]:
    texts = {name: getattr(place, name) for name in _LENGTHS_MAX}
    found = [Slip(name, "length") for name, text in texts.items() if len(text) > _LENGTHS_MAX[name] or not text.isprintable()]
    found += [Slip(name, "missing") for name in ("name", "address") if not texts[name]]
    if place.address and area_of(place.address).county is None:
        found.append(Slip("address", "county"))
    if place.phone and not is_phone(place.phone):
        found.append(Slip("phone", "form"))
    return found


def _event(kind: MerchantEventKind, merchant_id: str, hand: Hand, detail: str) -> MerchantEvent:
    return MerchantEvent(hand.at, kind, hand.person.staff_id, merchant_id=merchant_id, detail=detail)
