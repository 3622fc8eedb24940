"""Apply: a business asks to take part, puts its application together at its own pace, and sends it.

* Whoever applies gets an account at once (role ``applicant``), which sees this one application and nothing else. So a draft
  can be left and gone on with from another computer. When the application is approved the same account becomes the
  merchant's admin.
* A draft may be half done. What is sent is whole: every slip is listed, and nothing is sent until there is none.
* What a reviewer has seen is kept: a paper that is taken back after the application was sent once stays in the office's file.
* Every change is noted in the same transaction.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from cloud.domain.attachments import BYTES_MAX, FILES_MAX, PAPERS, Paper, file_kind, missing_papers
from cloud.domain.business import Business, Contact, Slip, first_slips, slips, tidy, unfit
from cloud.domain.calendar import day_of
from cloud.domain.merchants import EDITABLE, ApplicationAction, application_after, standing
from cloud.domain.passwords import weakness_of
from cloud.ports.accounts import AccountEvent
from cloud.ports.merchants import Application, MerchantEvent, MerchantEventKind, MerchantStore, MerchantTransaction, SentPaper
from cloud.ports.people import MERCHANT_DOORS
from cloud.ports.programmes import NewStaff, TakenError
from cloud.services.accounts import LOGIN_LENGTH_MAX, NAME_LENGTH_MAX, Hand, PasswordRules

FILE_NAME_LENGTH_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class FirstAccount:
    """The first admin's account, as it was typed."""

    login: str
    name: str
    password: str

    def __repr__(self) -> str:
        return f"FirstAccount({self.login!r})"


@dataclass(frozen=True, slots=True)
class NewIds:
    """Ids that were minted for a new application."""

    application_id: UUID
    staff_id: str


class StaleError(Exception):
    """The application is not what it was when the page was shown: it must be looked at again. Nothing was changed."""


def start_application(
    store: MerchantStore, rules: PasswordRules, business: Business, account: FirstAccount, *, ids: NewIds, hand: AccountEvent
) -> list[Slip]:
    """Begin an application, with an account for whoever applies.

    Args:
        hand: when and from where; who it is follows from the ids.

    Returns:
        What has to be put right first; empty: it is begun.
    """
    business = tidy(business)
    found = [*first_slips(business, categories=MERCHANT_DOORS), *_account_slips(account, rules)]
    if found:
        return found
    now = hand.happened_at
    new = NewStaff(
        staff_id=ids.staff_id,
        merchant_id=None,
        site_id=None,
        door=business.merchant_category,
        login=account.login,
        name=account.name,
        role="applicant",
        password_hash=rules.hash(account.password),
    )
    try:
        with store.begin() as transaction:
            if transaction.is_merchant(business.ubn):
                return [Slip("ubn", "merchant")]
            transaction.add_application(Application(ids.application_id, ids.staff_id, "draft", 1, business, now), new)
            transaction.note(MerchantEvent(now, "started", ids.staff_id, ids.application_id))
            transaction.note_account(replace(hand, staff_id=ids.staff_id, door=new.door))
    except TakenError:
        return [Slip("login", "taken")]
    return []


def open_slips(application: Application, papers: Collection[SentPaper]) -> tuple[list[Slip], list[Paper]]:
    """What is still missing from an application: fields, and papers."""
    sent = {one.paper for one in papers if one.removed_at is None}
    return slips(application.business, categories=MERCHANT_DOORS), missing_papers(sent)


def save_draft(store: MerchantStore, application_id: UUID, business: Business, *, version: int, hand: Hand) -> list[Slip]:
    """Keep what was typed, however much of it is missing.

    The category is fixed when the application begins: it is the door of its account.

    Returns:
        What does not fit into the form; empty: it is kept.

    Raises:
        StaleError: it was changed meanwhile, or cannot be changed any more.
    """
    with store.begin() as transaction:
        before = _editable(transaction, application_id, hand, version)
        kept = tidy(replace(business, merchant_category=before.business.merchant_category))
        found = list(unfit(kept))
        if found or kept == before.business:
            return found
        transaction.save_application(replace(before, business=kept, version=before.version + 1))
        transaction.note(_event(before, "saved", hand, detail=_changed(before.business, kept)))
    return []


def add_paper(
    store: MerchantStore, application_id: UUID, content: bytes, *, paper_id: UUID, paper: str, file_name: str, hand: Hand
) -> Slip | None:
    """Add a paper to an application.

    Returns:
        Why it was not taken, or None: it is kept.

    Raises:
        StaleError: the application cannot be changed any more.
    """
    kind = file_kind(content)
    wanted = next((one for one in PAPERS if one == paper), None)
    slip = _paper_slip(content)
    if slip is not None or kind is None or wanted is None:
        return slip or Slip("paper", "choose")
    with store.begin() as transaction:
        before = _editable(transaction, application_id, hand, None)
        there = transaction.papers(application_id)
        sha256 = hashlib.sha256(content).digest()
        if any(one.sha256 == sha256 and one.paper == wanted and one.removed_at is None for one in there):
            # The button was pressed twice.
            return None
        if len(there) >= FILES_MAX:
            return Slip("file", "many")
        name = "".join(each for each in file_name if each.isprintable())[-FILE_NAME_LENGTH_MAX:]
        sent = SentPaper(paper_id, application_id, wanted, kind, name, len(content), sha256, hand.at)
        transaction.add_paper(sent, content)
        transaction.save_application(replace(before, version=before.version + 1))
        transaction.note(_event(before, "paper_added", hand, detail=f"{wanted} {sha256.hex()[:16]}"))
    return None


def remove_paper(store: MerchantStore, application_id: UUID, paper_id: UUID, *, hand: Hand) -> bool:
    """Take a paper back; False where there is no such paper.

    Raises:
        StaleError: the application cannot be changed any more.
    """
    with store.begin() as transaction:
        before = _editable(transaction, application_id, hand, None)
        there = {one.paper_id: one for one in transaction.papers(application_id) if one.removed_at is None}
        paper = there.get(paper_id)
        if paper is None:
            return False
        if before.submitted_at is None:
            transaction.drop_paper(paper_id)
        else:
            transaction.take_paper_back(paper_id, hand.at)
        transaction.save_application(replace(before, version=before.version + 1))
        transaction.note(_event(before, "paper_removed", hand, detail=f"{paper.paper} {paper.sha256.hex()[:16]}"))
    return True


def submit(store: MerchantStore, application_id: UUID, *, hand: Hand) -> tuple[list[Slip], list[Paper]]:
    """Send an application to the office, for the first time or corrected.

    Returns:
        What is missing; both empty: it is sent.

    Raises:
        StaleError: it cannot be sent any more.
    """
    with store.begin() as transaction:
        before = _editable(transaction, application_id, hand, None)
        found, papers = open_slips(before, transaction.papers(application_id))
        if transaction.is_merchant(before.business.ubn):
            found.append(Slip("ubn", "merchant"))
        if not found and not papers:
            _take(transaction, before, "submit", hand.at)
            transaction.note(_event(before, "submitted", hand))
    return found, papers


def start_again(store: MerchantStore, application_id: UUID, *, hand: Hand) -> None:
    """Go back to a draft after a rejection or a lapse; what was written and sent is still there.

    Raises:
        StaleError: it is neither rejected nor lapsed.
    """
    with store.begin() as transaction:
        before = _own(transaction, application_id, hand)
        _take(transaction, before, "start_again", hand.at)
        transaction.note(_event(before, "started_again", hand))


def _take(transaction: MerchantTransaction, before: Application, action: ApplicationAction, now: datetime) -> None:
    state = application_after(standing(before.state, before.correct_by, day_of(now)), action)
    if state is None:
        raise StaleError
    sent_at = now if action == "submit" else before.submitted_at
    transaction.save_application(
        replace(before, state=state, version=before.version + 1, submitted_at=sent_at, correct_by=None)
    )


def _own(transaction: MerchantTransaction, application_id: UUID, hand: Hand) -> Application:
    found = transaction.find_application(application_id)
    if found is None or found.staff_id != hand.person.staff_id:
        raise StaleError
    return found


def _editable(transaction: MerchantTransaction, application_id: UUID, hand: Hand, version: int | None) -> Application:
    found = _own(transaction, application_id, hand)
    if standing(found.state, found.correct_by, day_of(hand.at)) not in EDITABLE or version not in (None, found.version):
        raise StaleError
    return found


def _event(application: Application, kind: MerchantEventKind, hand: Hand, *, detail: str = "") -> MerchantEvent:
    return MerchantEvent(hand.at, kind, hand.person.staff_id, application.application_id, detail=detail)


def _account_slips(account: FirstAccount, rules: PasswordRules) -> list[Slip]:
    found = []
    if not 1 <= len(account.name) <= NAME_LENGTH_MAX or not account.name.isprintable():
        found.append(Slip("name", "length"))
    if not 1 <= len(account.login) <= LOGIN_LENGTH_MAX or not account.login.isprintable() or " " in account.login:
        found.append(Slip("login", "length"))
    weakness = weakness_of(account.password, personal=(account.login, account.name), is_common=rules.is_common)
    return found if weakness is None else [*found, Slip("password", weakness)]


def _paper_slip(content: bytes) -> Slip | None:
    if not content:
        return Slip("file", "missing")
    if len(content) > BYTES_MAX:
        return Slip("file", "large")
    return Slip("file", "kind") if file_kind(content) is None else None


def _changed(before: Business, after: Business) -> str:
    """Which fields; not their values: the trail is kept longer than a telephone number may be."""
    names = [one.name for one in fields(Business) if one.name != "contact"]
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    return " ".join(changed + changed_contact(before.contact, after.contact))


def changed_contact(before: Contact, after: Contact) -> list[str]:
    """Which fields of a contact differ."""
    return [one.name for one in fields(Contact) if getattr(before, one.name) != getattr(after, one.name)]
