"""Issue vouchers: one per holder, with a random number, a tag of the holder's digits, and a journal over the face value.

The digits go through here in memory and come to rest nowhere. Numbers are random; that one is taken already is told by the
primary key, and only that voucher gets the next number, because its tag is bound to it.

Nothing is issued beyond the programme's budget, or to one person beyond the cap. One issue at a time is judged and written.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cloud.domain.audit import Value
from cloud.domain.digits import digit_tagger, holder_tagger
from cloud.domain.holders import Holder
from cloud.domain.ledger import issue_journal
from cloud.ports.issues import Allowance, IssueBatch, IssueStore, IssueTerms, IssueTransaction, NewVoucher
from cloud.services.audit import Act, record

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
        IssueError: there is no such programme, nobody to issue to, no free number, or more than budget or cap allow.
        PortError: the database failed.
    """
    if not holders:
        raise IssueError("There is nobody to issue vouchers to.")
    with store.begin() as transaction:
        terms = transaction.find_terms(order.programme_id)
        if terms is None:
            raise IssueError(f"There is no programme {order.programme_id}.")
        amount = terms.face_value_twd * len(holders)
        tags = Tags.under(pepper, order.programme_id)
        _check_allowed(transaction, order.programme_id, [tags.of_holder(holder) for holder in holders], amount)
        batch = IssueBatch(order.issue_id, order.programme_id, order.now, order.issued_by, len(holders))
        transaction.add_batch(batch)
        voucher_nos = _add_vouchers(transaction, batch, holders, numbers=numbers, tags=tags)
        transaction.save_journal(issue_journal(order.issue_id, order.programme_id, amount_twd=amount, at=order.now))
        note_issue(transaction, batch, amount_twd=amount)
    return Issued(order.issue_id, terms, voucher_nos)


@dataclass(frozen=True, slots=True)
class Tags:
    """Computes the tags of one programme's vouchers."""

    of_digits: Callable[[str, str], bytes]
    """``(voucher_no, digits)``."""
    of_person: Callable[[str], bytes]

    @classmethod
    def under(cls, pepper: bytes, programme_id: str) -> "Tags":
        """Prepare both for one pepper."""
        return cls(digit_tagger(pepper), holder_tagger(pepper, programme_id))

    def of_holder(self, holder: Holder) -> bytes | None:
        """Whose a voucher is; None where the whole ID is not known."""
        return None if holder.national_id is None else self.of_person(holder.national_id)


def first_beyond_cap(tags: Sequence[bytes | None], before: Mapping[bytes, int], per_holder_max: int) -> int | None:
    """Return the place of the first holder who would have too many vouchers, or of whom that cannot be told."""
    counts = Counter(before)
    for place, tag in enumerate(tags):
        if tag is None:
            return place
        counts[tag] += 1
        if counts[tag] > per_holder_max:
            return place
    return None


def note_issue(transaction: IssueTransaction, batch: IssueBatch, *, amount_twd: int, suffixes: Sequence[str] = ()) -> None:
    """Put an issue into the audit log; the last thing of its transaction."""
    facts: dict[str, Value] = {
        "programme_id": batch.programme_id,
        "voucher_count": batch.voucher_count,
        "amount_twd": amount_twd,
    }
    if suffixes:
        facts["suffixes"] = tuple(suffixes)
    act = Act(batch.issued_by, "issue.made", str(batch.issue_id), batch.issued_at)
    record(transaction.audit, act, after=facts)


def _check_allowed(transaction: IssueTransaction, programme_id: str, tags: Sequence[bytes | None], amount_twd: int) -> None:
    allowance: Allowance = transaction.get_allowance(programme_id)
    if not allowance.budget.allows(amount_twd):
        raise IssueError(
            f"The budget of {programme_id} has {allowance.budget.remaining_twd} TWD left, and this would take {amount_twd} TWD."
        )
    if allowance.per_holder_max is not None:
        known = {tag for tag in tags if tag is not None}
        beyond = first_beyond_cap(tags, transaction.count_of_holders(programme_id, known), allowance.per_holder_max)
        if beyond is not None:
            why = "is not known by a whole ID" if tags[beyond] is None else "would have more"
            raise IssueError(f"{programme_id} gives a holder {allowance.per_holder_max} at most: holder {beyond + 1} {why}.")


def _add_vouchers(
    transaction: IssueTransaction, batch: IssueBatch, holders: Sequence[Holder], *, numbers: Iterator[str], tags: Tags
) -> tuple[str, ...]:
    waiting = dict(enumerate(holders, start=1))
    chosen: dict[int, str] = {}
    for _ in range(NUMBER_ROUNDS_MAX):
        made = draw_numbers(waiting, numbers, tags)
        taken = transaction.add_vouchers(batch, made)
        chosen |= {voucher.position: voucher.voucher_no for voucher in made if voucher.voucher_no not in taken}
        waiting = {position: holder for position, holder in waiting.items() if position not in chosen}
        if not waiting:
            return tuple(chosen[position] for position in sorted(chosen))
    raise IssueError("No free voucher numbers were found.")


def draw_numbers(waiting: Mapping[int, Holder], numbers: Iterator[str], tags: Tags) -> list[NewVoucher]:
    """Give each waiting holder a number of its own; a number that came up before in this draw is passed over."""
    drawn: dict[str, NewVoucher] = {}
    for position, holder in waiting.items():
        number = next((number for number in numbers if number not in drawn), None)
        if number is None:
            raise IssueError("The voucher numbers ran out.")
        tag = tags.of_digits(number, holder.digits)
        drawn[number] = NewVoucher(number, position, holder.name_masked, holder.id_masked, tag, tags.of_holder(holder))
    return list(drawn.values())
