"""What every fleet store must do, on SQLite and PostgreSQL; and enrolment on top of it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest
from cryptography import x509
from sqlalchemy import Engine, insert, select

from cloud.adapters.certificates import FleetAuthority, make_ca
from cloud.adapters.clock import SystemClock
from cloud.adapters.sql.fleet import SqlFleet
from cloud.adapters.sql.parking import SqlParking
from cloud.adapters.sql.tables import claim_code, device, device_presence, item_category, merchant, parked_message, site
from cloud.ports.fleet import Presence
from cloud.ports.parking import ParkedMessage
from cloud.services.enrol import (
    CLAIM_CODE_VALID,
    CloudTerms,
    EnrolmentRefusal,
    enrol,
    make_claim_code,
    resume_device,
    revoke_device,
    suspend_device,
)
from protocol.enrolment import Enrolment, TrustedKey
from protocol.errors import PortError
from tests.support.kiosk_client import Blank

pytest_plugins = ("tests.support.databases",)

NOW = datetime(2026, 11, 20, 4, 0, 0, 123456, tzinfo=UTC)
TERMS = CloudTerms(bytes(range(32)), "mqtt.example.tw", 8883, [TrustedKey(key_id="k1", public="x")])
AUTHORITY = FleetAuthority(*make_ca(NOW), clock=SystemClock())


@pytest.fixture
def randomness() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda length: next(numbers).to_bytes(length, "little")[::-1][-length:]


@pytest.fixture
def fleet(engine: Engine) -> SqlFleet:
    with engine.begin() as connection:
        connection.execute(
            insert(merchant).values(
                merchant_id="inn", name="Inn", ubn="04595257", merchant_category="lodging", state="approved"
            )
        )
        connection.execute(
            insert(site), [{"site_id": name, "merchant_id": "inn", "name": name.title()} for name in ("lobby", "bar")]
        )
        rows = [("night", "lodging", 2), ("bath", "lodging", 1), ("tour", "travel_agency", 1)]
        connection.execute(
            insert(item_category),
            [
                {"item_category": code, "merchant_category": sold, "position": position}
                | {f"name_{tag}": f"{code} {tag}" for tag in ("zh", "en", "ja", "ko")}
                for code, sold, position in rows
            ],
        )
    return SqlFleet(engine)


def enrolled(fleet: SqlFleet, randomness: Callable[[int], bytes], code: str | None = None) -> Enrolment | EnrolmentRefusal:
    code = code or make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None
    return enrol(fleet, AUTHORITY, TERMS, Blank().request(code), now=NOW, randomness=randomness)


def test_a_kiosk_is_enrolled_and_told_what_it_needs(fleet: SqlFleet, randomness: Callable[[int], bytes]) -> None:
    outcome = enrolled(fleet, randomness)
    assert isinstance(outcome, Enrolment)
    assert (outcome.site_id, outcome.site_name) == ("lobby", "Lobby")
    assert [item.code for item in outcome.item_categories] == ["bath", "night"]
    assert outcome.item_categories[0].names["zh-Hant-TW"] == "bath zh"
    assert (outcome.broker_host, outcome.broker_port) == ("mqtt.example.tw", 8883)
    assert [key.key_id for key in outcome.voucher_keys] == ["k1"]
    certificate = x509.load_pem_x509_certificate(outcome.certificate_pem.encode())
    assert certificate.subject.rfc4514_string() == f"CN={outcome.device_id}"
    known = fleet.find_devices([outcome.device_id, "kiosk-nobody"])
    assert list(known) == [outcome.device_id]
    assert known[outcome.device_id].site_id == "lobby"


def test_a_code_works_once(fleet: SqlFleet, randomness: Callable[[int], bytes]) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert isinstance(enrolled(fleet, randomness, code), Enrolment)
    assert enrolled(fleet, randomness, code) is EnrolmentRefusal.BAD_CODE


def test_of_many_at_the_same_moment_one_wins(fleet: SqlFleet, engine: Engine, randomness: Callable[[int], bytes]) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None
    start, outcomes = threading.Barrier(6), []
    requests = [Blank().request(code) for _ in range(6)]
    number = count(100)

    def run(request_no: int) -> None:
        mint = lambda length: next(number).to_bytes(length, "big")  # noqa: E731
        start.wait()
        outcomes.append(enrol(fleet, AUTHORITY, TERMS, requests[request_no], now=NOW, randomness=mint))

    threads = [threading.Thread(target=run, args=(request_no,)) for request_no in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, Enrolment) for outcome in outcomes) == 1
    assert outcomes.count(EnrolmentRefusal.BAD_CODE) == 5
    with engine.connect() as connection:
        assert len(connection.execute(select(device.c.device_id)).all()) == 1


def test_the_code_itself_is_kept_nowhere(fleet: SqlFleet, engine: Engine, randomness: Callable[[int], bytes]) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None
    with engine.connect() as connection:
        row = connection.execute(select(claim_code)).one()
    assert code.replace("-", "") not in repr(tuple(row))
    assert len(row.code_hash) == 32


def test_how_a_code_is_typed_does_not_matter(fleet: SqlFleet) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=lambda length: b"\x70\x82" * (length // 2))
    assert code is not None
    assert "O" in code or "I" in code or "B" in code
    typed = " " + code.lower().replace("-", " ").replace("o", "0").replace("i", "1").replace("b", "8") + "\n"
    assert isinstance(enrolled(fleet, lambda length: b"abcde"[:length], typed), Enrolment)


def test_a_code_runs_out(fleet: SqlFleet, randomness: Callable[[int], bytes]) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW - CLAIM_CODE_VALID, randomness=randomness)
    assert enrolled(fleet, randomness, code) is EnrolmentRefusal.BAD_CODE


def test_a_code_that_ran_out_after_it_was_read_is_refused_by_the_database(
    fleet: SqlFleet, randomness: Callable[[int], bytes]
) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None

    class Late(SqlFleet):
        """Reads the code while it is good, and writes after it is not."""

        def find_claimed_site(self, code_hash: bytes, *, now: datetime):  # type: ignore[no-untyped-def]  # noqa: ARG002
            return super().find_claimed_site(code_hash, now=NOW)

    late = Late(fleet._writing)
    outcome = enrol(
        late, AUTHORITY, TERMS, Blank().request(code), now=NOW + CLAIM_CODE_VALID + timedelta(seconds=1), randomness=randomness
    )
    assert outcome is EnrolmentRefusal.BAD_CODE


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "'; DROP TABLE device", "\ud800", "\0" * 16])
def test_a_code_that_was_never_made_is_refused(fleet: SqlFleet, randomness: Callable[[int], bytes], code: str) -> None:
    outcome = enrol(fleet, AUTHORITY, TERMS, Blank().request(code), now=NOW, randomness=randomness)
    assert outcome is EnrolmentRefusal.BAD_CODE


@pytest.mark.parametrize("seal_public", ["", "AAAA", "A" * 43, "!" * 43])
def test_a_bad_public_key_does_not_use_the_code_up(
    fleet: SqlFleet, randomness: Callable[[int], bytes], seal_public: str
) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None
    bad = msgspec.structs.replace(Blank().request(code), seal_public=seal_public)
    assert enrol(fleet, AUTHORITY, TERMS, bad, now=NOW, randomness=randomness) is EnrolmentRefusal.BAD_REQUEST
    assert isinstance(enrolled(fleet, randomness, code), Enrolment)


def test_a_device_id_that_is_taken_is_minted_again(fleet: SqlFleet) -> None:
    draws = iter([b"0123456789", b"abcdefghij", b"AAAAA", b"AAAAA", b"AAAAA", b"BBBBB"])
    draw = lambda length: next(draws)[:length]  # noqa: E731
    codes = [make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=draw) for _ in range(2)]
    first, second = (enrolled(fleet, draw, code) for code in codes)
    assert isinstance(first, Enrolment)
    assert isinstance(second, Enrolment)
    assert first.device_id != second.device_id


def test_randomness_that_repeats_itself_is_noticed(fleet: SqlFleet) -> None:
    codes = [
        make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=lambda length, n=n: bytes([n]) * length)
        for n in (1, 2)
    ]
    assert isinstance(enrolled(fleet, lambda length: b"A" * length, codes[0]), Enrolment)
    with pytest.raises(PortError):
        enrolled(fleet, lambda length: b"A" * length, codes[1])


def test_a_serial_number_that_cannot_be_stored_is_cleaned(
    fleet: SqlFleet, engine: Engine, randomness: Callable[[int], bytes]
) -> None:
    code = make_claim_code(fleet, "lobby", made_by="cli", now=NOW, randomness=randomness)
    assert code is not None
    odd = msgspec.structs.replace(Blank().request(code), serial="10\0 00\ud800\n7f")
    assert isinstance(enrol(fleet, AUTHORITY, TERMS, odd, now=NOW, randomness=randomness), Enrolment)
    with engine.connect() as connection:
        assert connection.scalar(select(device.c.serial)) == "10 007f"


def test_no_code_for_a_site_that_does_not_exist(fleet: SqlFleet, randomness: Callable[[int], bytes]) -> None:
    assert make_claim_code(fleet, "attic", made_by="cli", now=NOW, randomness=randomness) is None


def test_suspend_resume_revoke(fleet: SqlFleet, engine: Engine, randomness: Callable[[int], bytes]) -> None:
    outcome = enrolled(fleet, randomness)
    assert isinstance(outcome, Enrolment)
    name = outcome.device_id

    def state() -> tuple[str, str]:
        with engine.connect() as connection:
            row = connection.execute(select(device.c.state, device.c.state_reason).where(device.c.device_id == name)).one()
            return row.state, row.state_reason

    assert state() == ("active", "")
    assert suspend_device(fleet, name, reason="stolen?", now=NOW)
    assert state() == ("suspended", "stolen?")
    assert resume_device(fleet, name, reason="found", now=NOW)
    assert fleet.revoked_certificate_serials() == []
    assert revoke_device(fleet, name, reason="stolen", now=NOW)
    serial = x509.load_pem_x509_certificate(outcome.certificate_pem.encode()).serial_number
    assert fleet.revoked_certificate_serials() == [f"{serial:x}"]
    assert not resume_device(fleet, name, reason="no way back", now=NOW)
    assert state() == ("revoked", "stolen")
    assert not revoke_device(fleet, "kiosk-nobody", reason="", now=NOW)


def test_presence_keeps_the_last_word_per_device(fleet: SqlFleet, engine: Engine, randomness: Callable[[int], bytes]) -> None:
    outcome = enrolled(fleet, randomness)
    assert isinstance(outcome, Enrolment)
    name = outcome.device_id

    def row() -> tuple[str, datetime, str, int]:
        with engine.connect() as connection:
            found = connection.execute(select(device_presence).where(device_presence.c.device_id == name)).one()
            return found.state, found.seen_at, found.version, found.pending

    fleet.record_presence([])
    fleet.record_presence([Presence("kiosk-nobody", "online", NOW, "1", 0)])
    fleet.record_presence([Presence(name, "offline", NOW, "1", 0), Presence(name, "online", NOW, "1.2", 3)])
    assert row() == ("online", NOW, "1.2", 3)
    later = NOW + timedelta(minutes=1)
    fleet.record_presence([Presence(name, "online", later, "1.2", 0, remembered=True)])
    assert row() == ("online", NOW, "1.2", 3), "old news is no sign of life"
    fleet.record_presence([Presence(name, "lost", later, "", 0, remembered=True)])
    assert row()[0] == "lost"
    with engine.connect() as connection:
        assert len(connection.execute(select(device_presence)).all()) == 1


def test_parked_messages_are_counted_and_carry_no_payload(engine: Engine) -> None:
    parking = SqlParking(engine)
    parking.park([])
    assert parking.count() == 0
    parking.park([ParkedMessage(NOW, "a\0b\ud800" + "x" * 999, "p" * 999, bytes(32))] * 2)
    assert parking.count() == 2
    with engine.connect() as connection:
        row = connection.execute(select(parked_message)).first()
    assert row is not None
    assert row.topic.startswith("a\ufffdb")
    assert len(row.topic) <= 256
    assert len(row.problem) <= 256
