"""Claim lines become a view: a settlement takes a range of numbered confirmations instead of writing a row for each.

``confirmation`` gets a number and a copy of what a claim sums; ``settlement_range`` says how far each settlement has seen.
Lines that exist are kept by numbering the confirmations in the order in which they were claimed, those in no claim last: then
every settlement of the past is one range, and the view gives back the lines it had.

New guards: a confirming transaction shares a lock that a settlement takes alone (PostgreSQL), a number that a settlement has
already seen is refused, a claim in a closed week is refused, and settlements and their ranges are facts like the others.
"""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BARRIER = 7_403
"""The advisory lock of confirming transactions; the program knows it as ``Lock.CONFIRM``."""

_VIEW = """
    CREATE VIEW claim_line AS
    SELECT confirmation.redemption_id, claim.claim_id, confirmation.voucher_count, confirmation.amount_twd
    FROM confirmation
    JOIN settlement_range
      ON confirmation.confirmation_no <= settlement_range.through_no
     AND confirmation.redeemed_at < settlement_range.ends_at
     AND (confirmation.confirmation_no > settlement_range.after_no OR confirmation.redeemed_at >= settlement_range.starts_at)
    JOIN claim
      ON claim.period_starts_on = settlement_range.period_starts_on
     AND claim.merchant_id = confirmation.merchant_id
     AND claim.programme_id = confirmation.programme_id
"""

_NUMBERED = """
    CREATE TABLE kept_confirmation AS
    SELECT confirmation.redemption_id, confirmation.merchant_id, confirmation.staff_id, confirmation.confirmed_at,
           row_number() OVER (
               ORDER BY claim.period_starts_on IS NULL, claim.period_starts_on, confirmation.confirmed_at,
                        confirmation.redemption_id
           ) AS confirmation_no,
           redemption.programme_id, redemption.voucher_count, redemption.redeemed_twd AS amount_twd, redemption.redeemed_at,
           claim.period_starts_on
    FROM confirmation
    JOIN redemption ON redemption.redemption_id = confirmation.redemption_id
    LEFT JOIN claim_line ON claim_line.redemption_id = confirmation.redemption_id
    LEFT JOIN claim ON claim.claim_id = claim_line.claim_id
"""
_PARENTS = {"settlement": "period_starts_on", "merchant": "merchant_id", "programme": "programme_id"}
_OLD_COLUMNS = "redemption_id, merchant_id, staff_id, confirmed_at"
_COLUMNS = f"{_OLD_COLUMNS}, confirmation_no, programme_id, voucher_count, amount_twd, redeemed_at"


def upgrade() -> None:
    """Number what is confirmed, put the settlements of the past into ranges, make the view."""
    op.execute(_NUMBERED)
    op.drop_table("claim_line")
    op.drop_table("confirmation")
    _make_confirmation()
    _make_settlement_range()
    is_postgres = op.get_bind().dialect.name == "postgresql"
    by_hand = " OVERRIDING SYSTEM VALUE" if is_postgres else ""
    op.execute(f"INSERT INTO confirmation ({_COLUMNS}){by_hand} SELECT {_COLUMNS} FROM kept_confirmation")  # noqa: S608 - column names of ours
    if is_postgres:
        for column in _PARENTS.values():
            op.drop_constraint(f"fk_claim_{column}", "claim")
        op.execute(
            "SELECT setval(pg_get_serial_sequence('confirmation', 'confirmation_no'), "
            "coalesce(max(confirmation_no), 0) + 1, false) FROM confirmation"
        )
    _fill_settlement_range()
    op.drop_table("kept_confirmation")
    op.execute(_VIEW)
    for table in ("confirmation", "settlement", "settlement_range"):
        _guard(table)
    _make_barrier()


def downgrade() -> None:
    """Write the lines as rows again."""
    op.execute("CREATE TABLE kept_line AS SELECT * FROM claim_line")
    op.execute(f"CREATE TABLE kept_confirmation AS SELECT {_OLD_COLUMNS} FROM confirmation")  # noqa: S608 - as below
    op.execute("DROP VIEW claim_line")
    _unguard("settlement")
    op.drop_table("confirmation")
    op.drop_table("settlement_range")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER claim_is_judged ON claim")
        for function in ("share_confirming", "refuse_closed_number", "judge_claims"):
            op.execute(f"DROP FUNCTION {function}()")
        for parent, column in _PARENTS.items():
            op.create_foreign_key(f"fk_claim_{column}", "claim", parent, [column], [column])
    else:
        op.execute("DROP TRIGGER claim_is_judged")
    _make_old_tables()
    op.execute(f"INSERT INTO confirmation ({_OLD_COLUMNS}) SELECT {_OLD_COLUMNS} FROM kept_confirmation")  # noqa: S608 - column names of ours
    line_columns = "redemption_id, claim_id, voucher_count, amount_twd"
    op.execute(f"INSERT INTO claim_line ({line_columns}) SELECT {line_columns} FROM kept_line")  # noqa: S608 - column names of ours
    op.drop_table("kept_line")
    op.drop_table("kept_confirmation")
    for table in ("confirmation", "claim_line"):
        _guard(table)


def _instant() -> sa.DateTime:
    return sa.DateTime(timezone=True)


def _make_confirmation() -> None:
    op.create_table(
        "confirmation",
        sa.Column(
            "redemption_id", sa.Uuid(), nullable=False, comment="the primary key is the judge: a redemption is confirmed once"
        ),
        sa.Column(
            "confirmation_no", sa.BigInteger(), sa.Identity(always=True), nullable=False, comment="settlements take ranges"
        ),
        sa.Column("redeemed_at", _instant(), nullable=False, comment="copied, as are amount, vouchers and programme"),
        sa.Column("confirmed_at", _instant(), nullable=False),
        sa.Column("amount_twd", sa.Integer(), nullable=False),
        sa.Column("voucher_count", sa.SmallInteger(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("programme_id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_confirmation")),
        sa.UniqueConstraint("confirmation_no", name=op.f("uq_confirmation_confirmation_no")),
        comment="it copies from its redemption what a claim sums, so that a settlement reads nothing else",
    )
    op.create_index("ix_confirmation_merchant_id_confirmation_no", "confirmation", ["merchant_id", "confirmation_no"])
    if op.get_bind().dialect.name == "postgresql":
        op.create_index(
            "ix_confirmation_redeemed_at",
            "confirmation",
            ["redeemed_at"],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on", "pages_per_range": 32},
        )


def _make_settlement_range() -> None:
    op.create_table(
        "settlement_range",
        sa.Column("period_starts_on", sa.Date(), nullable=False),
        sa.Column("previous_starts_on", sa.Date(), nullable=True, comment="the settlement before; null for the first of all"),
        sa.Column("starts_at", _instant(), nullable=False),
        sa.Column("ends_at", _instant(), nullable=False),
        sa.Column(
            "after_no", sa.BigInteger(), nullable=False, comment="the last confirmation that the settlement before had seen"
        ),
        sa.Column("through_no", sa.BigInteger(), nullable=False, comment="the last confirmation that this one has seen"),
        sa.Column("open_from_no", sa.BigInteger(), nullable=False, comment="every confirmation before this one is in a claim"),
        sa.CheckConstraint(
            "previous_starts_on < period_starts_on AND starts_at < ends_at", name=op.f("ck_settlement_range_forward")
        ),
        sa.CheckConstraint(
            "0 <= after_no AND after_no <= through_no AND open_from_no <= through_no + 1",
            name=op.f("ck_settlement_range_numbers"),
        ),
        sa.CheckConstraint("previous_starts_on IS NOT NULL OR after_no = 0", name=op.f("ck_settlement_range_first")),
        sa.ForeignKeyConstraint(
            ["period_starts_on"], ["settlement.period_starts_on"], name=op.f("fk_settlement_range_period_starts_on")
        ),
        sa.ForeignKeyConstraint(
            ["previous_starts_on", "starts_at", "after_no"],
            ["settlement_range.period_starts_on", "settlement_range.ends_at", "settlement_range.through_no"],
            name=op.f("fk_settlement_range_previous_starts_on_starts_at_after_no"),
        ),
        sa.PrimaryKeyConstraint("period_starts_on", name=op.f("pk_settlement_range")),
        sa.UniqueConstraint("previous_starts_on", name=op.f("uq_settlement_range_previous_starts_on")),
        sa.UniqueConstraint(
            "period_starts_on", "ends_at", "through_no", name=op.f("uq_settlement_range_period_starts_on_ends_at_through_no")
        ),
        comment="one chain: each begins where the one before ended, so that no confirmation is in two",
    )
    op.create_index(op.f("ix_settlement_range_through_no"), "settlement_range", ["through_no"], unique=False)
    is_first = sa.text("previous_starts_on IS NULL")
    op.create_index(
        "uq_settlement_range_first",
        "settlement_range",
        ["after_no"],
        unique=True,
        sqlite_where=is_first,
        postgresql_where=is_first,
    )


def _fill_settlement_range() -> None:
    """Chain the closed weeks: each ends with the last confirmation that it claimed, and leaves nothing behind."""
    weeks = op.get_bind().execute(
        sa.text(
            "SELECT settlement.period_starts_on, count(kept_confirmation.period_starts_on) FROM settlement "
            "LEFT JOIN kept_confirmation ON kept_confirmation.period_starts_on = settlement.period_starts_on "
            "GROUP BY settlement.period_starts_on ORDER BY settlement.period_starts_on"
        ).columns(sa.column("period_starts_on", sa.Date()), sa.column("count", sa.Integer()))
    )
    rows: list[dict[str, Any]] = []
    for starts_on, claimed in weeks:
        before = rows[-1] if rows else {"period_starts_on": None, "ends_at": _midnight(starts_on), "through_no": 0}
        through_no = before["through_no"] + claimed
        rows.append(
            {
                "period_starts_on": starts_on,
                "previous_starts_on": before["period_starts_on"],
                "starts_at": before["ends_at"],
                "ends_at": _midnight(starts_on + timedelta(days=7)),
                "after_no": before["through_no"],
                "through_no": through_no,
                "open_from_no": through_no + 1,
            }
        )
    if rows:
        types: dict[str, sa.types.TypeEngine[Any]] = {"date": sa.Date(), "at": _instant(), "no": sa.BigInteger()}
        kinds = {name: types["date" if name.endswith("_on") else name.rsplit("_", 1)[1]] for name in rows[0]}
        op.bulk_insert(sa.table("settlement_range", *(sa.column(name, kind) for name, kind in kinds.items())), rows)


def _midnight(day: date) -> datetime:
    at = datetime.combine(day, time(), ZoneInfo("Asia/Taipei")).astimezone(ZoneInfo("UTC"))
    return at if op.get_bind().dialect.name == "postgresql" else at.replace(tzinfo=None)


def _make_old_tables() -> None:
    op.create_table(
        "claim_line",
        sa.Column(
            "redemption_id", sa.Uuid(), nullable=False, comment="the primary key is the judge: a redemption is claimed once"
        ),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("voucher_count", sa.SmallInteger(), nullable=False),
        sa.Column("amount_twd", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_claim_line")),
    )
    op.create_index(op.f("ix_claim_line_claim_id"), "claim_line", ["claim_id"], unique=False)
    op.create_table(
        "confirmation",
        sa.Column("redemption_id", sa.Uuid(), nullable=False),
        sa.Column("merchant_id", sa.String(length=32), nullable=False),
        sa.Column("staff_id", sa.String(length=32), nullable=False),
        sa.Column("confirmed_at", _instant(), nullable=False),
        sa.PrimaryKeyConstraint("redemption_id", name=op.f("pk_confirmation")),
    )
    op.create_index(op.f("ix_confirmation_merchant_id"), "confirmation", ["merchant_id"], unique=False)


def _guard(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
        return
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER {table}_keeps_facts_on_{verb.lower()} BEFORE {verb} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{table} holds facts: they are never changed'); END"
        )


def _unguard(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {table}_keeps_facts ON {table}")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER {table}_keeps_facts_on_{verb}")


def _make_barrier() -> None:
    if op.get_bind().dialect.name != "postgresql":
        # One transaction writes at a time here, so the number alone is to be refused.
        op.execute(
            "CREATE TRIGGER confirmation_keeps_closed BEFORE INSERT ON confirmation "
            "WHEN EXISTS (SELECT 1 FROM settlement_range WHERE through_no >= NEW.confirmation_no) "
            "BEGIN SELECT RAISE(ABORT, 'confirmation: a settlement has already seen this number'); END"
        )
        op.execute(
            "CREATE TRIGGER claim_is_judged BEFORE INSERT ON claim "
            "WHEN EXISTS (SELECT 1 FROM settlement_range WHERE period_starts_on = NEW.period_starts_on) "
            "BEGIN SELECT RAISE(ABORT, 'claim: its week is closed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION share_confirming() RETURNS trigger LANGUAGE plpgsql AS $$ "
        f"BEGIN PERFORM pg_advisory_xact_lock_shared({_BARRIER}); RETURN NULL; END $$"
    )
    op.execute(
        """
        CREATE FUNCTION refuse_closed_number() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF (SELECT min(confirmation_no) FROM added) <= (SELECT max(through_no) FROM settlement_range) THEN
                RAISE EXCEPTION 'confirmation: a settlement has already seen this number' USING ERRCODE = 'restrict_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    # Before the first number is given out, for every writer whoever it is.
    op.execute(
        "CREATE TRIGGER confirmation_shares_lock BEFORE INSERT ON confirmation "
        "FOR EACH STATEMENT EXECUTE FUNCTION share_confirming()"
    )
    op.execute(
        "CREATE TRIGGER confirmation_keeps_closed AFTER INSERT ON confirmation REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_closed_number()"
    )
    # The range is a settlement's last row: from then on its week has the claims it has. And what foreign keys would ask for
    # each claim is asked for all of a statement.
    op.execute(
        """
        CREATE FUNCTION judge_claims() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (SELECT FROM settlement_range WHERE period_starts_on IN (SELECT period_starts_on FROM added)) THEN
                RAISE EXCEPTION 'claim: its week is closed' USING ERRCODE = 'restrict_violation';
            END IF;
            IF EXISTS (SELECT period_starts_on FROM added EXCEPT SELECT period_starts_on FROM settlement)
                OR EXISTS (SELECT merchant_id FROM added EXCEPT SELECT merchant_id FROM merchant)
                OR EXISTS (SELECT programme_id FROM added EXCEPT SELECT programme_id FROM programme)
            THEN
                RAISE EXCEPTION 'claim: its settlement, merchant or programme is not there'
                    USING ERRCODE = 'foreign_key_violation';
            END IF;
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER claim_is_judged AFTER INSERT ON claim REFERENCING NEW TABLE AS added "
        "FOR EACH STATEMENT EXECUTE FUNCTION judge_claims()"
    )
