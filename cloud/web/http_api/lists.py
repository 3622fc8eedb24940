"""What a merchant's programs read, and their confirmations. The merchant is the key's, whatever is asked."""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from cloud.ports.api_reports import ApiConfirmation, ApiTransaction, Place, TransactionsWanted
from cloud.ports.confirmations import Confirmed as Added
from cloud.ports.connect import SCOPES, ConfirmRequest
from cloud.web.http_api.bodies import (
    Claim,
    ClaimPage,
    Confirmation,
    ConfirmationPage,
    ConfirmationRequest,
    Confirmed,
    Item,
    Items,
    Key,
    PageQuery,
    Payout,
    PayoutPage,
    PayoutQuery,
    Programme,
    Programmes,
    Transaction,
    TransactionPage,
    TransactionQuery,
)
from cloud.web.http_api.operations import Answer, Call
from cloud.web.http_api.parts import ApiParts
from cloud.web.http_api.problems import ApiError, invalid
from cloud.web.http_api.reading import read_cursor, write_cursor
from protocol.ids import reference

Row = TypeVar("Row")
Body = TypeVar("Body", bound=Struct)


class Lists:
    """Answers the operations that read, and the one that confirms."""

    def __init__(self, parts: ApiParts) -> None:
        self._parts = parts

    def key(self, call: Call) -> Key:
        """The key itself."""
        scopes = [scope for scope in SCOPES if scope in call.key.scopes]
        return _as(Key, call.key, scopes=scopes)

    def transactions(self, call: Call) -> TransactionPage:
        """A page of transactions."""
        query: TransactionQuery = call.query
        return self._transactions(call, query, query.claim_id)

    def claim_lines(self, call: Call) -> TransactionPage:
        """The transactions that a claim is made of, oldest first."""
        self.claim(call)
        query: PageQuery = call.query
        wanted = TransactionQuery(sort="redeemed_at", limit=query.limit, cursor=query.cursor)
        return self._transactions(call, wanted, call.path["claim_id"])

    def _transactions(self, call: Call, query: TransactionQuery, claim_id: Any) -> TransactionPage:
        wanted = TransactionsWanted(
            call.key.merchant_id,
            query.state,
            query.first_day,
            query.last_day,
            claim_id,
            oldest_first=query.sort == "redeemed_at",
        )
        rows, after = _page(
            query.limit,
            query.cursor,
            _name("transactions", wanted),
            lambda limit, place: self._parts.reports.transactions(wanted, limit=limit, after=place),
            lambda row: (row.redeemed_at, row.redemption_id),
        )
        return TransactionPage(rows=list(map(_transaction, rows)), next=after)

    def transaction(self, call: Call) -> Transaction:
        """One transaction."""
        found = self._parts.reports.find_transaction(call.path["redemption_id"], merchant_id=call.key.merchant_id)
        if found is None:
            raise ApiError("not_found")
        return _transaction(found)

    def confirm(self, call: Call) -> Answer:
        """Confirm some or all; the answer is kept where the confirmations are."""
        asked: ConfirmationRequest = call.body
        if (asked.redemption_ids is None) == (asked.all is None):
            raise invalid("", "either redemption_ids or all")
        body_hash = hashlib.sha256(msgspec.json.encode(asked)).digest()
        which = ConfirmRequest(
            key_id=call.key.key_id,
            merchant_id=call.key.merchant_id,
            request_hash=hashlib.sha256(b"confirmations\0" + call.idempotency_key.encode()).digest(),
            body_hash=body_hash,
            redemption_ids=asked.redemption_ids,
        )
        now = self._parts.clock.now()

        def encode(added: Added) -> bytes:
            return msgspec.json.encode(_as(Confirmed, added, confirmed_at=now))

        kept = self._parts.confirming.confirm_once(which, encode=encode, now=now)
        if kept.body_hash != body_hash:
            raise ApiError("idempotency_key_reused")
        return Answer(kept.answer)

    def confirmations(self, call: Call) -> ConfirmationPage:
        """A page of confirmations."""
        query: PageQuery = call.query

        def place(row: ApiConfirmation) -> Place:
            return row.confirmation_no, row.redemption_id

        rows, after = _page(
            query.limit,
            query.cursor,
            "confirmations",
            lambda limit, behind: self._parts.reports.confirmations(call.key.merchant_id, limit=limit, after=behind),
            place,
        )
        return ConfirmationPage(rows=[_as(Confirmation, row) for row in rows], next=after)

    def claims(self, call: Call) -> ClaimPage:
        """A page of claims."""
        query: PageQuery = call.query
        rows, after = _page(
            query.limit,
            query.cursor,
            "claims",
            lambda limit, place: self._parts.reports.claims(call.key.merchant_id, limit=limit, after=place),
            lambda row: (row.period_starts_on, row.claim_id),
        )
        return ClaimPage(rows=[_as(Claim, row) for row in rows], next=after)

    def claim(self, call: Call) -> Claim:
        """One claim."""
        found = self._parts.reports.find_claim(call.path["claim_id"], merchant_id=call.key.merchant_id)
        if found is None:
            raise ApiError("not_found")
        return _as(Claim, found)

    def payouts(self, call: Call) -> PayoutPage:
        """A page of payouts."""
        query: PayoutQuery = call.query
        rows, after = _page(
            query.limit,
            query.cursor,
            f"payouts {query.claim_id}",
            lambda limit, place: self._parts.reports.payouts(
                call.key.merchant_id, claim_id=query.claim_id, limit=limit, after=place
            ),
            lambda row: (row.sent_at, row.payout_id),
        )
        return PayoutPage(rows=[_as(Payout, row) for row in rows], next=after)

    def programmes(self, call: Call) -> Programmes:
        """The programmes whose vouchers the merchant may take."""
        return Programmes(rows=[_as(Programme, row) for row in self._parts.reports.programmes(call.key.merchant_category)])

    def items(self, call: Call) -> Items:
        """The merchant's item categories."""
        found = self._parts.choices.item_categories(call.key.merchant_category)
        return Items(rows=[Item(item_category=one.code, names=dict(one.names)) for one in found])


def _page(
    limit: int,
    cursor: str | None,
    of: str,
    read: Callable[[int, Place | None], Sequence[Row]],
    place: Callable[[Row], Place],
) -> tuple[Sequence[Row], str | None]:
    # One row more than is shown tells whether there are others, without counting them.
    found = read(limit + 1, read_cursor(cursor, of))
    rows = found[:limit]
    return rows, write_cursor(of, place(rows[-1])) if len(found) > limit else None


def _name(of: str, wanted: TransactionsWanted) -> str:
    """A cursor of one filter is nothing to another: it would skip rows without a word."""
    described = repr((wanted.state, wanted.first_day, wanted.last_day, wanted.claim_id, wanted.oldest_first))
    return f"{of} {hashlib.sha256(described.encode()).hexdigest()[:12]}"


def _transaction(row: ApiTransaction) -> Transaction:
    return _as(Transaction, row, reference=reference(row.redemption_id), voucher_nos=list(row.voucher_nos))


def _as(kind: type[Body], row: object, **more: object) -> Body:
    values = {name: more[name] if name in more else getattr(row, name) for name in kind.__struct_fields__}
    return kind(**values)
