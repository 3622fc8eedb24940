"""The statement of one claim (請款明細): A4, made to be printed, signed off and filed.

It says whose claim it is, of which week, what it is made of line by line, its sum in figures and in capital numerals,
and how far the money is. Every page ends with its own sum and the sum so far, so that a page that is missing shows. A
check code over claim and lines tells two prints apart that do not say the same.

Where corrections are set off against the claim, it says by how much, and what is paid.

A statement whose lines do not add up to the claim is refused: paper is believed. Data reaches the template
(``statements.typ``) as JSON and is never read as markup; the font must be installed, as for the voucher sheets.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from importlib import resources
from typing import Any, Final, Literal

import typst

from cloud.adapters.sheets import FONT
from cloud.domain.calendar import TAIPEI, Period
from cloud.domain.capital_numerals import capital_numerals
from cloud.ports.documents import STATEMENT_LINES_MAX, Statement
from cloud.ports.money_reports import ClaimDetail
from cloud.ports.reports import TransactionRow
from protocol.errors import PortError
from protocol.ids import reference

ROWS_FIRST_PAGE: Final = 28
ROWS_FIRST_PAGE_SET_OFF: Final = 24
ROWS_PER_PAGE: Final = 40

_STATES: Final = {
    "claimed": ("waiting", "已請款，尚未送銀行", "Claimed, not yet sent to the bank"),
    "sent": ("waiting", "已送銀行，等候回覆", "Sent to the bank"),
    "paid": ("done", "已撥款", "Paid"),
    "returned": ("refused", "退匯，將再次撥款", "Returned by the bank, to be paid again"),
}
_ATTEMPTS: Final = {"sent": "等候銀行回覆", "paid": "已入帳", "returned": "退匯"}
_WEEKDAYS: Final = "一二三四五六日"


def render_statement(statement: Statement, *, format: Literal["pdf", "png"] = "pdf") -> bytes:
    """Render the PDF, or one PNG of its first page to look at.

    Raises:
        PortError: the font is not installed.
        ValueError: the lines are not the claim, or too many.
    """
    _check(statement)
    fonts = typst.Fonts(include_system_fonts=True, include_embedded_fonts=False)
    if FONT not in fonts.families():
        raise PortError(f"The font {FONT} is not installed (Debian: fonts-noto-cjk).", retry=False)
    template = resources.files("cloud.adapters").joinpath("statements.typ").read_bytes()
    compiler = typst.Compiler(template, font_paths=fonts, sys_inputs={"statement": json.dumps(_content(statement))})
    rendered = compiler.compile(format=format, ppi=110.0 if format == "png" else None)
    return bytes(rendered[0] if isinstance(rendered, list) else rendered or b"")


def _check(statement: Statement) -> None:
    claim, lines, days = statement.claim, statement.lines, statement.days
    if len(lines) > STATEMENT_LINES_MAX:
        raise ValueError(f"a statement has at most {STATEMENT_LINES_MAX} lines")
    rows = [(1, line.voucher_count, line.redeemed_twd) for line in lines]
    rows += [(day.redemption_count, day.voucher_count, day.amount_twd) for day in days]
    found = tuple(sum(row[place] for row in rows) for place in range(3))
    if found != (claim.redemption_count, claim.voucher_count, claim.amount_twd):
        raise ValueError(f"the lines of claim {claim.claim_id} sum to {found}, not to the claim")
    if not 0 <= claim.set_off_twd <= claim.amount_twd:
        raise ValueError(f"claim {claim.claim_id} is set off by {claim.set_off_twd}, which is more than it is over")


def _content(statement: Statement) -> dict[str, Any]:
    claim = statement.claim
    rows = [_line(number, line) for number, line in enumerate(statement.lines, start=1)]
    rows += [
        {"no": number, "when": day.day, "what": f"{day.redemption_count:,} 筆", "vouchers": day.voucher_count, "total": "",
         "amount": day.amount_twd, "where": ""}
        for number, day in enumerate(statement.days, start=1)
    ]  # fmt: skip
    shape, state_zh, state_en = _STATES[claim.state]
    return {
        "font": FONT,
        "merchant": claim.merchant_name,
        "ubn": claim.ubn,
        "programme": {"zh": claim.programme_name_zh, "en": claim.programme_name_en},
        "period": _period(Period(claim.period_starts_on)),
        "reference": reference(claim.claim_id),
        "closed_at": _moment(claim.closed_at),
        "amount": f"{claim.amount_twd:,}",
        "capitals": capital_numerals(claim.amount_twd),
        "set_off": f"{claim.set_off_twd:,}" if claim.set_off_twd else "",
        "payable": f"{claim.payable_twd:,}",
        "payable_capitals": capital_numerals(claim.payable_twd),
        "vouchers": f"{claim.voucher_count:,}",
        "redemptions": f"{claim.redemption_count:,}",
        "state": {"shape": shape, "zh": state_zh, "en": state_en, "reason": statement.reason},
        "account": _account(claim),
        "attempts": [
            {
                "file": str(step.file_no),
                "sent": _moment(step.sent_at),
                "value": f"{step.value_date:%Y/%m/%d}",
                "result": _ATTEMPTS[step.state] + (f"（{step.return_code}）" if step.return_code else ""),
            }
            for step in claim.payouts
        ],
        "by_day": bool(statement.days),
        "pages": _pages(rows, first=ROWS_FIRST_PAGE_SET_OFF if claim.set_off_twd else ROWS_FIRST_PAGE),
        "made_at": _moment(statement.made_at),
        "check": _check_code(statement),
    }


def _line(number: int, line: TransactionRow) -> dict[str, Any]:
    more = f" 等 {line.voucher_count} 張" if line.voucher_count > 1 else ""
    return {
        "no": number,
        "when": _moment(line.redeemed_at),
        "what": (line.voucher_nos[0] if line.voucher_nos else "—") + more,
        "vouchers": line.voucher_count,
        "total": f"{line.order_total_twd:,}",
        "amount": line.redeemed_twd,
        "where": f"{line.site_name}／{line.by}",
    }


def _pages(rows: Sequence[dict[str, Any]], *, first: int) -> list[dict[str, Any]]:
    """Cut the lines into pages, each with its sum and the sum so far."""
    starts = [0, *range(first, len(rows), ROWS_PER_PAGE)]
    pages: list[dict[str, Any]] = []
    so_far = 0
    for start, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        some = rows[start:end]
        amount = sum(row["amount"] for row in some)
        so_far += amount
        shown = [{**row, "amount": f"{row['amount']:,}"} for row in some]
        vouchers = sum(row["vouchers"] for row in some)
        pages.append({"rows": shown, "vouchers": f"{vouchers:,}", "sum": f"{amount:,}", "so_far": f"{so_far:,}"})
    return pages


def _check_code(statement: Statement) -> str:
    claim = statement.claim
    said = [str(claim.claim_id), str(claim.amount_twd), claim.state]
    said += [f"set off {claim.set_off_twd}"] if claim.set_off_twd else []
    said += [f"{line.redemption_id} {line.redeemed_twd}" for line in statement.lines]
    said += [f"{day.day} {day.amount_twd}" for day in statement.days]
    digest = hashlib.sha256("\n".join(said).encode()).hexdigest().upper()
    return " ".join(digest[start : start + 4] for start in range(0, 16, 4))


def _account(claim: ClaimDetail) -> str:
    """Bank, branch and the last four of the account."""
    if not claim.bank_code or not claim.account_no:
        return ""
    return f"{claim.bank_code[:3]}-{claim.bank_code[3:]}  ****{claim.account_no[-4:]}"


def _period(period: Period) -> str:
    return "～".join(f"{day:%Y/%m/%d}（{_WEEKDAYS[day.weekday()]}）" for day in (period.starts_on, period.ends_on))


def _moment(instant: datetime) -> str:
    return f"{instant.astimezone(TAIPEI):%Y/%m/%d %H:%M}"
