"""All tables of the cloud, for SQLite and PostgreSQL alike.

Three habits, everywhere:

* **Constraints judge.** That a voucher is used once is the primary key of ``redemption_line``; that a request has one answer
  is the primary key of ``inbox``; that a wrong try is counted is the primary key of ``digit_try``. No code decides it.
* **Facts are appended.** Vouchers, redemptions, confirmations, claims, ledger entries and answers are never updated. What
  changes (a hold, a device's or payout's state) is a row of its own.
* **Money is whole TWD in an integer; time is an aware UTC instant.**

No digit of an ID is in any column: ``digit_tag`` is an HMAC under a pepper that is not in this database.
"""

from cloud.adapters.sql.tables.base import Instant, metadata
from cloud.adapters.sql.tables.devices import claim_code, device, device_presence
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
from cloud.adapters.sql.tables.programmes import item_category, programme, programme_merchant_category
from cloud.adapters.sql.tables.public import site_place
from cloud.adapters.sql.tables.redemptions import inbox, parked_message, redemption, redemption_line
from cloud.adapters.sql.tables.vouchers import digit_try, hold, issue_batch, voucher

__all__ = [
    "CLAIM_LINE_VIEW",
    "Instant",
    "account_event",
    "bank_return",
    "claim",
    "claim_code",
    "claim_line",
    "confirmation",
    "device",
    "device_presence",
    "digit_try",
    "door",
    "hold",
    "inbox",
    "issue_batch",
    "item_category",
    "ledger_entry",
    "merchant",
    "metadata",
    "parked_message",
    "passkey",
    "payout",
    "payout_file",
    "payout_outcome",
    "programme",
    "programme_merchant_category",
    "recovery_code",
    "redemption",
    "redemption_line",
    "second_factor",
    "settlement",
    "settlement_range",
    "site",
    "site_place",
    "staff",
    "voucher",
    "web_session",
]
