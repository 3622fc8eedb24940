"""A merchant's programs: their keys, the answers they may ask for again, and what they are told by webhook."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from cloud.adapters.sql.tables.base import Instant, Serial, metadata

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", ForeignKey("staff.staff_id"), primary_key=True, comment="the account that a program redeems as"),
    Column("secret_hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key, which has 256 random bits"),
    Column("prefix", String(16), nullable=False, comment="how the key begins, for its owner to recognise"),
    Column("scopes", String(64), nullable=False, comment="separated by blanks: redeem, read, confirm"),
    Column("made_at", Instant, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("expires_at", Instant, comment="null: never"),
    Column("used_at", Instant, comment="to the minute"),
    Column("revoked_at", Instant),
    comment="the account's row says whose it is, at which site, and whether it still counts",
)

api_answer = Table(
    "api_answer",
    metadata,
    Column("key_id", ForeignKey("staff.staff_id"), primary_key=True),
    Column("request_hash", LargeBinary, primary_key=True, comment="SHA-256 of path and Idempotency-Key"),
    Column("body_hash", LargeBinary, nullable=False, comment="tells a repeat from another request"),
    Column("answer", LargeBinary, nullable=False, comment="the body that is sent, for ever the same"),
    Column("answered_at", Instant, nullable=False, index=True),
    comment="answers to requests that are no messages of the protocol; those stand in inbox",
)

webhook = Table(
    "webhook",
    metadata,
    Column("webhook_id", String(32), primary_key=True),
    Column("merchant_id", ForeignKey("merchant.merchant_id"), nullable=False, index=True),
    Column("url", String(500), nullable=False),
    Column("events", String(200), nullable=False, comment="separated by blanks"),
    Column("secret", Text, nullable=False, comment="encrypted under a key that is not in this database"),
    Column("old_secret", Text, comment="the one before, which signs too until old_secret_until"),
    Column("old_secret_until", Instant),
    Column("state", String(16), nullable=False, comment="active | paused | disabled | removed"),
    Column("reason", String(200), nullable=False, comment="why it is disabled"),
    Column("made_at", Instant, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("facts_from", Instant, nullable=False, comment="facts before it are not looked at; follows the calendar"),
    Column("confirmation_no", BigInteger, nullable=False, comment="confirmations up to it are not looked at"),
    Column("wait_until", Instant, comment="its server could not be reached; all messages wait"),
    Column("failures", SmallInteger, nullable=False, comment="times in a row that it could not be reached"),
    Column("leased_until", Instant, comment="a deliverer is at work on it"),
    CheckConstraint("state IN ('active', 'paused', 'disabled', 'removed')", name="state"),
)

webhook_message = Table(
    "webhook_message",
    metadata,
    Column("message_no", Serial, Identity(), primary_key=True),
    Column("message_id", Uuid, nullable=False, unique=True),
    Column("webhook_id", ForeignKey("webhook.webhook_id"), nullable=False),
    Column("event", String(32), nullable=False),
    Column("subject", Uuid, nullable=False, comment="the fact that it tells of"),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("state", String(16), nullable=False, comment="waiting | delivered | given_up"),
    Column("attempts", SmallInteger, nullable=False),
    Column("next_at", Instant, nullable=False),
    UniqueConstraint("webhook_id", "event", "subject"),
    Index("ix_webhook_message_webhook_id_state_next_at", "webhook_id", "state", "next_at"),
    CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name="state"),
    comment="made from facts by the deliverer; the unique constraint judges that a fact is told once per webhook",
)

webhook_attempt = Table(
    "webhook_attempt",
    metadata,
    Column("message_no", ForeignKey("webhook_message.message_no", ondelete="CASCADE"), primary_key=True),
    Column("attempt_no", SmallInteger, primary_key=True),
    Column("tried_at", Instant, nullable=False),
    Column("status", SmallInteger, comment="null: there was no answer"),
    Column("problem", String(100), nullable=False),
    Column("took_ms", BigInteger, nullable=False),
)

connect_event = Table(
    "connect_event",
    metadata,
    Column("event_id", Serial, Identity(), primary_key=True),
    Column("happened_at", Instant, nullable=False),
    Column("merchant_id", String(32), nullable=False, index=True),
    Column("kind", String(32), nullable=False, comment="see cloud.ports.connect.ConnectEventKind"),
    Column("subject", String(32), nullable=False, comment="the key or webhook"),
    Column("by_staff_id", String(32), comment="null: the deliverer"),
    Column("address", String(45), nullable=False),
    Column("detail", String(200), nullable=False),
    comment="every key and webhook that was made, changed or taken away; never a secret",
)
