"""Accounts: sessions on the server, second factors, passkeys, the trail of what happened to an account, doors with dates.

The one role of the office becomes ``programme_admin``, which may do everything that ``office`` could.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"
branch_labels = None
depends_on = None

_TRAIL = "account_event"
_ROLES = "see cloud.ports.people.Role"
_ROLES_BEFORE = "merchant_admin | scan_staff | office"


def upgrade() -> None:
    """Make the tables, guard the trail, rename the role."""
    _make_sessions()
    _make_factors()
    _make_passkeys()
    _make_trail()
    _guard_trail()
    _make_doors()
    _rename_role("office", "programme_admin", _ROLES)


def downgrade() -> None:
    """Drop the tables; refused while somebody has a role that revision 0002 does not know."""
    staff = sa.table("staff", sa.column("role", sa.String))
    known = ("merchant_admin", "scan_staff", "programme_admin")
    if op.get_bind().scalar(sa.select(sa.func.count()).select_from(staff).where(staff.c.role.not_in(known))):
        raise RuntimeError("staff holds roles that revision 0003 does not know")
    _rename_role("programme_admin", "office", _ROLES_BEFORE)
    for table in ("door", _TRAIL, "passkey", "recovery_code", "second_factor", "web_session"):
        op.drop_table(table)


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _rename_role(old: str, new: str, comment: str) -> None:
    staff = sa.table("staff", sa.column("role", sa.String))
    op.execute(sa.update(staff).where(staff.c.role == old).values(role=new))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("staff", "role", existing_type=sa.String(16), existing_nullable=False, comment=comment)


def _guard_trail() -> None:
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


def _make_sessions() -> None:
    op.create_table(
        "web_session",
        sa.Column(
            "session_hash",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the id in the cookie; the id has 256 random bits",
        ),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("opened_at", _instant(), nullable=False),
        sa.Column("seen_at", _instant(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column(
            "agent", sa.String(length=200), nullable=False, comment="what the browser calls itself, for its owner to recognise"
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_web_session_staff_id")),
        sa.PrimaryKeyConstraint("session_hash", name=op.f("pk_web_session")),
        comment="browsers that are signed in; without its row a cookie is nothing",
    )
    op.create_index(op.f("ix_web_session_seen_at"), "web_session", ["seen_at"], unique=False)
    op.create_index(op.f("ix_web_session_staff_id"), "web_session", ["staff_id"], unique=False)


def _make_factors() -> None:
    op.create_table(
        "second_factor",
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("totp_secret", sa.Text(), nullable=False, comment="encrypted under a key that is not in this database"),
        sa.Column("totp_counter", sa.BigInteger(), nullable=False, comment="time step of the last code: no code is good twice"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_second_factor_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_second_factor")),
    )
    op.create_table(
        "recovery_code",
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, comment="encrypted under a key that is not in this database"),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_recovery_code_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", "position", name=op.f("pk_recovery_code")),
    )


def _make_passkeys() -> None:
    op.create_table(
        "passkey",
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column(
            "usage", sa.String(length=16), nullable=False, comment="first: instead of the password | secondary: after it"
        ),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.String(length=100), nullable=False),
        sa.Column("device_type", sa.String(length=16), nullable=False),
        sa.Column("backed_up", sa.Boolean(), nullable=False),
        sa.Column("made_at", _instant(), nullable=False),
        sa.Column("used_at", _instant(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.staff_id"], name=op.f("fk_passkey_staff_id")),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_passkey")),
    )
    op.create_index(op.f("ix_passkey_staff_id"), "passkey", ["staff_id"], unique=False)


def _make_trail() -> None:
    op.create_table(
        "account_event",
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), sa.Identity(always=False), nullable=False),
        sa.Column("happened_at", _instant(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False, comment="see cloud.ports.accounts.EventKind"),
        sa.Column("staff_id", sa.String(length=32), comment="whose account; null where nobody has such a login"),
        sa.Column("by_staff_id", sa.String(length=32), comment="who did it, where it was somebody else"),
        sa.Column("door", sa.String(length=32), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_account_event")),
        comment="every sign-in, refusal and change of an account; never what was typed",
    )
    op.create_index(op.f("ix_account_event_staff_id"), "account_event", ["staff_id"], unique=False)


def _make_doors() -> None:
    op.create_table(
        "door",
        sa.Column("door", sa.String(length=32), nullable=False, comment="winners | shops | merchants"),
        sa.Column("opens_on", sa.Date(), comment="first day, Asia/Taipei; null: open from the start"),
        sa.Column("closes_on", sa.Date(), comment="last day, inclusive; null: for good"),
        sa.CheckConstraint("closes_on >= opens_on", name=op.f("ck_door_dates")),
        sa.PrimaryKeyConstraint("door", name=op.f("pk_door")),
        comment="doors of the public home that open on a day (V-E2)",
    )
