"""One order, one transaction, written with an ORM as tutorials do: objects fetched one by one, added, committed.

For the naive MQTT worker and for the HTTP peer. It writes the rows that the product writes and gives the same answer, but it
proves no sender, opens no seal and looks at no digits: it is spared what the product cannot spare.
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Engine, Table
from sqlalchemy.orm import Session, registry

from cloud.adapters.sql import tables
from cloud.domain.instants import encode_instant
from cloud.domain.ledger import redeem_journal
from cloud.domain.records import Redemption
from protocol.chain import link_of
from protocol.ids import reference
from protocol.messages import RedeemAccepted, Refused, encode_body
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.bench.deck import FACE_VALUE_TWD

_MAPPED: Final = ("device", "site", "programme", "voucher", "redemption_line", "redemption", "inbox", "ledger_entry")


class OrmShop:
    """Redeems orders."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        mapping = registry()
        self._rows: dict[str, Any] = {name: _map(mapping, tables.metadata.tables[name]) for name in _MAPPED}

    def redeem(self, device_id: str, request_id: UUID, body: bytes) -> bytes:
        """Redeem an order; the answer's body."""
        order: dict[str, Any] = json.loads(body)
        rows = self._rows
        with Session(self._engine) as session, session.begin():
            known = session.get(rows["inbox"], request_id)
            if known is not None:
                return bytes(known.answer)
            device = session.get(rows["device"], device_id)
            site = session.get(rows["site"], device.site_id)
            vouchers = [session.get(rows["voucher"], number) for number in order["vouchers"]]
            session.get(rows["programme"], vouchers[0].programme_id)
            used = [session.get(rows["redemption_line"], number) for number in order["vouchers"]]
            now = datetime.now(UTC)
            if any(used):
                answer = encode_body(Refused(request_id=request_id, reason=Reason.ALREADY_REDEEMED))
            else:
                made = _redemption(request_id, order, device_id, site, vouchers[0].programme_id, now)
                self._add(session, made)
                answer = encode_body(_accepted(made))
            session.add(
                rows["inbox"](
                    request_id=request_id,
                    sender_id=device_id,
                    kind=str(RequestKind.REDEEM),
                    body_hash=hashlib.sha256(body).digest(),
                    sequence=order["sequence"],
                    link=link_of(body),
                    previous=order["previous"],
                    answer=answer,
                    answered_at=now,
                )
            )
        return answer

    def _add(self, session: Session, made: Redemption) -> None:
        columns = [column.name for column in tables.redemption.columns if hasattr(made, column.name)]
        values = {name: getattr(made, name) for name in columns}
        session.add(self._rows["redemption"](**values, voucher_count=len(made.voucher_nos)))
        for line_no, number in enumerate(made.voucher_nos, start=1):
            session.add(
                self._rows["redemption_line"](
                    voucher_no=number,
                    redemption_id=made.redemption_id,
                    line_no=line_no,
                    face_value_twd=made.face_value_twd,
                )
            )
        journal = redeem_journal(made)
        for line_no, posting in enumerate(journal.postings, start=1):
            session.add(
                self._rows["ledger_entry"](
                    journal_id=journal.journal_id,
                    kind=journal.kind,
                    line_no=line_no,
                    account=posting.account,
                    amount_twd=posting.amount_twd,
                    posted_at=journal.posted_at,
                )
            )


def _map(mapping: registry, table: Table) -> Any:
    row = type(table.name.title().replace("_", ""), (), {})
    mapping.map_imperatively(row, table)
    return row


def _redemption(
    request_id: UUID, order: dict[str, Any], device_id: str, site: Any, programme_id: str, now: datetime
) -> Redemption:
    redeemed_twd = FACE_VALUE_TWD * len(order["vouchers"])
    return Redemption(
        redemption_id=request_id,
        programme_id=programme_id,
        merchant_id=site.merchant_id,
        site_id=site.site_id,
        device_id=device_id,
        staff_id=None,
        item_category=order["item_category"],
        order_total_twd=order["order_total_twd"],
        voucher_nos=tuple(order["vouchers"]),
        face_value_twd=FACE_VALUE_TWD,
        redeemed_twd=redeemed_twd,
        topup_twd=max(0, order["order_total_twd"] - redeemed_twd),
        redeemed_at=now,
    )


def _accepted(made: Redemption) -> RedeemAccepted:
    return RedeemAccepted(
        request_id=made.redemption_id,
        reference=reference(made.redemption_id),
        redeemed_at=encode_instant(made.redeemed_at),
        voucher_count=len(made.voucher_nos),
        redeemed_twd=made.redeemed_twd,
        order_total_twd=made.order_total_twd,
        topup_twd=made.topup_twd,
    )
