"""Kiosks: who is enrolled, who is there, who may enrol."""

from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from cloud.adapters.sql.tables.base import Instant, metadata

device = Table(
    "device",
    metadata,
    Column("device_id", String(32), primary_key=True),
    Column("site_id", ForeignKey("site.site_id"), nullable=False, index=True),
    Column("state", String(16), nullable=False, comment="active | suspended | revoked"),
    Column("serial", String(64), nullable=False),
    Column("seal_public", LargeBinary, nullable=False, comment="X25519, 32 bytes"),
    Column("certificate_serial", String(64), nullable=False),
    Column("certificate_pem", Text, nullable=False),
    Column("enrolled_at", Instant, nullable=False),
    Column("state_changed_at", Instant, nullable=False),
    Column("state_reason", Text, nullable=False, server_default=""),
)

device_presence = Table(
    "device_presence",
    metadata,
    Column("device_id", ForeignKey("device.device_id"), primary_key=True),
    Column("state", String(16), nullable=False, comment="online | offline | lost"),
    Column("seen_at", Instant, nullable=False),
    Column("version", String(32), nullable=False),
    Column("pending", Integer, nullable=False),
)

claim_code = Table(
    "claim_code",
    metadata,
    Column("code_hash", LargeBinary, primary_key=True, comment="SHA-256 of the code; the code has 80 random bits"),
    Column("site_id", ForeignKey("site.site_id"), nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("made_by", String(32), nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("device_id", String(32), unique=True, comment="the device that used it; null while unused"),
)
