"""The life of a merchant: its application with papers, its profile and places, its payout accounts, and their trail."""

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    Uuid,
)

from cloud.adapters.sql.tables.base import Instant, Serial, metadata

application = Table(
    "application",
    metadata,
    Column("application_id", Uuid, primary_key=True),
    Column("staff_id", ForeignKey("staff.staff_id"), nullable=False, unique=True, comment="whose application it is"),
    Column("state", String(16), nullable=False, comment="draft | submitted | returned | approved | rejected"),
    Column("version", Integer, nullable=False, comment="one more with every change: nobody decides on what they have not seen"),
    Column("merchant_category", String(32), nullable=False),
    Column("ubn", String(8), nullable=False, index=True),
    Column("sole_owner", Boolean, nullable=False),
    Column("owner_id", String(10), nullable=False, comment="of a sole owner; empty for a company"),
    Column("licence_no", Text, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("contact_name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("submitted_at", Instant),
    Column("decided_at", Instant),
    Column("correct_by", Date, comment="last day, Asia/Taipei, on which a returned one may come back; later it is lapsed"),
    Column("reason", Text, nullable=False, comment="of the last decision, as the business reads it"),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), unique=True, comment="the merchant that it became"),
    CheckConstraint("(state = 'returned') = (correct_by IS NOT NULL)", name="clock"),
    CheckConstraint("(state = 'approved') = (merchant_id IS NOT NULL)", name="merchant"),
    Index("ix_application_state_submitted_at", "state", "submitted_at"),
)

application_paper = Table(
    "application_paper",
    metadata,
    Column("paper_id", Uuid, primary_key=True),
    Column("application_id", ForeignKey("application.application_id"), nullable=False, index=True),
    Column("paper", String(16), nullable=False, comment="registration | licence | other"),
    Column("file_kind", String(4), nullable=False, comment="pdf | jpg | png, by content"),
    Column("file_name", Text, nullable=False, comment="as the business called it; shown, never used"),
    Column("byte_count", Integer, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("added_at", Instant, nullable=False),
    Column("removed_at", Instant, comment="taken back after a reviewer had seen it"),
)

merchant_profile = Table(
    "merchant_profile",
    metadata,
    Column("merchant_id", ForeignKey("merchant.merchant_id"), primary_key=True),
    Column("owner_id", String(10), nullable=False, comment="of a sole owner; empty for a company"),
    Column("name_en", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("contact_name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("email", Text, nullable=False),
    comment="what a merchant keeps up to date itself (您的業者資料)",
)

site_place = Table(
    "site_place",
    metadata,
    Column("site_id", ForeignKey("site.site_id"), primary_key=True),
    Column("name_en", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("county", String(3), comment="read from the address, see cloud.domain.counties; null where it does not say"),
    Column("district", String(8), comment="read from the address"),
    Column("phone", String(32), nullable=False),
    Column(
        "changed_by",
        String(32),
        nullable=False,
        comment="member of staff, or cli; a setup file leaves alone what somebody else wrote",
    ),
    Column("updated_at", Instant, nullable=False),
    Index("ix_site_place_county_district", "county", "district"),
    comment="where a site is, as everybody may read it",
)

payout_account_change = Table(
    "payout_account_change",
    metadata,
    Column("change_id", Serial, Identity(), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), nullable=False, index=True),
    Column("changed_at", Instant, nullable=False, index=True),
    Column("by_staff_id", ForeignKey("staff.staff_id"), nullable=False),
    Column("bank_code", String(7), nullable=False),
    Column("account_no", String(16), nullable=False),
    Column("account_name", Text, nullable=False),
    Column("payee_id", String(10), nullable=False),
    Column("replaces", Boolean, nullable=False, comment="whether it took the place of another account"),
    comment="every payout account that a merchant ever named; the newest stands in merchant, where payouts take it from",
)

merchant_event = Table(
    "merchant_event",
    metadata,
    Column("event_id", Serial, Identity(), primary_key=True),
    Column("happened_at", Instant, nullable=False),
    Column("kind", String(32), nullable=False, comment="see cloud.ports.merchants.MerchantEventKind"),
    Column("application_id", Uuid, index=True),
    Column("merchant_id", String(32), index=True),
    Column("by_staff_id", String(32), nullable=False),
    Column("reason", Text, nullable=False, comment="as the business reads it"),
    Column("detail", String(200), nullable=False),
    comment="everything that was done to an application or a merchant, and by whom",
)
