"""Bodies: round trips, growth, and hostile bytes."""

import json
import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.enrolment import decode_enrolment, decode_enrolment_request
from protocol.errors import ProtocolError
from protocol.limits import SEQUENCE_MAX
from protocol.messages import (
    Answer,
    Check,
    CheckAccepted,
    DeviceState,
    Redeem,
    RedeemAccepted,
    Refusal,
    Refused,
    Release,
    Released,
    Request,
    decode_answer,
    decode_request,
    decode_state,
    encode_body,
)
from protocol.reasons import Reason
from protocol.topics import RequestKind

KINDS: dict[type, RequestKind] = {Check: RequestKind.CHECK, Redeem: RequestKind.REDEEM, Release: RequestKind.RELEASE}
DECODERS: list[Callable[[bytes], object]] = [
    *(lambda body, kind=kind: decode_request(kind, body) for kind in RequestKind),
    decode_answer,
    decode_state,
    decode_enrolment_request,
    decode_enrolment,
]

voucher_nos = st.from_regex(re.compile(r"[0-9]{12}", re.ASCII), fullmatch=True)
orders = st.lists(voucher_nos, min_size=1, max_size=20, unique=True)
texts = st.text(max_size=30)
links = st.from_regex(re.compile(r"[0-9a-f]{64}", re.ASCII), fullmatch=True)
requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(Check, visit_id=st.uuids(), voucher_no=voucher_nos, sealed=texts),
    st.builds(Release, visit_id=st.uuids(), vouchers=orders),
    st.builds(
        Redeem,
        visit_id=st.uuids(),
        vouchers=orders,
        sealed=texts,
        item_category=st.text(min_size=1, max_size=32),
        order_total_twd=st.integers(),
        sequence=st.integers(1, SEQUENCE_MAX),
        previous=links,
    ),
)
refusals = st.builds(
    Refusal,
    voucher_no=voucher_nos,
    reason=st.sampled_from(Reason),
    at=st.none() | texts,
    site=st.none() | texts,
    tries_left=st.none() | st.integers(0, 5),
)
answers: st.SearchStrategy[Answer] = st.one_of(
    st.builds(
        CheckAccepted,
        request_id=st.uuids(),
        voucher_no=voucher_nos,
        face_value_twd=st.integers(1, 10_000),
        hold_until=texts,
        programme_id=texts,
    ),
    st.builds(
        RedeemAccepted,
        request_id=st.uuids(),
        reference=texts,
        redeemed_at=texts,
        voucher_count=st.integers(1, 20),
        redeemed_twd=st.integers(0),
        order_total_twd=st.integers(0),
        topup_twd=st.integers(0),
    ),
    st.builds(Released, request_id=st.uuids()),
    st.builds(Refused, request_id=st.uuids(), reason=st.sampled_from(Reason), refusals=st.lists(refusals, max_size=5)),
)
states = st.builds(
    DeviceState,
    state=st.sampled_from(["online", "offline", "lost"]),
    boot_id=texts,
    version=texts,
    pending=st.integers(0, 2**31 - 1),
)


@given(requests)
def test_requests_round_trip(request: Request) -> None:
    body = encode_body(request)
    assert decode_request(KINDS[type(request)], body) == request
    assert encode_body(decode_request(KINDS[type(request)], body)) == body


@given(answers)
def test_answers_round_trip(answer: Answer) -> None:
    body = encode_body(answer)
    assert decode_answer(body) == answer
    assert encode_body(decode_answer(body)) == body


@given(states)
def test_states_round_trip(state: DeviceState) -> None:
    assert decode_state(encode_body(state)) == state


@given(requests, st.text(min_size=1, max_size=12))
def test_a_request_with_a_foreign_field_is_refused(request: Request, name: str) -> None:
    body: dict[str, Any] = json.loads(encode_body(request))
    if name in body:
        name += "_"
    with pytest.raises(ProtocolError):
        decode_request(KINDS[type(request)], json.dumps({**body, name: None}).encode())


@given(requests, st.data())
def test_a_request_with_a_field_less_is_refused(request: Request, data: st.DataObject) -> None:
    body: dict[str, Any] = json.loads(encode_body(request))
    del body[data.draw(st.sampled_from(sorted(body)))]
    with pytest.raises(ProtocolError):
        decode_request(KINDS[type(request)], json.dumps(body).encode())


@given(answers, st.dictionaries(st.from_regex(r"x_[a-z]{1,8}", fullmatch=True), st.recursive(st.integers() | texts, st.lists)))
def test_an_answer_from_a_newer_cloud_is_understood(answer: Answer, more: dict[str, Any]) -> None:
    body: dict[str, Any] = json.loads(encode_body(answer))
    assert decode_answer(json.dumps({**body, **more}).encode()) == answer


@given(states, texts)
def test_a_state_from_a_newer_kiosk_is_understood(state: DeviceState, more: str) -> None:
    body: dict[str, Any] = json.loads(encode_body(state))
    assert decode_state(json.dumps({**body, "x_temperature": more}).encode()) == state


@given(requests)
def test_a_request_of_one_kind_is_not_one_of_another(request: Request) -> None:
    for struct, kind in KINDS.items():
        if struct is not type(request):
            with pytest.raises(ProtocolError):
                decode_request(kind, encode_body(request))


@pytest.mark.parametrize(
    "numbers",
    [["000012345770"] * 2, ["00001234577"], ["00001234577x"], ["１２３４５６７８９０１２"], ["000012345770", 1], [None]],
)
def test_numbers_are_twelve_digits_and_all_different(numbers: list[object]) -> None:
    body = json.dumps({"visit_id": str(UUID(int=1)), "vouchers": numbers}).encode()
    with pytest.raises(ProtocolError):
        decode_request(RequestKind.RELEASE, body)


@pytest.mark.parametrize("previous", ["0" * 63, "0" * 65, "G" * 64, "A" * 64, "\x00" * 64, "0" * 63 + "\n"])
def test_a_link_is_64_lower_case_hex_characters(previous: str) -> None:
    body = {
        "visit_id": str(UUID(int=1)),
        "vouchers": ["000012345770"],
        "sealed": "",
        "item_category": "meal",
        "order_total_twd": 1,
        "sequence": 1,
    }
    assert decode_request(RequestKind.REDEEM, json.dumps({**body, "previous": "0" * 64}).encode())
    with pytest.raises(ProtocolError):
        decode_request(RequestKind.REDEEM, json.dumps({**body, "previous": previous}).encode())


NESTED = b"[" * 2_000 + b"]" * 2_000


@settings(max_examples=300)
@given(st.binary(max_size=300))
@example(b'{"state":"online","x":' + NESTED + b"}")
@example(b'{"outcome":"released","request_id":"00000000-0000-0000-0000-000000000000","x":' + NESTED + b"}")
@example(b'{"state":"online","pending":' + b"9" * 4_000 + b"}")
@example(b'{"state":"online","version":"\\ud800"}')
@example(b'{"state":"online","version":"\xed\xa0\x80"}')
@example(b'{"state":1e999}')
@example(b'\xef\xbb\xbf{"state":"online"}')
def test_hostile_bytes_are_a_protocol_error(body: bytes) -> None:
    for decode in DECODERS:
        with pytest.raises(ProtocolError):
            decode(body)
