"""Which facts a webhook has not been told of yet.

A fact's time is the calendar's when its transaction began to work, and the transaction becomes visible a little later, perhaps
after one that carries a later time. So what is looked at begins :data:`LAG` behind the calendar, again and again, and what has
a message already is left out. Only the deliverer reads this; a redemption costs nothing for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, exists, func, select

from cloud.adapters.sql.tables import (
    claim,
    confirmation,
    payout,
    payout_outcome,
    redemption,
    settlement,
    webhook_message,
)
from cloud.domain.webhooks import ClaimSettledData, ConfirmationMadeData, EventName, Fact, PayoutData, RedemptionAcceptedData
from cloud.ports.webhooks import Webhook
from protocol.ids import reference

LAG: Final = timedelta(minutes=30)
"""No transaction takes as long: an ingest batch is given up after seconds, a settlement after ten minutes."""

FACTS_MAX: Final = 500
"""Of each kind at one look."""

_OUTCOMES: Final[tuple[tuple[str, EventName], ...]] = (("paid", "payout.paid"), ("returned", "payout.returned"))


@dataclass(frozen=True, slots=True)
class Found:
    """Facts, oldest first, and where the next look begins."""

    facts: Sequence[Fact]
    facts_from: datetime
    confirmation_no: int


def find_facts(connection: Connection, webhook: Webhook, *, calendar: datetime) -> Found:
    """Find the oldest facts that the webhook wants and has no message of."""
    late = max(webhook.facts_from, calendar - LAG)
    redemptions = _redemptions(connection, webhook) if "redemption.accepted" in webhook.events else []
    confirmations = _confirmations(connection, webhook) if "confirmation.made" in webhook.events else []
    claims = _claims(connection, webhook) if "claim.settled" in webhook.events else []
    payouts = [_payouts(connection, webhook, state, event) for state, event in _OUTCOMES if event in webhook.events]
    lists = (redemptions, confirmations, claims, *payouts)
    # Where there is more than one look takes, the next one begins where this one ended.
    ends = [some[-1].happened_at for some in lists if len(some) == FACTS_MAX]
    facts = sorted((fact for some in lists for fact in some), key=lambda fact: fact.happened_at)
    number = webhook.confirmation_no if len(confirmations) == FACTS_MAX else _settled_no(connection, webhook, late)
    return Found(facts, min([late, *ends]), number)


def _untold(webhook: Webhook, event: EventName, subject: ColumnElement[Any]) -> ColumnElement[bool]:
    return ~exists().where(
        webhook_message.c.webhook_id == webhook.webhook_id,
        webhook_message.c.event == event,
        webhook_message.c.subject == subject,
    )


def _redemptions(connection: Connection, webhook: Webhook) -> list[Fact]:
    table = redemption
    wanted = (
        select(*(table.c[name] for name in RedemptionAcceptedData.__struct_fields__ if name != "reference"))
        .where(table.c.merchant_id == webhook.merchant_id, table.c.redeemed_at >= webhook.facts_from)
        .where(_untold(webhook, "redemption.accepted", table.c.redemption_id))
        .order_by(table.c.redeemed_at, table.c.redemption_id)
        .limit(FACTS_MAX)
    )
    return [
        Fact(
            "redemption.accepted",
            row["redemption_id"],
            row["redeemed_at"],
            RedemptionAcceptedData(**row, reference=reference(row["redemption_id"])),
        )
        for row in connection.execute(wanted).mappings()
    ]


def _confirmations(connection: Connection, webhook: Webhook) -> list[Fact]:
    """One per act of confirming: what one person or program confirmed at one moment, named by its first redemption."""
    table = confirmation
    first = func.min(table.c.confirmation_no)
    acts = (
        select(
            table.c.confirmed_at,
            table.c.staff_id,
            func.count().label("redemption_count"),
            func.sum(table.c.voucher_count).label("voucher_count"),
            func.sum(table.c.amount_twd).label("amount_twd"),
            first.label("first_confirmation_no"),
            func.max(table.c.confirmation_no).label("last_confirmation_no"),
        )
        .where(table.c.merchant_id == webhook.merchant_id, table.c.confirmation_no > webhook.confirmation_no)
        .where(table.c.confirmed_at >= webhook.facts_from)
        .group_by(table.c.confirmed_at, table.c.staff_id)
        .subquery("acts")
    )
    wanted = (
        select(acts, table.c.redemption_id)
        .join(table, table.c.confirmation_no == acts.c.first_confirmation_no)
        .where(_untold(webhook, "confirmation.made", table.c.redemption_id))
        .order_by(acts.c.confirmed_at)
        .limit(FACTS_MAX)
    )
    facts = []
    for found in connection.execute(wanted).mappings():
        row = dict(found)
        subject = row.pop("redemption_id")
        sums = {name: int(row[name]) for name in ("voucher_count", "amount_twd")}
        facts.append(Fact("confirmation.made", subject, row["confirmed_at"], ConfirmationMadeData(**(row | sums))))
    return facts


def _settled_no(connection: Connection, webhook: Webhook, late: datetime) -> int:
    """The last confirmation before the first act that is young: of two acts at once the numbers may lie mixed."""
    table = confirmation
    mine = (table.c.merchant_id == webhook.merchant_id, table.c.confirmation_no > webhook.confirmation_no)
    young = connection.scalar(select(func.min(table.c.confirmation_no)).where(*mine, table.c.confirmed_at >= late))
    if young is not None:
        return int(young) - 1
    return int(connection.scalar(select(func.max(table.c.confirmation_no)).where(*mine)) or webhook.confirmation_no)


def _claims(connection: Connection, webhook: Webhook) -> list[Fact]:
    wanted = (
        select(*(claim.c[name] for name in ClaimSettledData.__struct_fields__), settlement.c.closed_at)
        .join(settlement, settlement.c.period_starts_on == claim.c.period_starts_on)
        .where(claim.c.merchant_id == webhook.merchant_id, settlement.c.closed_at >= webhook.facts_from)
        .where(_untold(webhook, "claim.settled", claim.c.claim_id))
        .order_by(settlement.c.closed_at, claim.c.claim_id)
        .limit(FACTS_MAX)
    )
    facts = []
    for found in connection.execute(wanted).mappings():
        row = dict(found)
        closed_at = row.pop("closed_at")
        facts.append(Fact("claim.settled", row["claim_id"], closed_at, ClaimSettledData(**row)))
    return facts


def _payouts(connection: Connection, webhook: Webhook, state: str, event: EventName) -> list[Fact]:
    wanted = (
        select(
            payout.c.payout_id,
            payout.c.claim_id,
            payout.c.attempt,
            payout.c.amount_twd,
            payout_outcome.c.known_at,
            payout_outcome.c.return_code,
        )
        .join(claim, claim.c.claim_id == payout.c.claim_id)
        .join(payout_outcome, payout_outcome.c.payout_id == payout.c.payout_id)
        .where(claim.c.merchant_id == webhook.merchant_id, payout_outcome.c.state == state)
        .where(payout_outcome.c.known_at >= webhook.facts_from)
        .where(_untold(webhook, event, payout.c.payout_id))
        .order_by(payout_outcome.c.known_at, payout.c.payout_id)
        .limit(FACTS_MAX)
    )
    return [Fact(event, row["payout_id"], row["known_at"], PayoutData(**row)) for row in connection.execute(wanted).mappings()]
