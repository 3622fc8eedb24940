"""The kiosk's outbox in memory, held to the same contract suite as the one on SQLite."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from kiosk.ports import OutboxRow
from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.envelope import Event
from protocol.errors import PortError
from protocol.limits import BODY_BYTES_MAX


class MemoryOutbox:
    """See :class:`kiosk.ports.Outbox`. ``broken`` makes every write fail as a full disk does."""

    def __init__(self) -> None:
        self.rows: list[OutboxRow] = []
        self.broken = False

    def append(self, make: Callable[[int, str], Event], *, voucher_nos: Sequence[str], saved_at: datetime) -> OutboxRow:
        self.probe()
        previous = link_of(self.rows[-1].request.body) if self.rows else GENESIS
        sequence = FIRST_SEQUENCE + len(self.rows)
        request = make(sequence, previous)
        if len(request.body) > BODY_BYTES_MAX:
            raise ValueError("above the limit")
        if self.find(request.id) is not None:
            raise PortError("an id comes once", retry=False)
        row = OutboxRow(sequence, request, tuple(voucher_nos), saved_at, None)
        self.rows.append(row)
        return row

    def store_answer(self, request_id: UUID, answer: Event) -> OutboxRow | None:
        self.probe()
        row = self.find(request_id)
        if row is None or row.answer is not None:
            return row
        return self._replace(replace(row, answer=answer))

    def mark_shown(self, request_id: UUID) -> None:
        self.probe()
        row = self.find(request_id)
        if row is not None and row.answer is not None:
            self._replace(replace(row, shown=True))

    def probe(self) -> None:
        if self.broken:
            raise PortError("the disk is full", retry=True)

    def pending(self, limit: int) -> Sequence[OutboxRow]:
        return [row for row in self.rows if row.answer is None][:limit]

    def pending_count(self) -> int:
        return len(self.pending(len(self.rows)))

    def find(self, request_id: UUID) -> OutboxRow | None:
        return next((row for row in self.rows if row.request.id == request_id), None)

    def find_by_voucher(self, voucher_no: str) -> OutboxRow | None:
        return next((row for row in reversed(self.rows) if voucher_no in row.voucher_nos), None)

    def close(self) -> None:
        pass

    def _replace(self, row: OutboxRow) -> OutboxRow:
        self.rows[row.sequence - FIRST_SEQUENCE] = row
        return row
