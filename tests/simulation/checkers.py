"""What must hold once the world is whole again: the database, the kiosks' disks and what was said must tell one story.

Each checker yields sentences about what is wrong; none means that its rule holds. The rules' numbers are those of the table in
ARCHITECTURE.md, "What always holds".
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from cloud.domain.ledger import claimed_account, outstanding_account, redeemed_account
from kiosk.domain.outbox import find_break
from protocol.limits import DIGIT_TRIES_MAX
from protocol.messages import RedeemAccepted, Refused, decode_answer
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.simulation.cloud import Cloud
from tests.simulation.kiosks import KioskHost
from tests.simulation.witness import NOT_STORED, Witness


@dataclass(frozen=True, slots=True)
class Ended:
    """A seed at its end."""

    cloud: Cloud
    hosts: Sequence[KioskHost]
    witness: Witness


def once_only(end: Ended) -> Iterator[str]:
    """(1) A voucher has at most one redemption, and every accepted order stands under its vouchers."""
    uses = end.cloud.bench.facts.uses()
    for number, orders in end.witness.redeemed_by.items():
        if {uses.get(number)} != orders:
            yield f"voucher {number} was accepted in {sorted(map(str, orders))}, the database says {uses.get(number)}"


def said_is_stored(end: Ended) -> Iterator[str]:
    """(2, 3) Every final answer that was sent is in the database, byte for byte."""
    stored = end.cloud.bench.facts.answers()
    for (request_id, _), (body, _, _) in end.witness.emitted.items():
        answer = decode_answer(body)
        is_stored_kind = not (isinstance(answer, Refused) and answer.reason in NOT_STORED)
        if is_stored_kind and stored.get(request_id) != body:
            yield f"the answer to {request_id} was sent and is not what the database holds"


def books_balance(end: Ended) -> Iterator[str]:
    """(4, 5) Journals sum to zero; what is outstanding is what is unused; merchants own what was redeemed at theirs."""
    facts, world = end.cloud.bench.facts, end.cloud.world
    balances, uses = facts.balances(), facts.uses()
    if facts.unbalanced_journals() or sum(balances.values()):
        yield "the ledger does not sum to zero"
    for scheme in world.programmes:
        unused = sum(number not in uses for number in world.numbers(scheme.programme_id))
        if -balances.get(outstanding_account(scheme.programme_id), 0) != unused * scheme.face_value_twd:
            yield f"{scheme.programme_id}: {unused} vouchers are unused, the ledger says otherwise"
    owed = sum(
        -balances.get(account(shop.merchant_id), 0) for shop in world.shops for account in (redeemed_account, claimed_account)
    )
    worth = {scheme.programme_id: scheme.face_value_twd for scheme in world.programmes}
    if owed != sum(worth[world.vouchers[number]] for number in uses):
        yield f"merchants are owed {owed} TWD, which is not what was redeemed"


def kiosk_and_cloud_agree(end: Ended) -> Iterator[str]:
    """(8, 9) Every request of a kiosk has its answer there, the same as in the cloud; the cloud redeemed nothing else."""
    stored = end.cloud.bench.facts.answers()
    redemptions = end.cloud.bench.facts.redemptions()
    for request_id, device_id in end.witness.saved.items():
        held = end.witness.stored.get(request_id)
        if held is None:
            yield f"{device_id} never learned what became of {request_id}"
            continue
        if stored.get(request_id) != held.body:
            yield f"{device_id} and the cloud have different answers to {request_id}"
        if (request_id in redemptions) != isinstance(decode_answer(held.body), RedeemAccepted):
            yield f"{device_id} and the cloud disagree about whether {request_id} was redeemed"
    for request_id, asked in end.witness.asked.items():
        if request_id in redemptions and asked.kind is RequestKind.REDEEM and request_id not in end.witness.stored:
            yield f"{request_id} was redeemed and its kiosk does not know"
    for request_id in end.witness.done:
        if request_id not in redemptions:
            yield f"success was shown for {request_id}, which was never redeemed"


def nothing_waits(end: Ended) -> Iterator[str]:
    """(10) No request is open, and no kiosk is out of order."""
    for host in end.hosts:
        if host.outbox.pending_count():
            yield f"{host.name} still has {host.outbox.pending_count()} open requests"


def chains_hold(end: Ended) -> Iterator[str]:
    """Requests of a kiosk are numbered without a gap, each naming the one before it."""
    for host in end.hosts:
        events = [
            end.witness.asked[found].event
            for found, owner in end.witness.saved.items()
            if owner == host.name and found in end.witness.asked
        ]
        rows = [row for event in events if (row := host.outbox.find(event.id)) is not None]
        if problem := find_break((row.sequence, row.request.body) for row in sorted(rows, key=lambda row: row.sequence)):
            yield f"{host.name}: {problem}"


def guesses_are_counted(end: Ended) -> Iterator[str]:
    """Every wrong guess that was judged is counted, and none above five was."""
    judged: Counter[str] = Counter()
    for body in end.cloud.bench.facts.answers().values():
        answer = decode_answer(body)
        if isinstance(answer, Refused):
            judged.update(one.voucher_no for one in answer.refusals if one.reason is Reason.NO_MATCH)
    counted = end.cloud.bench.facts.wrong_tries()
    if dict(judged) != dict(counted):
        yield "the counted guesses are not those that were judged"
    if max(counted.values(), default=0) > DIGIT_TRIES_MAX:
        yield "a voucher had more than five wrong guesses"


CHECKERS: Final[tuple[Callable[[Ended], Iterator[str]], ...]] = (
    once_only,
    said_is_stored,
    books_balance,
    kiosk_and_cloud_agree,
    nothing_waits,
    chains_hold,
    guesses_are_counted,
)


def check_all(end: Ended) -> list[str]:
    """Return everything that is wrong."""
    for message in end.cloud.parking.parked:
        end.witness.look_for_digits("a parked message", f"{message.topic} {message.problem}".encode())
    found = chain.from_iterable((f"{check.__name__}: {text}" for text in check(end)) for check in CHECKERS)
    return end.witness.violations + list(found)
