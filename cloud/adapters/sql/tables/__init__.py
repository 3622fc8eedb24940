"""All tables of the cloud, for SQLite and PostgreSQL alike.

Three habits, everywhere:

* **Constraints judge.** That a voucher is used once is the primary key of ``redemption_line``; that a request has one answer
  is the primary key of ``inbox``; that a wrong try is counted is the primary key of ``digit_try``. No code decides it.
* **Facts are appended.** Vouchers, redemptions, confirmations, claims, ledger entries and answers are never updated; all that
  changes in one is that a voucher's holder is forgotten. What changes often (a hold, a device's or payout's state) is a row
  of its own.
* **Money is whole TWD in an integer; time is an aware UTC instant.**

No digit of an ID is in any column: ``digit_tag`` is an HMAC under a pepper that is not in this database.
"""

from cloud.adapters.sql.tables.api import api_answer, api_key, connect_event, webhook, webhook_attempt, webhook_message
from cloud.adapters.sql.tables.base import Instant, metadata
from cloud.adapters.sql.tables.corrections import correction, set_off
from cloud.adapters.sql.tables.devices import claim_code, device, device_presence
from cloud.adapters.sql.tables.merchants import (
    application,
    application_paper,
    merchant_event,
    merchant_profile,
    payout_account_change,
    site_profile,
)
from cloud.adapters.sql.tables.money import (
    CLAIM_LINE_VIEW,
    bank_return,
    claim,
    claim_line,
    confirmation,
    ledger_entry,
    payout,
    payout_file,
    payout_outcome,
    settlement,
    settlement_range,
)
from cloud.adapters.sql.tables.money_web import (
    bank_return_draft,
    case_event,
    confirmation_undo,
    dispute,
    dispute_end,
    pay_run,
    pay_run_end,
    pay_run_line,
)
from cloud.adapters.sql.tables.people import (
    account_event,
    door,
    merchant,
    passkey,
    recovery_code,
    second_factor,
    site,
    staff,
    web_session,
)
from cloud.adapters.sql.tables.programme_office import (
    audit_entry,
    audit_head,
    draw_suffix,
    draw_win,
    issue_draft,
    issue_draft_line,
    programme_version,
    site_county,
    voucher_holder,
)
from cloud.adapters.sql.tables.programmes import item_category, programme, programme_merchant_category
from cloud.adapters.sql.tables.public import site_place
from cloud.adapters.sql.tables.redemptions import inbox, parked_message, redemption, redemption_line
from cloud.adapters.sql.tables.vouchers import digit_try, hold, issue_batch, issue_purge, voucher

__all__ = [
    "CLAIM_LINE_VIEW",
    "Instant",
    "account_event",
    "api_answer",
    "api_key",
    "application",
    "application_paper",
    "audit_entry",
    "audit_head",
    "bank_return",
    "bank_return_draft",
    "case_event",
    "claim",
    "claim_code",
    "claim_line",
    "confirmation",
    "confirmation_undo",
    "connect_event",
    "correction",
    "device",
    "device_presence",
    "digit_try",
    "dispute",
    "dispute_end",
    "door",
    "draw_suffix",
    "draw_win",
    "hold",
    "inbox",
    "issue_batch",
    "issue_draft",
    "issue_draft_line",
    "issue_purge",
    "item_category",
    "ledger_entry",
    "merchant",
    "merchant_event",
    "merchant_profile",
    "metadata",
    "parked_message",
    "passkey",
    "pay_run",
    "pay_run_end",
    "pay_run_line",
    "payout",
    "payout_account_change",
    "payout_file",
    "payout_outcome",
    "programme",
    "programme_merchant_category",
    "programme_version",
    "recovery_code",
    "redemption",
    "redemption_line",
    "second_factor",
    "set_off",
    "settlement",
    "settlement_range",
    "site",
    "site_county",
    "site_place",
    "site_profile",
    "staff",
    "voucher",
    "voucher_holder",
    "web_session",
    "webhook",
    "webhook_attempt",
    "webhook_message",
]
