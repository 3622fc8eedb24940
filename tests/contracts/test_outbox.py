"""What every outbox must keep: the one on SQLite and the one in memory."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.adapters.outbox_sqlite import SqliteOutbox
from kiosk.ports import Outbox
from protocol.chain import GENESIS, link_of
from protocol.envelope import Event, device_source
from protocol.errors import PortError
from protocol.limits import BODY_BYTES_MAX
from protocol.messages import Redeem, decode_request
from protocol.reasons import Reason
from protocol.topics import RequestKind
from tests.fakes.kiosk_outbox import MemoryOutbox
from tests.support.kiosk import DEVICE_ID, NOON, accepted, answer_event, make_redeem, refused, request_id


@pytest.fixture(params=["sqlite", "memory"])
def outbox(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Outbox]:
    made: Outbox
    if request.param == "sqlite":
        made = SqliteOutbox(tmp_path / "outbox.sqlite3", source=device_source(DEVICE_ID), reserve_bytes=0)
    else:
        made = MemoryOutbox()
    with contextlib.closing(made):
        yield made


def append(outbox: Outbox, number: int, *voucher_nos: str) -> Event:
    vouchers = voucher_nos or (f"{number:012d}",)
    return outbox.append(make_redeem(number, voucher_nos=vouchers), voucher_nos=vouchers, saved_at=NOON).request


def accept(number: int) -> Event:
    return answer_event(RequestKind.REDEEM, accepted(request_id(number)))


def test_sequence_has_no_gap_and_each_request_names_the_one_before(outbox: Outbox) -> None:
    previous = GENESIS
    for number in range(1, 6):
        event = append(outbox, number)
        body = decode_request(RequestKind.REDEEM, event.body)
        assert isinstance(body, Redeem)
        assert (body.sequence, body.previous) == (number, previous)
        previous = link_of(event.body)


def test_row_comes_back_as_it_was_saved(outbox: Outbox) -> None:
    saved = outbox.append(
        make_redeem(1, voucher_nos=("000000000002", "000000000001")),
        voucher_nos=("000000000002", "000000000001"),
        saved_at=NOON,
    )
    assert outbox.find(request_id(1)) == saved
    assert saved.voucher_nos == ("000000000002", "000000000001")
    assert saved.answer is None
    assert not saved.shown


def test_first_answer_stays(outbox: Outbox) -> None:
    append(outbox, 1)
    first = accept(1)
    second = answer_event(RequestKind.REDEEM, refused(request_id(1), Reason.EXPIRED))
    stored = outbox.store_answer(request_id(1), first)
    assert stored is not None
    assert stored.answer == first
    again = outbox.store_answer(request_id(1), second)
    assert again is not None
    assert again.answer == first
    assert outbox.find(request_id(1)) == again


def test_answer_to_an_unknown_request_is_not_stored(outbox: Outbox) -> None:
    assert outbox.store_answer(request_id(9), accept(9)) is None
    assert outbox.find(request_id(9)) is None


def test_pending_is_what_has_no_answer_oldest_first(outbox: Outbox) -> None:
    for number in range(1, 6):
        append(outbox, number)
    outbox.store_answer(request_id(2), accept(2))
    assert [row.sequence for row in outbox.pending(3)] == [1, 3, 4]
    assert outbox.pending_count() == 4


def test_newest_request_of_a_voucher_is_found(outbox: Outbox) -> None:
    append(outbox, 1, "000000000007", "000000000008")
    append(outbox, 2, "000000000008")
    found = outbox.find_by_voucher("000000000008")
    assert found is not None
    assert found.sequence == 2
    older = outbox.find_by_voucher("000000000007")
    assert older is not None
    assert older.sequence == 1
    assert outbox.find_by_voucher("000000000009") is None


def test_shown_is_remembered_of_answered_requests_only(outbox: Outbox) -> None:
    append(outbox, 1)
    outbox.mark_shown(request_id(1))
    pending = outbox.find(request_id(1))
    assert pending is not None
    assert not pending.shown
    outbox.store_answer(request_id(1), accept(1))
    outbox.mark_shown(request_id(1))
    outbox.mark_shown(request_id(1))
    outbox.mark_shown(request_id(2))
    shown = outbox.find(request_id(1))
    assert shown is not None
    assert shown.shown


def test_failing_maker_leaves_nothing_behind(outbox: Outbox) -> None:
    append(outbox, 1)

    def fail(sequence: int, previous: str) -> Event:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        outbox.append(fail, voucher_nos=("000000000002",), saved_at=NOON)
    assert outbox.pending_count() == 1
    append(outbox, 2)
    assert [row.sequence for row in outbox.pending(9)] == [1, 2]


def test_oversize_request_is_refused_before_saving(outbox: Outbox) -> None:
    def make(sequence: int, previous: str) -> Event:
        small = make_redeem(1)(sequence, previous)
        return Event(small.id, small.source, small.type, small.time, b"x" * (BODY_BYTES_MAX + 1), small.auth)

    with pytest.raises(ValueError, match="limit"):
        outbox.append(make, voucher_nos=("000000000001",), saved_at=NOON)
    assert outbox.pending_count() == 0


def test_one_id_comes_once(outbox: Outbox) -> None:
    append(outbox, 1)
    with pytest.raises(PortError):
        append(outbox, 1, "000000000005")
    assert outbox.pending_count() == 1


def test_probe_touches_no_request(outbox: Outbox) -> None:
    append(outbox, 1)
    before = outbox.pending(9)
    outbox.probe()
    assert outbox.pending(9) == before


def test_close_may_come_twice(outbox: Outbox) -> None:
    outbox.close()
    outbox.close()
