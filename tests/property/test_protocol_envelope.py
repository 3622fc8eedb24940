"""Messages: what is made can be read and proved; what was touched cannot; what is hostile is a ProtocolError and no more."""

import re
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from msgspec import structs

from protocol.envelope import Event, answer_type, decode_event, encode_properties, make_event, request_type
from protocol.errors import ProtocolError
from protocol.keys import authenticate, frame, is_authentic
from protocol.topics import LANE_AT, LANES, DeviceAddress, RequestKind, decode_connection_topic, decode_request_topic, lane_of
from protocol.trace import is_traceparent, make_traceparent, trace_id_of

KEY = bytes(range(32))
texts = st.text(st.characters(exclude_categories=()), max_size=40)
"""All of Unicode, lone surrogates too: a hostile sender may put them into a property."""

events = st.builds(
    lambda **fields: make_event(KEY, **fields),
    id=st.uuids(),
    source=texts,
    type=texts,
    time=texts,
    body=st.binary(max_size=200),
)
slugs = st.from_regex(re.compile(r"[a-z0-9-]{3,32}", re.ASCII), fullmatch=True)
addresses = st.builds(DeviceAddress, slugs, slugs)


@given(events)
def test_round_trip(event: Event) -> None:
    read = decode_event(encode_properties(event), event.body)
    assert read == event
    assert (read != event) is False
    assert hash(read) == hash(event)
    assert read.is_from(KEY)


@given(events, st.data())
def test_order_and_strangers_do_not_matter(event: Event, data: st.DataObject) -> None:
    strangers = data.draw(st.lists(st.tuples(st.sampled_from(["traceparent", "datacontenttype", "Id", ""]), texts), max_size=4))
    properties = data.draw(st.permutations([*encode_properties(event), *strangers]))
    assert decode_event(properties, event.body) == event


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@given(st.uuids(version=4))
def test_a_request_has_one_trace_and_it_is_its_id(request_id: UUID) -> None:
    made = make_traceparent(request_id)
    assert is_traceparent(made)
    assert trace_id_of(made) == request_id.hex


@given(events)
def test_a_trace_travels_beside_the_proof(event: Event) -> None:
    traced = structs.replace(event, traceparent=TRACE)
    assert encode_properties(traced) == [*encode_properties(event), ("traceparent", TRACE)]
    read = decode_event(encode_properties(traced), event.body)
    assert read.traceparent == TRACE
    assert read == event
    assert (read != event) is False
    assert hash(read) == hash(event)
    assert read.is_from(KEY)


@given(events, texts)
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), TRACE.upper())
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), TRACE + "\n")
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "01" + TRACE[2:])
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), f"00-{'0' * 32}-{'1' * 16}-01")
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), f"00-{'1' * 32}-{'0' * 16}-01")
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), TRACE.replace("0", "٠"))
def test_a_trace_that_is_malformed_or_doubled_is_none(event: Event, text: str) -> None:
    properties = encode_properties(event)
    assert decode_event([*properties, ("traceparent", text)], event.body).traceparent is None
    assert decode_event([*properties, *[("traceparent", TRACE)] * 2], event.body).traceparent is None


@given(events, st.sampled_from(["id", "source", "type", "time", "body", "auth"]), st.data())
def test_any_other_message_is_not_proved(event: Event, field: str, data: st.DataObject) -> None:
    other: Any = data.draw({"id": st.uuids(), "body": st.binary(max_size=200)}.get(field, texts))
    assume(other != getattr(event, field))
    assert not structs.replace(event, **{field: other}).is_from(KEY)


@given(events)
def test_the_proof_is_over_five_framed_parts(event: Event) -> None:
    texts_said = [text.encode("utf-8", "surrogatepass") for text in (event.type, event.source, event.time)]
    said = frame(texts_said[0], texts_said[1], event.id.bytes, texts_said[2], event.body)
    assert event.auth == authenticate(KEY, said)


@given(events, st.binary(min_size=32, max_size=32))
def test_another_key_proves_nothing(event: Event, key: bytes) -> None:
    assume(key != KEY)
    assert not event.is_from(key)


@given(events, st.sampled_from(["specversion", "id", "source", "type", "time", "auth"]))
def test_missing_and_doubled_attributes_are_refused(event: Event, name: str) -> None:
    properties = encode_properties(event)
    with pytest.raises(ProtocolError):
        decode_event([pair for pair in properties if pair[0] != name], event.body)
    with pytest.raises(ProtocolError):
        decode_event([*properties, *[pair for pair in properties if pair[0] == name]], event.body)


@given(events, texts)
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "{00000000-0000-0000-0000-000000000000}")
@example(
    make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "urn:uuid:00000000-0000-0000-0000-000000000000"
)
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "0" * 32)
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "0000000A-0000-0000-0000-000000000000")
@example(make_event(KEY, id=UUID(int=0), source="", type="", time="", body=b""), "٠" * 32)
def test_one_id_has_one_spelling(event: Event, spelling: str) -> None:
    assume(spelling != str(event.id))
    properties = [(name, spelling if name == "id" else value) for name, value in encode_properties(event)]
    try:
        read = decode_event(properties, event.body)
    except ProtocolError:
        return
    assert str(read.id) == spelling


@given(st.lists(st.tuples(st.sampled_from(["specversion", "id", "source", "type", "time", "auth", "x"]), texts)), st.binary())
def test_hostile_properties_are_a_protocol_error_or_unproved(properties: list[tuple[str, str]], payload: bytes) -> None:
    try:
        event = decode_event(properties, payload)
    except ProtocolError:
        return
    assert not event.is_from(KEY)


@given(st.lists(st.binary(max_size=20), max_size=6), st.lists(st.binary(max_size=20), max_size=6))
@example([b"ab", b"c"], [b"a", b"bc"])
@example([b""], [])
def test_no_two_lists_of_parts_look_alike(one: list[bytes], other: list[bytes]) -> None:
    assert is_authentic(authenticate(KEY, frame(*one)), KEY, frame(*other)) == (one == other)


@given(addresses, st.sampled_from(RequestKind))
def test_topics_are_taken_apart_as_built(address: DeviceAddress, kind: RequestKind) -> None:
    assert decode_request_topic(address.request(kind)) == (address, kind)
    assert decode_connection_topic(address.connection) == address
    assert address.answer(kind).startswith(address.answers_filter.removesuffix("+"))
    lane = lane_of(address.device_id)
    assert address.request(kind)[LANE_AT] == lane
    other_lanes = [
        address.request(kind).replace(f"/{lane}/", f"/{other}/", 1) for other in (*LANES, "", "A", "+") if other != lane
    ]
    for foreign in (address.answer(kind), address.connection, address.answers_filter, *other_lanes):
        with pytest.raises(ProtocolError):
            decode_request_topic(foreign)


@given(st.one_of(st.text(max_size=60), st.lists(st.one_of(texts, slugs), max_size=8).map("/".join)))
@example("vk/v1/d/alishan/kiosk-0001/req/CHECK")
@example("vk/v1/d/alishan/kiosk-0001/req/check/")
@example("vk/v1/+/alishan/kiosk-0001/req/check")
@example("vk/v1/d/alishan/+/req/check")
@example("vk/v1/d/al/kiosk-0001/req/check")
@example("vk/v1/d/alishan/KIOSK/req/check")
@example("vk/v1/d/alishan/kiosk-0001\n/req/check")
def test_any_other_topic_is_refused(topic: str) -> None:
    try:
        address, kind = decode_request_topic(topic)
    except ProtocolError:
        return
    assert address.request(kind) == topic
    assert all(re.fullmatch(r"[a-z0-9-]{3,32}", slug, re.ASCII) for slug in (address.site_id, address.device_id))


@pytest.mark.parametrize("slug", ["", "ab", "a" * 33, "Kiosk", "kiosk_1", "kiosk/1", "kiosk+", "kiosk-1\n", "#", "站-一"])
def test_a_slug_cannot_reach_beyond_its_branch(slug: str) -> None:
    for names in ((slug, "kiosk-1"), ("site-1", slug)):
        with pytest.raises(ValueError, match="not an id"):
            DeviceAddress(*names)


def test_requests_and_answers_have_types_of_their_own() -> None:
    types = [make(kind) for make in (request_type, answer_type) for kind in RequestKind]
    assert len(set(types)) == len(types)
