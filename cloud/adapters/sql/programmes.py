"""Programmes, merchants, sites and people in the database, for :mod:`cloud.ports.programmes`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from cloud.adapters.sql.audit import SqlAuditLog
from cloud.adapters.sql.programme_office import find_newest_hand, read_states, write_terms
from cloud.adapters.sql.site_places import find_hands, write_places
from cloud.adapters.sql.tables import (
    door,
    item_category,
    merchant,
    site,
    staff,
)
from cloud.adapters.sql.transactions import Lock, take_lock, upsert, writing
from cloud.domain.setup import AccountSetup, DoorSetup, ItemCategorySetup, MerchantSetup, ProgrammeSetup, SiteSetup
from cloud.ports.merchants import Place
from cloud.ports.programmes import NewStaff, TakenError

_ACCOUNT_COLUMNS = ("bank_code", "account_no", "account_name", "payee_id")


class SqlSetupStore:
    """``SetupStore`` on SQLite and PostgreSQL."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @contextmanager
    def begin(self) -> Iterator["_Transaction"]:
        try:
            with writing(self._engine) as connection:
                take_lock(connection, Lock.ISSUE)
                yield _Transaction(connection)
        except IntegrityError as problem:
            raise TakenError from problem


class _Transaction:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @property
    def audit(self) -> SqlAuditLog:
        return SqlAuditLog(self._connection)

    def issued_face_values(self) -> Mapping[str, tuple[int, int]]:
        return {
            state.terms.programme_id: (state.terms.face_value_twd, state.issued_twd)
            for state in read_states(self._connection)
            if state.issued_count
        }

    def forgotten_programmes(self) -> Mapping[str, ProgrammeSetup]:
        return {state.terms.programme_id: state.terms for state in read_states(self._connection) if state.forgotten}

    def merchant_of_sites(self) -> Mapping[str, str]:
        return {row.site_id: row.merchant_id for row in self._connection.execute(select(site.c.site_id, site.c.merchant_id))}

    def staff_ids(self) -> frozenset[str]:
        return frozenset(self._connection.scalars(select(staff.c.staff_id)))

    def save_programmes(
        self, programmes: Sequence[ProgrammeSetup], *, by: str, at: datetime
    ) -> Sequence[tuple[ProgrammeSetup | None, ProgrammeSetup]]:
        known = {state.terms.programme_id: state.terms for state in read_states(self._connection)}
        changed: list[tuple[ProgrammeSetup | None, ProgrammeSetup]] = []
        for one in programmes:
            wanted = msgspec.structs.replace(one, merchant_categories=sorted(one.merchant_categories))
            before = known.get(one.programme_id)
            if wanted != before and find_newest_hand(self._connection, one.programme_id) in (None, by):
                write_terms(self._connection, wanted, by=by, at=at)
                changed.append((before, wanted))
        return changed

    def save_item_categories(self, items: Sequence[ItemCategorySetup]) -> None:
        upsert(self._connection, item_category, [_item_row(position, one) for position, one in enumerate(items, start=1)])

    def save_merchants(self, merchants: Sequence[MerchantSetup], *, by: str, at: datetime) -> None:
        rows = [_merchant_row(one) for one in merchants]
        # A suspended merchant is not approved again by loading a file.
        upsert(self._connection, merchant, rows, kept=("state", *_ACCOUNT_COLUMNS))
        for one in merchants:
            if one.account is not None:
                missing = (merchant.c.merchant_id == one.merchant_id) & merchant.c.account_no.is_(None)
                self._connection.execute(update(merchant).where(missing).values(**_account_row(one.account)))
        self._save_places([_place(one.merchant_id, its) for one in merchants for its in one.sites], by=by, at=at)

    def _save_places(self, places: Sequence[Place], *, by: str, at: datetime) -> None:
        hands = find_hands(self._connection)
        changed = []
        for place in places:
            before, hand = hands.get(place.site_id, (None, None))
            if place != before and hand in (None, by):
                changed.append(place)
        rows = [{"site_id": place.site_id, "merchant_id": place.merchant_id, "name": place.name} for place in changed]
        upsert(self._connection, site, rows)
        write_places(self._connection, changed, by=by, at=at)

    def save_doors(self, doors: Sequence[DoorSetup]) -> None:
        rows = [{"door": one.door, "opens_on": one.opens_on, "closes_on": one.closes_on} for one in doors]
        upsert(self._connection, door, rows)

    def add_staff(self, staff_: Sequence[NewStaff]) -> None:
        if staff_:
            self._connection.execute(insert(staff), [_staff_row(one) for one in staff_])


def _item_row(position: int, one: ItemCategorySetup) -> dict[str, Any]:
    return {
        "item_category": one.item_category,
        "merchant_category": one.merchant_category,
        "position": position,
        "name_zh": one.name_zh,
        "name_en": one.name_en,
        "name_ja": one.name_ja,
        "name_ko": one.name_ko,
    }


def _merchant_row(one: MerchantSetup) -> dict[str, Any]:
    account = dict.fromkeys(_ACCOUNT_COLUMNS) if one.account is None else _account_row(one.account)
    return {
        "merchant_id": one.merchant_id,
        "name": one.name,
        "ubn": one.ubn,
        "merchant_category": one.merchant_category,
        "state": "approved",
        **account,
    }


def _account_row(account: AccountSetup) -> dict[str, Any]:
    return {name: getattr(account, name) for name in _ACCOUNT_COLUMNS}


def _place(merchant_id: str, one: SiteSetup) -> Place:
    return Place(one.site_id, merchant_id, one.name, address=one.address, phone=one.phone)


def _staff_row(one: NewStaff) -> dict[str, Any]:
    return {
        "staff_id": one.staff_id,
        "merchant_id": one.merchant_id,
        "site_id": one.site_id,
        "door": one.door,
        "login": one.login,
        "name": one.name,
        "role": one.role,
        "password_hash": one.password_hash,
        "active": True,
    }
