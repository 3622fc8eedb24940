"""Applications and merchants in the database, for :mod:`cloud.ports.merchants`. What is only read: :mod:`.merchant_lists`."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine, RowMapping, Select, delete, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql import merchant_lists as lists
from cloud.adapters.sql.accounts import note
from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.site_places import PLACE, write_places
from cloud.adapters.sql.tables import (
    application,
    application_paper,
    merchant,
    merchant_event,
    merchant_profile,
    payout_account_change,
    site,
    staff,
    web_session,
)
from cloud.adapters.sql.transactions import reading, upsert, writing
from cloud.domain.audit import AuditFact, make_fact
from cloud.domain.business import Business, Contact
from cloud.domain.merchants import ApplicationState, MerchantState
from cloud.ports.accounts import AccountEvent
from cloud.ports.merchants import (
    ROWS_PER_PAGE,
    AccountChange,
    Application,
    ApplicationFilter,
    ApplicationRow,
    Merchant,
    MerchantEvent,
    MerchantFilter,
    MerchantRow,
    PayoutAccount,
    Place,
    SentPaper,
    Told,
)
from cloud.ports.programmes import NewStaff, TakenError

_PAPER = [application_paper.c[one.name] for one in fields(SentPaper)]
_CONTACT = tuple(one.name for one in fields(Contact))
_BUSINESS = tuple(one.name for one in fields(Business) if one.name != "contact")
_MERCHANT = (
    select(
        merchant,
        merchant_profile.c.owner_id,
        *(merchant_profile.c[name] for name in _CONTACT),
        application.c.application_id,
    )
    .outerjoin(merchant_profile, merchant_profile.c.merchant_id == merchant.c.merchant_id)
    .outerjoin(application, application.c.merchant_id == merchant.c.merchant_id)
)

_DECISIONS = frozenset({"returned", "approved", "rejected", "suspended", "resumed", "terminated"})
"""What the programme office decides about a business."""


class SqlMerchantStore:
    """``MerchantStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        try:
            with writing(self._engine) as connection:
                transaction = _Transaction(connection)
                yield transaction
                transaction.record_decisions()
        except IntegrityError as problem:
            raise TakenError from problem

    def application_of(self, staff_id: str) -> Application | None:
        return self._application(select(application).where(application.c.staff_id == staff_id))

    def find_application(self, application_id: UUID) -> Application | None:
        return self._application(select(application).where(application.c.application_id == application_id))

    def applications(self, wanted: ApplicationFilter, *, today: date, page_no: int = 1) -> tuple[Sequence[ApplicationRow], int]:
        with reading(self._engine) as connection:
            return lists.find_applications(connection, wanted, today=today, page_no=page_no)

    def application_counts(self, *, today: date) -> dict[ApplicationState, int]:
        with reading(self._engine) as connection:
            return lists.count_applications(connection, today=today)

    def papers(self, application_id: UUID) -> Sequence[SentPaper]:
        with reading(self._engine) as connection:
            return _papers(connection, application_id)

    def find_paper(self, paper_id: UUID) -> tuple[SentPaper, bytes] | None:
        wanted = select(*_PAPER, application_paper.c.content).where(application_paper.c.paper_id == paper_id)
        with reading(self._engine) as connection:
            row = connection.execute(wanted).mappings().one_or_none()
        return None if row is None else (_paper_of(row), bytes(row["content"]))

    def find_merchant(self, merchant_id: str) -> Merchant | None:
        with reading(self._engine) as connection:
            return _find_merchant(connection, _MERCHANT.where(merchant.c.merchant_id == merchant_id))

    def merchants(self, wanted: MerchantFilter, *, page_no: int = 1) -> tuple[Sequence[MerchantRow], int]:
        with reading(self._engine) as connection:
            return lists.find_merchants(connection, wanted, page_no=page_no)

    def places(self, merchant_id: str) -> Sequence[Place]:
        wanted = PLACE.where(site.c.merchant_id == merchant_id).order_by(site.c.name, site.c.site_id)
        with reading(self._engine) as connection:
            return [Place(**row) for row in connection.execute(wanted).mappings()]

    def account_changes(
        self, *, merchant_id: str | None = None, since: datetime | None = None, limit: int = ROWS_PER_PAGE
    ) -> Sequence[AccountChange]:
        with reading(self._engine) as connection:
            return lists.find_account_changes(connection, merchant_id=merchant_id, since=since, limit=limit)

    def trail(self, *, application_id: UUID | None = None, merchant_id: str | None = None) -> Sequence[Told]:
        with reading(self._engine) as connection:
            return lists.find_trail(connection, application_id=application_id, merchant_id=merchant_id)

    def _application(self, wanted: Select[Any]) -> Application | None:
        with reading(self._engine) as connection:
            return _find_application(connection, wanted)


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._decisions: list[AuditFact] = []

    def find_application(self, application_id: UUID) -> Application | None:
        # Locked on PostgreSQL; on SQLite a writer has the database to itself.
        wanted = select(application).where(application.c.application_id == application_id).with_for_update()
        return _find_application(self._connection, wanted)

    def find_merchant(self, merchant_id: str) -> Merchant | None:
        wanted = _MERCHANT.where(merchant.c.merchant_id == merchant_id).with_for_update(of=merchant)
        return _find_merchant(self._connection, wanted)

    def find_place(self, site_id: str) -> Place | None:
        row = self._connection.execute(PLACE.where(site.c.site_id == site_id)).mappings().one_or_none()
        return None if row is None else Place(**row)

    def papers(self, application_id: UUID) -> Sequence[SentPaper]:
        return _papers(self._connection, application_id)

    def is_merchant(self, ubn: str) -> bool:
        return bool(self._connection.scalar(select(exists().where(merchant.c.ubn == ubn))))

    def add_application(self, new: Application, account: NewStaff) -> None:
        self._connection.execute(insert(staff).values(**asdict(account), active=True))
        self._connection.execute(insert(application).values(_application_row(new)))

    def save_application(self, changed: Application) -> None:
        which = application.c.application_id == changed.application_id
        self._connection.execute(update(application).where(which).values(_application_row(changed)))

    def add_paper(self, paper: SentPaper, content: bytes) -> None:
        self._connection.execute(insert(application_paper).values(**asdict(paper), content=content))

    def drop_paper(self, paper_id: UUID) -> None:
        self._connection.execute(delete(application_paper).where(application_paper.c.paper_id == paper_id))

    def take_paper_back(self, paper_id: UUID, at: datetime) -> None:
        which = application_paper.c.paper_id == paper_id
        self._connection.execute(update(application_paper).where(which).values(removed_at=at))

    def add_merchant(self, new: Merchant) -> None:
        names = ("merchant_id", "name", "ubn", "merchant_category", "state")
        self._connection.execute(insert(merchant).values({name: getattr(new, name) for name in names}))
        profile = {"merchant_id": new.merchant_id, "owner_id": new.owner_id, **asdict(new.contact)}
        self._connection.execute(insert(merchant_profile).values(profile))

    def make_admin(self, staff_id: str, merchant_id: str) -> None:
        values = {"role": "merchant_admin", "merchant_id": merchant_id}
        self._connection.execute(update(staff).where(staff.c.staff_id == staff_id).values(values))
        self._connection.execute(delete(web_session).where(web_session.c.staff_id == staff_id))

    def set_state(self, merchant_id: str, state: MerchantState) -> None:
        self._connection.execute(update(merchant).where(merchant.c.merchant_id == merchant_id).values(state=state))

    def save_contact(self, merchant_id: str, contact: Contact) -> None:
        row = {"merchant_id": merchant_id, "owner_id": "", **asdict(contact)}
        upsert(self._connection, merchant_profile, [row], kept=("owner_id",))

    def add_place(self, place: Place, *, by: str, at: datetime) -> None:
        row = {"site_id": place.site_id, "merchant_id": place.merchant_id, "name": place.name}
        self._connection.execute(insert(site).values(row))
        write_places(self._connection, [place], by=by, at=at)

    def save_place(self, place: Place, *, by: str, at: datetime) -> None:
        self._connection.execute(update(site).where(site.c.site_id == place.site_id).values(name=place.name))
        write_places(self._connection, [place], by=by, at=at)

    def save_account(self, before: Merchant, account: PayoutAccount, *, by_staff_id: str, at: datetime) -> None:
        values = asdict(account)
        self._connection.execute(update(merchant).where(merchant.c.merchant_id == before.merchant_id).values(values))
        change = {"changed_at": at, "by_staff_id": by_staff_id, "replaces": before.account is not None, **values}
        self._connection.execute(insert(payout_account_change).values(merchant_id=before.merchant_id, **change))

    def note(self, event: MerchantEvent) -> None:
        self._connection.execute(insert(merchant_event).values(**asdict(event)))
        if event.kind in _DECISIONS:
            whose = event.merchant_id or str(event.application_id)
            # Reason and detail are words to and about people: they stay in the trail.
            self._decisions.append(make_fact(event.by_staff_id, f"merchant.{event.kind}", whose, event.happened_at))

    def record_decisions(self) -> None:
        """Put what the office decided into the audit log, as the last thing."""
        for fact in self._decisions:
            SqlAuditLog(self._connection).append(fact)

    def note_account(self, event: AccountEvent) -> None:
        note(self._connection, event)


def _find_application(connection: Connection, wanted: Select[Any]) -> Application | None:
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        return None
    contact = Contact(**{name: row[name] for name in _CONTACT})
    business = Business(**{name: row[name] for name in _BUSINESS}, contact=contact)
    own = {one.name: row[one.name] for one in fields(Application) if one.name != "business"}
    return Application(**own, business=business)


def _application_row(one: Application) -> dict[str, Any]:
    own = {each.name: getattr(one, each.name) for each in fields(Application) if each.name != "business"}
    business = {name: getattr(one.business, name) for name in _BUSINESS}
    return own | business | asdict(one.business.contact)


def _papers(connection: Connection, application_id: UUID) -> list[SentPaper]:
    wanted = select(*_PAPER).where(application_paper.c.application_id == application_id)
    rows = connection.execute(wanted.order_by(application_paper.c.added_at, application_paper.c.paper_id)).mappings()
    return [_paper_of(row) for row in rows]


def _paper_of(row: RowMapping) -> SentPaper:
    return SentPaper(**{one.name: row[one.name] for one in fields(SentPaper)})


def _find_merchant(connection: Connection, wanted: Select[Any]) -> Merchant | None:
    row = connection.execute(wanted).mappings().one_or_none()
    if row is None:
        return None
    account = PayoutAccount(row["bank_code"], row["account_no"], row["account_name"], row["payee_id"])
    return Merchant(
        row["merchant_id"],
        row["name"],
        row["ubn"],
        row["merchant_category"],
        row["state"],
        # A merchant from a setup file has no profile until it writes one.
        owner_id=row["owner_id"] or "",
        contact=Contact(**{name: row[name] or "" for name in _CONTACT}),
        account=account if account.account_no else None,
        application_id=row["application_id"],
    )
