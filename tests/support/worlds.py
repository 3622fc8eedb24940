"""Small worlds for tests: a programme, merchants with a site, a kiosk and a member of staff each, and issued vouchers.

A :class:`World` is plain records. :func:`insert_world` writes one through the tables, with the issue's journal, so that the
ledger is right from the start; the fakes take the same records. The single ``insert_…`` functions serve tests that need
something else.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Engine, insert

from cloud.adapters.sql.tables import (
    device,
    issue_batch,
    item_category,
    ledger_entry,
    merchant,
    programme,
    programme_merchant_category,
    site,
    staff,
    voucher,
)
from cloud.domain.digits import digit_tag
from cloud.domain.ledger import issue_journal
from cloud.domain.records import Journal, Knowledge, KnownVoucher, Programme, Sender

NOW: Final = datetime(2021, 11, 3, 4, 30, tzinfo=UTC)
"""Half past noon in Taipei on a Wednesday, within :func:`make_programme`'s dates."""

PEPPER: Final = bytes(range(32))
ITEMS: Final = ("food", "room")


@dataclass(frozen=True)
class Shop:
    """A merchant with one site, one kiosk and one member of staff who stands there."""

    merchant_id: str
    merchant_category: str = "hotel"
    approved: bool = True
    device_active: bool = True
    staff_active: bool = True

    @property
    def site_id(self) -> str:
        return f"{self.merchant_id}-lobby"

    @property
    def site_name(self) -> str:
        return f"{self.merchant_id} 大廳"

    @property
    def device_id(self) -> str:
        return f"{self.merchant_id}-kiosk"

    @property
    def staff_id(self) -> str:
        return f"{self.merchant_id}-staff"

    def sender(self, kind: str) -> Sender:
        """The kiosk (``device``) or the person (``staff``), as the judge knows them."""
        return Sender(
            sender_id=self.device_id if kind == "device" else self.staff_id,
            active=self.device_active if kind == "device" else self.staff_active,
            merchant_id=self.merchant_id,
            merchant_category=self.merchant_category,
            merchant_approved=self.approved,
            site_id=self.site_id,
            site_name=self.site_name,
        )


def make_programme(programme_id: str = "stay-2021", **changes: Any) -> Programme:
    """A programme of 1,000 TWD vouchers for hotels and tours, November 2021 to April 2022, at most four in an order."""
    usual: dict[str, Any] = {
        "face_value_twd": 1000,
        "starts_on": date(2021, 11, 1),
        "ends_on": date(2022, 4, 30),
        "vouchers_per_order_max": 4,
        "merchant_categories": frozenset({"hotel", "tour"}),
    }
    wanted = usual | changes
    wanted.setdefault("item_categories", frozenset((mine, item) for mine in wanted["merchant_categories"] for item in ITEMS))
    return Programme(programme_id=programme_id, **wanted)


@dataclass(frozen=True)
class World:
    """Everything that stands in the database before the first request."""

    programmes: tuple[Programme, ...]
    shops: tuple[Shop, ...]
    vouchers: Mapping[str, str]
    """Programme id by voucher number."""
    digits: Mapping[str, str]
    """The holder's four characters by voucher number. In clear, because these people do not exist."""
    pepper: bytes = field(default=PEPPER, repr=False)

    def tag(self, voucher_no: str, digits: str | None = None) -> bytes:
        """Tag of these digits, or of the holder's."""
        return digit_tag(self.pepper, voucher_no, self.digits[voucher_no] if digits is None else digits)

    def numbers(self, programme_id: str | None = None) -> list[str]:
        """Voucher numbers, of one programme where given."""
        return [number for number, mine in self.vouchers.items() if programme_id in (None, mine)]

    def senders(self) -> dict[tuple[str, str], Sender]:
        """All kiosks and staff, by kind and id."""
        every = [(kind, shop.sender(kind)) for shop in self.shops for kind in ("device", "staff")]
        return {(kind, sender.sender_id): sender for kind, sender in every}

    def known_vouchers(self) -> dict[str, KnownVoucher]:
        """All vouchers, by number."""
        return {number: KnownVoucher(number, mine, self.tag(number)) for number, mine in self.vouchers.items()}

    def knowledge(self, **changes: Any) -> Knowledge:
        """What a fresh database with this world in it knows, with other mappings where given."""
        usual: dict[str, Any] = {
            "answers": {},
            "sequences": {},
            "senders": self.senders(),
            "programmes": {scheme.programme_id: scheme for scheme in self.programmes},
            "vouchers": self.known_vouchers(),
            "uses": {},
            "wrong_tries": {},
            "holds": {},
        }
        return Knowledge(**(usual | changes))

    def issue_journals(self) -> list[Journal]:
        """The journal of each programme's one issue."""
        return [
            issue_journal(issue_id_of(place), scheme.programme_id, amount_twd=scheme.face_value_twd * count, at=NOW)
            for place, scheme in enumerate(self.programmes)
            if (count := len(self.numbers(scheme.programme_id)))
        ]


def make_world(
    *, voucher_count: int = 8, programmes: tuple[Programme, ...] | None = None, shops: tuple[Shop, ...] | None = None
) -> World:
    """Build a world: two hotels, two programmes unless others are given, and so many vouchers of each programme."""
    programmes = programmes or (make_programme(), make_programme("tour-2021"))
    numbers = [
        (f"{place + 1:04d}{count:08d}", scheme.programme_id)
        for place, scheme in enumerate(programmes)
        for count in range(voucher_count)
    ]
    return World(
        programmes=programmes,
        shops=shops or (Shop("sun-hotel"), Shop("moon-hotel")),
        vouchers=dict(numbers),
        digits={number: f"{(int(number) * 7919) % 10_000:04d}" for number, _ in numbers},
    )


def insert_world(engine: Engine, world: World) -> World:
    """Write a world into a migrated, empty database; returns it."""
    with engine.begin() as connection:
        insert_item_categories(connection, {pair for scheme in world.programmes for pair in scheme.item_categories})
        for scheme in world.programmes:
            insert_programme(connection, scheme)
        for shop in world.shops:
            insert_shop(connection, shop)
        for place, scheme in enumerate(world.programmes):
            mine = {number: world.digits[number] for number in world.numbers(scheme.programme_id)}
            if mine:
                insert_vouchers(connection, scheme, mine, issue_id=issue_id_of(place), pepper=world.pepper)
    return world


def insert_item_categories(connection: Connection, pairs: Iterable[tuple[str, str]]) -> None:
    """Write the item screen's choices: pairs of merchant category and item category."""
    rows = [
        {"merchant_category": mine, "item_category": item, "position": place}
        | {f"name_{language}": f"{item} {language}" for language in ("zh", "en", "ja", "ko")}
        for place, (mine, item) in enumerate(sorted(pairs))
    ]
    connection.execute(insert(item_category), rows)


def insert_programme(connection: Connection, scheme: Programme) -> None:
    """Write a programme and the merchant categories that it accepts."""
    connection.execute(
        insert(programme),
        {
            "programme_id": scheme.programme_id,
            "name_zh": f"{scheme.programme_id} 國旅券",
            "name_en": scheme.programme_id,
            "face_value_twd": scheme.face_value_twd,
            "starts_on": scheme.starts_on,
            "ends_on": scheme.ends_on,
            "vouchers_per_order_max": scheme.vouchers_per_order_max,
        },
    )
    rows = [
        {"programme_id": scheme.programme_id, "merchant_category": category} for category in sorted(scheme.merchant_categories)
    ]
    if rows:
        connection.execute(insert(programme_merchant_category), rows)


def insert_shop(connection: Connection, shop: Shop, *, seal_public: bytes = bytes(32)) -> None:
    """Write a merchant with bank account, its site, kiosk and member of staff (who cannot sign in: no password)."""
    number = sum(shop.merchant_id.encode()) * 9973 % 10**8
    connection.execute(insert(merchant), _merchant_row(shop, f"{number:08d}"))
    connection.execute(insert(site), {"site_id": shop.site_id, "merchant_id": shop.merchant_id, "name": shop.site_name})
    connection.execute(
        insert(device),
        {
            "device_id": shop.device_id,
            "site_id": shop.site_id,
            "state": "active" if shop.device_active else "revoked",
            "serial": f"{shop.merchant_id} board",
            "seal_public": seal_public,
            "certificate_serial": "0",
            "certificate_pem": "",
            "enrolled_at": NOW,
            "state_changed_at": NOW,
        },
    )
    connection.execute(
        insert(staff),
        {
            "staff_id": shop.staff_id,
            "merchant_id": shop.merchant_id,
            "site_id": shop.site_id,
            "door": "scan",
            "login": shop.staff_id,
            "name": f"{shop.merchant_id} 同仁",
            "role": "scan_staff",
            "password_hash": "",
            "active": shop.staff_active,
        },
    )


def insert_vouchers(
    connection: Connection, scheme: Programme, digits: Mapping[str, str], *, issue_id: UUID, pepper: bytes = PEPPER
) -> None:
    """Issue vouchers and post the issue's journal.

    Args:
        digits: the holder's four characters by voucher number.
    """
    tag = partial(digit_tag, pepper)
    connection.execute(
        insert(issue_batch),
        {
            "issue_id": issue_id,
            "programme_id": scheme.programme_id,
            "issued_at": NOW,
            "issued_by": "office",
            "voucher_count": len(digits),
        },
    )
    rows = [
        {
            "voucher_no": number,
            "programme_id": scheme.programme_id,
            "issue_id": issue_id,
            "position": place,
            "holder_name_masked": "王○明",
            "holder_id_masked": "A12345****",
            "digit_tag": tag(number, mine),
        }
        for place, (number, mine) in enumerate(digits.items())
    ]
    connection.execute(insert(voucher), rows)
    insert_journal(
        connection, issue_journal(issue_id, scheme.programme_id, amount_twd=scheme.face_value_twd * len(rows), at=NOW)
    )


def insert_journal(connection: Connection, journal: Journal) -> None:
    """Post a journal."""
    rows = [
        {
            "journal_id": journal.journal_id,
            "kind": journal.kind,
            "line_no": line_no,
            "account": posting.account,
            "amount_twd": posting.amount_twd,
            "posted_at": journal.posted_at,
        }
        for line_no, posting in enumerate(journal.postings, start=1)
    ]
    connection.execute(insert(ledger_entry), rows)


def _merchant_row(shop: Shop, ubn: str) -> dict[str, Any]:
    return {
        "merchant_id": shop.merchant_id,
        "name": f"{shop.merchant_id} 有限公司",
        "ubn": ubn,
        "merchant_category": shop.merchant_category,
        "state": "approved" if shop.approved else "suspended",
        "bank_code": "0040037",
        "account_no": f"1{ubn}",
        "account_name": f"{shop.merchant_id} 有限公司",
        "payee_id": ubn,
    }


def issue_id_of(place: int) -> UUID:
    """Id of the one issue of a world's programme, by the programme's place from 0."""
    return UUID(int=0x1550E << 64 | place)
