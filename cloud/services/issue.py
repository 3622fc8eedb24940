"""Issue vouchers: one per holder, with a random number, a tag of the holder's digits, and a journal over the face value.

The digits go through here in memory and come to rest nowhere. Numbers are random; that one is taken already is told by the
primary key, and only that voucher gets the next number, because its tag is bound to it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloud.domain.digits import digit_tag
from cloud.domain.holders import Holder
from cloud.domain.ledger import issue_journal
from cloud.ports.issues import IssueBatch, IssueStore, IssueTerms, IssueTransaction, NewVoucher

NUMBER_ROUNDS_MAX = 20
"""How often taken numbers are replaced. With a million vouchers out, one number in a million is taken: two rounds are rare."""


class IssueError(ValueError):
    """Nothing was issued; one sentence says why."""


@dataclass(frozen=True, slots=True)
class Issued:
    """What was issued."""

    issue_id: UUID
    terms: IssueTerms
    voucher_nos: tuple[str, ...]
    """In the order of the holders."""


@dataclass(frozen=True, slots=True)
class IssueOrder:
    """Who issues what, and when."""

    issue_id: UUID
    programme_id: str
    issued_by: str
    now: datetime


def issue_vouchers(
    store: IssueStore, order: IssueOrder, holders: Sequence[Holder], *, numbers: Iterator[str], pepper: bytes
) -> Issued:
    """Issue one voucher per holder, in one transaction.

    Args:
        numbers: random voucher numbers, as many as it takes.
        pepper: 32 bytes, from outside the database.

    Raises:
        IssueError: there is no such programme, nobody to issue to, or no free number.
        PortError: the database failed.
    """
    if not holders:
        raise IssueError("There is nobody to issue vouchers to.")
    with store.begin() as transaction:
        terms = transaction.find_terms(order.programme_id)
        if terms is None:
            raise IssueError(f"There is no programme {order.programme_id}.")
        batch = IssueBatch(order.issue_id, order.programme_id, order.now, order.issued_by, len(holders))
        transaction.add_batch(batch)
        voucher_nos = _add_vouchers(transaction, batch, holders, numbers=numbers, pepper=pepper)
        amount = terms.face_value_twd * len(holders)
        transaction.save_journal(issue_journal(order.issue_id, order.programme_id, amount_twd=amount, at=order.now))
    return Issued(order.issue_id, terms, voucher_nos)


def _add_vouchers(
    transaction: IssueTransaction, batch: IssueBatch, holders: Sequence[Holder], *, numbers: Iterator[str], pepper: bytes
) -> tuple[str, ...]:
    waiting = dict(enumerate(holders, start=1))
    chosen: dict[int, str] = {}
    for _ in range(NUMBER_ROUNDS_MAX):
        made = _draw(waiting, numbers, pepper)
        taken = transaction.add_vouchers(batch, made)
        chosen |= {voucher.position: voucher.voucher_no for voucher in made if voucher.voucher_no not in taken}
        waiting = {position: holder for position, holder in waiting.items() if position not in chosen}
        if not waiting:
            return tuple(chosen[position] for position in sorted(chosen))
    raise IssueError("No free voucher numbers were found.")


def _draw(waiting: dict[int, Holder], numbers: Iterator[str], pepper: bytes) -> list[NewVoucher]:
    """Give each waiting holder a number of its own; a number that came up before in this draw is passed over."""
    drawn: dict[str, NewVoucher] = {}
    for position, holder in waiting.items():
        number = next((number for number in numbers if number not in drawn), None)
        if number is None:
            raise IssueError("The voucher numbers ran out.")
        tag = digit_tag(pepper, number, holder.digits)
        drawn[number] = NewVoucher(number, position, holder.name_masked, holder.id_masked, tag)
    return list(drawn.values())
