"""Programs of merchants: API keys, answers that may be asked for again, webhooks with their messages, and the trail."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TRAIL = "connect_event"


def upgrade() -> None:
    """Make the tables and guard the trail."""
    _make_keys()
    _make_answers()
    _make_webhooks()
    _make_messages()
    _make_trail()


def downgrade() -> None:
    """Drop the tables. What programs redeemed stays, under the accounts that they redeemed as."""
    for table in (_TRAIL, "webhook_attempt", "webhook_message", "webhook", "api_answer", "api_key"):
        op.drop_table(table)


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _serial() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _make_keys() -> None:
    op.create_table(
        "api_key",
        sa.Column("key_id", sa.String(length=32), nullable=False, comment="the account that a program redeems as"),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the key, which has 256 random bits"),
        sa.Column("prefix", sa.String(length=16), nullable=False, comment="how the key begins, for its owner to recognise"),
        sa.Column("scopes", sa.String(length=64), nullable=False, comment="separated by blanks: redeem, read, confirm"),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("made_by", sa.String(length=32), nullable=False),
        sa.Column("expires_at", _instant(), comment="null: never"),
        sa.Column("used_at", _instant(), comment="to the minute"),
        sa.Column("revoked_at", _instant()),
        sa.ForeignKeyConstraint(["key_id"], ["staff.staff_id"], name=op.f("fk_api_key_key_id")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_api_key_secret_hash")),
        comment="the account's row says whose it is, at which site, and whether it still counts",
    )


def _make_answers() -> None:
    op.create_table(
        "api_answer",
        sa.Column("key_id", sa.String(length=32), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of path and Idempotency-Key"),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False, comment="tells a repeat from another request"),
        sa.Column("answer", sa.LargeBinary(), nullable=False, comment="the body that is sent, for ever the same"),
        sa.Column("answered_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["staff.staff_id"], name=op.f("fk_api_answer_key_id")),
        sa.PrimaryKeyConstraint("key_id", "request_hash", name=op.f("pk_api_answer")),
        comment="answers to requests that are no messages of the protocol; those stand in inbox",
    )
    op.create_index(op.f("ix_api_answer_answered_at"), "api_answer", ["answered_at"], unique=False)


def _make_webhooks() -> None:
    op.create_table(
        "webhook",
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("url", sa.String(length=500), nullable=False),
        sa.Column("events", sa.String(length=200), nullable=False, comment="separated by blanks"),
        sa.Column("secret", sa.Text(), nullable=False, comment="encrypted under a key that is not in this database"),
        sa.Column("old_secret", sa.Text(), comment="the one before, which signs too until old_secret_until"),
        sa.Column("old_secret_until", _instant()),
        sa.Column("state", sa.String(length=16), nullable=False, comment="active | paused | disabled | removed"),
        sa.Column("reason", sa.String(length=200), nullable=False, comment="why it is disabled"),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("made_by", sa.String(length=32), nullable=False),
        sa.Column("facts_from", _instant(), nullable=False, comment="facts before it are not looked at; follows the calendar"),
        sa.Column("confirmation_no", sa.BigInteger(), nullable=False, comment="confirmations up to it are not looked at"),
        sa.Column("wait_until", _instant(), comment="its server could not be reached; all messages wait"),
        sa.Column("failures", sa.SmallInteger(), nullable=False, comment="times in a row that it could not be reached"),
        sa.Column("leased_until", _instant(), comment="a deliverer is at work on it"),
        sa.CheckConstraint("state IN ('active', 'paused', 'disabled', 'removed')", name=op.f("ck_webhook_state")),
        sa.ForeignKeyConstraint(["merchant_id"], ["merchant.merchant_id"], name=op.f("fk_webhook_merchant_id")),
        sa.PrimaryKeyConstraint("webhook_id", name=op.f("pk_webhook")),
    )
    op.create_index(op.f("ix_webhook_merchant_id"), "webhook", ["merchant_id"], unique=False)


def _make_messages() -> None:
    op.create_table(
        "webhook_message",
        sa.Column("message_no", _serial(), sa.Identity(always=False), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.String(length=32), nullable=False),
        sa.Column("event", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.Uuid(), nullable=False, comment="the fact that it tells of"),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False, comment="waiting | delivered | given_up"),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("next_at", _instant(), nullable=False),
        sa.CheckConstraint("state IN ('waiting', 'delivered', 'given_up')", name=op.f("ck_webhook_message_state")),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.webhook_id"], name=op.f("fk_webhook_message_webhook_id")),
        sa.PrimaryKeyConstraint("message_no", name=op.f("pk_webhook_message")),
        sa.UniqueConstraint("message_id", name=op.f("uq_webhook_message_message_id")),
        sa.UniqueConstraint("webhook_id", "event", "subject", name=op.f("uq_webhook_message_webhook_id_event_subject")),
        comment="made from facts by the deliverer; the unique constraint judges that a fact is told once per webhook",
    )
    op.create_index(
        op.f("ix_webhook_message_webhook_id_state_next_at"), "webhook_message", ["webhook_id", "state", "next_at"], unique=False
    )
    op.create_table(
        "webhook_attempt",
        sa.Column("message_no", _serial(), nullable=False),
        sa.Column("attempt_no", sa.SmallInteger(), nullable=False),
        sa.Column("tried_at", _instant(), nullable=False),
        sa.Column("status", sa.SmallInteger(), comment="null: there was no answer"),
        sa.Column("problem", sa.String(length=100), nullable=False),
        sa.Column("took_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["message_no"], ["webhook_message.message_no"], name=op.f("fk_webhook_attempt_message_no"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("message_no", "attempt_no", name=op.f("pk_webhook_attempt")),
    )


def _make_trail() -> None:
    op.create_table(
        _TRAIL,
        sa.Column("event_id", _serial(), sa.Identity(always=False), nullable=False),
        sa.Column("happened_at", _instant(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False, comment="see cloud.ports.connect.ConnectEventKind"),
        sa.Column("subject", sa.String(length=32), nullable=False, comment="the key or webhook"),
        sa.Column("by_staff_id", sa.String(length=32), comment="null: the deliverer"),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_connect_event")),
        comment="every key and webhook that was made, changed or taken away; never a secret",
    )
    op.create_index(op.f("ix_connect_event_merchant_id"), _TRAIL, ["merchant_id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {_TRAIL}_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON {_TRAIL} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {_TRAIL}_keeps_facts_on_{verb.lower()} BEFORE {verb} ON {_TRAIL} "
            f"BEGIN SELECT RAISE(ABORT, '{_TRAIL} holds facts: they are never changed'); END"
        )
