"""The worker's log as JSON while kiosks say all kinds of things: parsable line by line, and free of what they said."""

import json
from dataclasses import replace
from pathlib import Path
from uuid import UUID

from msgspec import structs

from protocol.envelope import encode_properties
from protocol.messages import Refused
from protocol.reasons import Reason
from protocol.topics import RequestKind
from protocol.trace import make_traceparent, trace_id_of
from tests.support.edge import ITEM, running_edge
from tests.support.kiosk_client import wait_until

pytest_plugins = ("tests.support.databases",)

RUNES = "ᚠᚢᚦᚨ"
"""Digits that cannot stand anywhere by chance."""


def test_every_line_is_json_and_none_repeats_what_a_customer_said(tmp_path: Path, sqlite_url: str) -> None:
    with running_edge(tmp_path, sqlite_url, worker=False) as edge:
        config = tmp_path / "cloud.toml"
        config.write_text(config.read_text() + '[log]\nformat = "json"\nrequests = true\n')
        edge.worker.start()
        numbers = edge.issue(2)
        with edge.enrol() as kiosk:
            wrong = kiosk.ask(kiosk.check(numbers[0], RUNES))
            refused = kiosk.ask(kiosk.redeem(numbers, [RUNES] * 2, total_twd=2500, item_category=ITEM))
            assert isinstance(wrong, Refused)
            assert isinstance(refused, Refused)
            assert wrong.reason is refused.reason is Reason.NO_MATCH
            topic = kiosk.address.request(RequestKind.CHECK)
            said = f'{{"voucher_no":"{numbers[0]}","sealed":"{RUNES}"}}'.encode()
            kiosk.publish(topic, said, [])
            malformed = kiosk.wrap(RequestKind.CHECK, UUID(int=7), said)
            kiosk.publish(topic, said, encode_properties(malformed.event))
            traced = kiosk.check(numbers[1], RUNES)
            trace = make_traceparent(traced.event.id)
            event = structs.replace(traced.event, traceparent=trace)
            kiosk.send(replace(traced, event=event))
            assert kiosk.answer_to(traced).traceparent == trace
            wait_until(
                lambda: all(word in edge.worker.log.read_text() for word in ("were parked", "sent a malformed")),
                what="both lines",
            )
        assert edge.worker.stop() == 0
        text = edge.worker.log.read_text("ascii")
    entries = [json.loads(line) for line in text.splitlines()]
    assert {tuple(entry) for entry in entries} == {("time", "level", "logger", "message", "exception")}
    followed = f"answered request {traced.event.id}, trace {trace_id_of(trace)}: voucherkiosk.check.answered.v1"
    assert [entry["level"] for entry in entries if entry["message"] == followed] == ["DEBUG"]
    assert any(f"request {malformed.event.id}, trace none" in entry["message"] for entry in entries)
    everything = " ".join(f"{entry['message']} {entry['exception']}" for entry in entries)
    assert not [word for word in (RUNES, *RUNES, *numbers, "sealed") if word in everything]
