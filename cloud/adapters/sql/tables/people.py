"""Merchants and their sites; accounts, their sessions, their second factors, the doors that they come in by."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Identity,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from cloud.adapters.sql.tables.base import Instant, Serial, metadata

merchant = Table(
    "merchant",
    metadata,
    Column("merchant_id", String(32), primary_key=True),
    Column("name", Text, nullable=False),
    Column("ubn", String(8), nullable=False, unique=True),
    Column("merchant_category", String(32), nullable=False),
    Column("state", String(16), nullable=False, comment="approved | suspended | terminated"),
    Column("bank_code", String(7), comment="bank and branch, seven digits; null until the merchant sets it (V-R19)"),
    Column("account_no", String(16)),
    Column("account_name", Text),
    Column("payee_id", String(10), comment="UBN or national ID of the account holder, compared by the bank (return code 05)"),
)

site = Table(
    "site",
    metadata,
    Column("site_id", String(32), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), nullable=False, index=True),
    Column("name", Text, nullable=False),
)

staff = Table(
    "staff",
    metadata,
    Column("staff_id", String(32), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), index=True, comment="null for the programme office"),
    Column("site_id", ForeignKey("site.site_id"), comment="where scan staff stand"),
    Column("door", String(32), nullable=False, comment="which sign-in: a merchant category, scan, or office (V-E3)"),
    Column("login", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("role", String(16), nullable=False, comment="see cloud.ports.people.Role"),
    Column("password_hash", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    UniqueConstraint("door", "login"),
)

web_session = Table(
    "web_session",
    metadata,
    Column(
        "session_hash", LargeBinary, primary_key=True, comment="SHA-256 of the id in the cookie; the id has 256 random bits"
    ),
    Column("staff_id", ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False, index=True),
    Column("address", String(45), nullable=False),
    Column("agent", String(200), nullable=False, comment="what the browser calls itself, for its owner to recognise"),
    comment="browsers that are signed in; without its row a cookie is nothing",
)

second_factor = Table(
    "second_factor",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True),
    Column("totp_secret", Text, nullable=False, comment="encrypted under a key that is not in this database"),
    Column("totp_counter", BigInteger, nullable=False, comment="time step of the last code: no code is good twice"),
)

recovery_code = Table(
    "recovery_code",
    metadata,
    Column("staff_id", ForeignKey("staff.staff_id"), primary_key=True),
    Column("position", SmallInteger, primary_key=True),
    Column("code", Text, nullable=False, comment="encrypted under a key that is not in this database"),
)

passkey = Table(
    "passkey",
    metadata,
    Column("credential_id", LargeBinary, primary_key=True),
    Column("staff_id", ForeignKey("staff.staff_id"), nullable=False, index=True),
    Column("name", String(64), nullable=False),
    Column("usage", String(16), nullable=False, comment="first: instead of the password | secondary: after it"),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("transports", String(100), nullable=False),
    Column("device_type", String(16), nullable=False),
    Column("backed_up", Boolean, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=False),
)

account_event = Table(
    "account_event",
    metadata,
    Column("event_id", Serial, Identity(), primary_key=True),
    Column("happened_at", Instant, nullable=False),
    Column("kind", String(32), nullable=False, comment="see cloud.ports.accounts.EventKind"),
    Column("staff_id", String(32), index=True, comment="whose account; null where nobody has such a login"),
    Column("by_staff_id", String(32), comment="who did it, where it was somebody else"),
    Column("door", String(32), nullable=False),
    Column("address", String(45), nullable=False),
    Column("detail", String(200), nullable=False),
    comment="every sign-in, refusal and change of an account; never what was typed",
)

door = Table(
    "door",
    metadata,
    Column("door", String(32), primary_key=True, comment="winners | shops | merchants"),
    Column("opens_on", Date, comment="first day, Asia/Taipei; null: open from the start"),
    Column("closes_on", Date, comment="last day, inclusive; null: for good"),
    CheckConstraint("closes_on >= opens_on", name="dates"),
    comment="doors of the public home that open on a day (V-E2)",
)
