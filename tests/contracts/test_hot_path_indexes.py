"""Every index on what an order writes is one that somebody asks for: a new one costs each order, so it is named here first."""

import pytest
from sqlalchemy import Engine, inspect

pytest_plugins = ("tests.support.databases",)

KNOWN = {
    "inbox": {"sender_id, sequence"},
    "redemption": {"merchant_id, redeemed_at"},
    "redemption_line": set[str](),
    "ledger_entry": set[str](),
    "digit_try": set[str](),
    "hold": set[str](),
}
"""Beside their primary keys: who judges doubled sequences, and what lists of transactions are read by."""


@pytest.mark.parametrize("table", KNOWN)
def test_an_order_writes_no_other_index(engine: Engine, table: str) -> None:
    schema = inspect(engine)
    assert schema.get_pk_constraint(table)["constrained_columns"]
    assert schema.get_unique_constraints(table) == []
    assert {", ".join(str(name) for name in index["column_names"]) for index in schema.get_indexes(table)} == KNOWN[table]
