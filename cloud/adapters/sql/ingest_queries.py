"""What the hot path reads, one statement per kind of thing, whatever the size of the batch."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection, RowMapping, Select, func, select, tuple_

from cloud.adapters.sql import ingest_rows as rows
from cloud.adapters.sql.bulk import among
from cloud.adapters.sql.tables import (
    device,
    digit_try,
    hold,
    inbox,
    item_category,
    merchant,
    programme,
    programme_merchant_category,
    redemption,
    redemption_line,
    site,
    staff,
    voucher,
)
from cloud.domain.records import Ask, Programme, Sender, StoredAnswer
from protocol.messages import Redeem

_VOUCHERS = select(
    voucher.c.voucher_no,
    voucher.c.programme_id,
    voucher.c.digit_tag,
    redemption.c.redemption_id,
    redemption.c.redeemed_at,
    site.c.name.label("site_name"),
    hold.c.visit_id,
    hold.c.sender_id,
    hold.c.expires_at,
).select_from(
    voucher.outerjoin(redemption_line, redemption_line.c.voucher_no == voucher.c.voucher_no)
    .outerjoin(redemption, redemption.c.redemption_id == redemption_line.c.redemption_id)
    .outerjoin(site, site.c.site_id == redemption.c.site_id)
    .outerjoin(hold, hold.c.voucher_no == voucher.c.voucher_no)
)
_PLACE = (
    merchant.c.merchant_id,
    merchant.c.merchant_category,
    merchant.c.state.label("merchant_state"),
    site.c.site_id,
    site.c.name.label("site_name"),
)
_DEVICES = select(device.c.device_id.label("sender_id"), (device.c.state == "active").label("active"), *_PLACE).select_from(
    device.join(site, site.c.site_id == device.c.site_id).join(merchant, merchant.c.merchant_id == site.c.merchant_id)
)
_STAFF = select(staff.c.staff_id.label("sender_id"), staff.c.active, *_PLACE).select_from(
    # Whoever stands at another merchant's site redeems for nobody.
    staff.join(site, (site.c.site_id == staff.c.site_id) & (site.c.merchant_id == staff.c.merchant_id)).join(
        merchant, merchant.c.merchant_id == staff.c.merchant_id
    )
)


def load_vouchers(connection: Connection, numbers: Sequence[str]) -> Sequence[RowMapping]:
    """Return the vouchers that have these numbers, each with its use and its hold where there is one."""
    return connection.execute(_VOUCHERS.where(among(connection, voucher.c.voucher_no, numbers))).mappings().all()


def load_answers(connection: Connection, asks: Sequence[Ask]) -> dict[UUID, StoredAnswer]:
    """Return the answers that these requests already have."""
    query = select(inbox).where(among(connection, inbox.c.request_id, sorted({ask.request_id for ask in asks})))
    return {row["request_id"]: rows.to_answer(row) for row in connection.execute(query).mappings()}


def load_sequences(connection: Connection, asks: Sequence[Ask]) -> dict[tuple[str, int], UUID]:
    """Return which requests took the sequence numbers that these requests name."""
    orders = [ask for ask in asks if ask.sender_kind == "device"]
    wanted = sorted({(ask.sender_id, ask.request.sequence) for ask in orders if isinstance(ask.request, Redeem)})
    if not wanted:
        return {}
    query = select(inbox.c.sender_id, inbox.c.sequence, inbox.c.request_id)
    found = connection.execute(query.where(tuple_(inbox.c.sender_id, inbox.c.sequence).in_(wanted)))
    return {(sender_id, sequence): request_id for sender_id, sequence, request_id in found}


def load_wrong_tries(connection: Connection, numbers: Sequence[str]) -> dict[str, int]:
    """Return how many wrong tries these numbers have had."""
    query = select(digit_try.c.voucher_no, func.max(digit_try.c.try_no)).group_by(digit_try.c.voucher_no)
    found = connection.execute(query.where(among(connection, digit_try.c.voucher_no, numbers))).all()
    return {row[0]: row[1] for row in found}


def load_senders(connection: Connection, asks: Sequence[Ask]) -> dict[tuple[str, str], Sender]:
    """Return who asks, by kind and id."""
    found: dict[tuple[str, str], Sender] = {}
    for kind, query, column in (("device", _DEVICES, device.c.device_id), ("staff", _STAFF, staff.c.staff_id)):
        wanted = sorted({ask.sender_id for ask in asks if ask.sender_kind == kind})
        if wanted:
            matching = connection.execute(query.where(among(connection, column, wanted))).mappings()
            found.update({(kind, row["sender_id"]): rows.to_sender(row) for row in matching})
    return found


def load_programmes(connection: Connection, programme_ids: Collection[str]) -> Mapping[str, Programme]:
    """Return programmes with the categories of merchants and items that they accept."""
    if not programme_ids:
        return {}
    wanted = sorted(programme_ids)
    accepted = programme_merchant_category
    categories = _pairs(
        connection,
        select(accepted.c.programme_id, accepted.c.merchant_category).where(among(connection, accepted.c.programme_id, wanted)),
    )
    found = connection.execute(select(programme).where(among(connection, programme.c.programme_id, wanted))).mappings().all()
    every = frozenset(category for mine in categories.values() for category in mine)
    items = _pairs(
        connection,
        select(item_category.c.merchant_category, item_category.c.item_category).where(
            among(connection, item_category.c.merchant_category, sorted(every))
        ),
    )
    return {row["programme_id"]: _programme(row, categories.get(row["programme_id"], frozenset()), items) for row in found}


def _programme(row: RowMapping, categories: frozenset[str], items: Mapping[str, frozenset[str]]) -> Programme:
    pairs = frozenset((category, item) for category in categories for item in items.get(category, ()))
    return rows.to_programme(row, categories, pairs)


def _pairs(connection: Connection, query: Select[str, str]) -> dict[str, frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for key, value in connection.execute(query):
        grouped.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in grouped.items()}
