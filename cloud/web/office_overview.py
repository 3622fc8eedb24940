"""The programme office's first page: today, the next settlement, what needs somebody, how far each programme is, the fleet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import render_template, url_for

from cloud.domain.calendar import Period, day_of, period_of
from cloud.ports.cases import CaseKind
from cloud.ports.reports import OfficeOverview, ProgrammeUse
from cloud.services.programmes import count_notices
from cloud.web.access import may
from cloud.web.charts import Column, Segment, columns, segments
from cloud.web.parts import WebParts

DISPUTES_MAX: Final = 1_000
"""More than these are counted as these."""

WEEKS: Final = 8
"""Settled weeks that the chart shows, before the running one."""


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of thing that needs somebody (例外)."""

    name: str
    """Of its words."""
    look: str
    count: int
    amount_twd: int | None
    href: str | None
    """Where its rows are, if there is a page of them for whoever looks."""


@dataclass(frozen=True, slots=True)
class Use:
    """One programme and its bar: redeemed, and issued but not yet used."""

    programme: ProgrammeUse
    bar: Sequence[Segment]


def render_overview(parts: WebParts) -> str:
    """Show the page."""
    now = parts.clock.now()
    running = period_of(now)
    seen = parts.reports.office_overview(now=now)
    uses = parts.reports.programme_uses()
    return render_template(
        "office_overview.html",
        seen=seen,
        settles_on=running.following.starts_on,
        cases=_cases(seen, parts),
        uses=[Use(use, _bar(use)) for use in uses],
        weeks=_weeks(parts, seen, running),
        running=running,
        fleet=_fleet(seen),
        kiosks=seen.online + seen.offline + seen.lost + seen.never,
    )


def _cases(seen: OfficeOverview, parts: WebParts) -> list[Case]:
    near, full = count_notices(parts.programmes.office, today=day_of(parts.clock.now()))
    disputes = parts.money.cases.open_cases("disputed", limit=DISPUTES_MAX)
    disputed_twd = sum(one.amount_twd or 0 for one in disputes)
    programmes, kiosks = (url_for(page) if may(page) else None for page in ("programme.programmes", "office.kiosks"))
    every = (
        Case("budget_full", "refused", full, None, programmes),
        Case("budget_near", "attention", near, None, programmes),
        Case("returned", "refused", seen.returned_count, seen.returned_twd, _queue("returned")),
        Case("disputed", "attention", len(disputes), disputed_twd, _queue("disputed")),
        Case("lost", "refused", seen.lost, None, kiosks),
        Case("offline", "attention", seen.offline + seen.never, None, kiosks),
        Case("pending", "attention", seen.pending, None, _queue("pending")),
        Case("overdue", "attention", seen.overdue_count, seen.overdue_twd, None),
        Case("locked", "attention", seen.locked_count, None, None),
        Case("parked", "attention", seen.parked_count, None, _queue("parked")),
    )
    return [case for case in every if case.count]


def _queue(kind: CaseKind) -> str:
    """Where the exceptions of one kind are; whoever sees this page sees that one."""
    return url_for("office.cases", kind=kind)


def _bar(use: ProgrammeUse) -> Sequence[Segment]:
    return segments((("redeemed", use.redeemed_twd), ("open", use.issued_twd - use.redeemed_twd)), use.issued_twd)


def _weeks(parts: WebParts, seen: OfficeOverview, running: Period) -> Sequence[Column]:
    """What each settled week claimed, oldest first, and what the running one would claim now."""
    settled = [(row.period_starts_on, row.claimed_twd, row.claim_count) for row in parts.reports.settlements()[:WEEKS]]
    before = [row for row in reversed(settled) if row[0] < running.starts_on]
    return columns([*before, (running.starts_on, seen.next_claim_twd, 0)])


def _fleet(seen: OfficeOverview) -> Sequence[Segment]:
    presences = (("online", seen.online), ("offline", seen.offline), ("lost", seen.lost), ("never", seen.never))
    return segments(presences, sum(count for _, count in presences))
