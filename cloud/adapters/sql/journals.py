"""Journals into the ledger's table. Balancing them is :mod:`cloud.domain.ledger`'s work; here they are only written."""

from collections.abc import Sequence

from sqlalchemy import Connection, insert

from cloud.adapters.sql.tables import ledger_entry
from cloud.domain.records import Journal


def insert_journals(connection: Connection, journals: Sequence[Journal]) -> None:
    """Append the journals.

    Raises:
        IntegrityError: the fact was posted before.
    """
    rows = [
        {
            "journal_id": journal.journal_id,
            "kind": journal.kind,
            "line_no": line_no,
            "account": posting.account,
            "amount_twd": posting.amount_twd,
            "posted_at": journal.posted_at,
        }
        for journal in journals
        for line_no, posting in enumerate(journal.postings, start=1)
    ]
    if rows:
        connection.execute(insert(ledger_entry), rows)
