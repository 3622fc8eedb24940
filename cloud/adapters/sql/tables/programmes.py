"""What a programme is, and what its vouchers buy."""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
)

from cloud.adapters.sql.tables.base import metadata
from cloud.domain.retention import DISPUTE_DAYS

programme = Table(
    "programme",
    metadata,
    Column("programme_id", String(32), primary_key=True),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("face_value_twd", Integer, nullable=False),
    Column("starts_on", Date, nullable=False, comment="first day, Asia/Taipei"),
    Column("ends_on", Date, nullable=False, comment="last day, Asia/Taipei, inclusive"),
    Column("vouchers_per_order_max", SmallInteger, nullable=False),
    Column("signing_key_id", String(16), comment="key that signs its codes; null where codes are bare numbers"),
    Column(
        "dispute_days",
        SmallInteger,
        nullable=False,
        server_default=str(DISPUTE_DAYS),
        comment="after the last day; then its holders are forgotten",
    ),
    CheckConstraint("face_value_twd > 0", name="face_value"),
    CheckConstraint("ends_on >= starts_on", name="dates"),
)

programme_merchant_category = Table(
    "programme_merchant_category",
    metadata,
    Column("programme_id", ForeignKey("programme.programme_id"), primary_key=True),
    Column("merchant_category", String(32), primary_key=True),
    comment="which merchants may take the programme's vouchers",
)

item_category = Table(
    "item_category",
    metadata,
    Column("item_category", String(32), primary_key=True),
    Column("merchant_category", String(32), primary_key=True),
    Column("position", SmallInteger, nullable=False),
    Column("name_zh", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("name_ja", Text, nullable=False),
    Column("name_ko", Text, nullable=False),
)
