"""Limits hold at their edges: the largest legal message fits, one byte more does not leave the house."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from protocol.chain import GENESIS
from protocol.envelope import answer_type, decode_event, device_source, encode_properties, make_event, request_type
from protocol.errors import ProtocolError
from protocol.ids import reference
from protocol.limits import (
    BODY_BYTES_MAX,
    ITEM_CATEGORY_LENGTH_MAX,
    ORDER_TOTAL_MAX_TWD,
    PACKET_BYTES_MAX,
    SCANNED_BYTES_MAX,
    SEQUENCE_MAX,
    SITE_NAME_BYTES_MAX,
    VOUCHERS_PER_ORDER_MAX,
)
from protocol.messages import (
    Redeem,
    RedeemAccepted,
    Refusal,
    Refused,
    Release,
    decode_answer,
    decode_request,
    encode_body,
    fit_site_name,
)
from protocol.reasons import Reason
from protocol.seal import open_digits, seal_digits
from protocol.topics import DeviceAddress, RequestKind
from protocol.voucher import decode_voucher, encode_voucher
from tests.support.vectors import KEY_ID, signing_key

LAST_ID = UUID(int=2**128 - 1)
LONGEST = DeviceAddress("s" * 32, "d" * 32)
NUMBERS = [f"{999_999_999_999 - number:012}" for number in range(VOUCHERS_PER_ORDER_MAX)]


def _largest_redeem() -> Redeem:
    # Four bytes of UTF-8 per character: the widest digits that a key's legend may have.
    sealed = seal_digits(
        bytes(32),
        ["\N{MAHJONG TILE RED DRAGON}" * 4] * VOUCHERS_PER_ORDER_MAX,
        nonce=b"\xff" * 12,
        device_id=LONGEST.device_id,
        request_id=LAST_ID,
        voucher_nos=NUMBERS,
    )
    return Redeem(
        visit_id=LAST_ID,
        vouchers=NUMBERS,
        sealed=sealed,
        item_category='"' * ITEM_CATEGORY_LENGTH_MAX,
        order_total_twd=ORDER_TOTAL_MAX_TWD,
        sequence=SEQUENCE_MAX,
        previous=GENESIS,
    )


def _packet_bytes(topic: str, properties: list[tuple[str, str]], body: bytes, response_topic: str = "") -> int:
    """An upper bound of MQTT 5's framing: each string with its two-byte length and one byte of property id."""
    pairs = sum(5 + len(name.encode()) + len(value.encode()) for name, value in properties)
    fixed = 5 + 2 + 4 + 3 * 8 + len("application/json") + 16
    return fixed + len(topic) + len(response_topic) + pairs + len(body)


def test_the_largest_legal_redeem_fits_and_survives() -> None:
    redeem = _largest_redeem()
    body = encode_body(redeem)
    assert len(body) < BODY_BYTES_MAX // 2
    assert decode_request(RequestKind.REDEEM, body) == redeem
    opened = open_digits(bytes(32), redeem.sealed, device_id=LONGEST.device_id, request_id=LAST_ID, voucher_nos=redeem.vouchers)
    assert len(opened) == VOUCHERS_PER_ORDER_MAX


def test_the_largest_body_fits_a_packet_with_the_longest_names() -> None:
    event = make_event(
        bytes(32),
        id=LAST_ID,
        source=device_source(LONGEST.device_id),
        type=request_type(RequestKind.RELEASE),
        time="2026-10-05T06:32:10.123456+00:00",
        body=b" " * BODY_BYTES_MAX,
    )
    topic, response_topic = LONGEST.request(RequestKind.RELEASE), LONGEST.answer(RequestKind.RELEASE)
    assert _packet_bytes(topic, encode_properties(event), event.body, response_topic) < PACKET_BYTES_MAX


def test_twenty_refusals_that_name_a_site_fit() -> None:
    for name in ("阿" * 200, "A" * 200, '"' * 200, "\x01" * 200, "阿里山遊客中心"):
        refusals = [
            Refusal(
                voucher_no=number,
                reason=Reason.ALREADY_REDEEMED,
                at="2026-10-05T06:32:15.123456+00:00",
                site=fit_site_name(name),
            )
            for number in NUMBERS
        ]
        body = encode_body(Refused(request_id=LAST_ID, reason=Reason.ALREADY_REDEEMED, refusals=refusals))
        assert len(body) <= BODY_BYTES_MAX


def test_a_site_name_is_shortened_only_where_it_must_be() -> None:
    assert fit_site_name("阿里山遊客中心") == "阿里山遊客中心"
    assert fit_site_name("A" * SITE_NAME_BYTES_MAX) == "A" * SITE_NAME_BYTES_MAX
    shortened = fit_site_name("阿" * SITE_NAME_BYTES_MAX)
    assert shortened.endswith("阿…")
    assert SITE_NAME_BYTES_MAX - 3 < len(shortened.encode()) <= SITE_NAME_BYTES_MAX


def test_one_byte_more_is_refused_on_both_sides() -> None:
    arguments: dict[str, Any] = {"id": LAST_ID, "source": "/cloud", "type": answer_type(RequestKind.CHECK), "time": ""}
    largest = make_event(bytes(32), body=b"x" * BODY_BYTES_MAX, **arguments)
    assert decode_event(encode_properties(largest), largest.body) == largest
    with pytest.raises(ValueError, match="4097 bytes"):
        make_event(bytes(32), body=b"x" * (BODY_BYTES_MAX + 1), **arguments)
    with pytest.raises(ProtocolError, match="4097 bytes"):
        decode_event(encode_properties(largest), largest.body + b"x")


@pytest.mark.parametrize("count", [0, VOUCHERS_PER_ORDER_MAX + 1])
def test_an_order_names_one_to_twenty_vouchers(count: int) -> None:
    body = encode_body(Release(visit_id=LAST_ID, vouchers=[f"{number:012}" for number in range(count)]))
    with pytest.raises(ProtocolError):
        decode_request(RequestKind.RELEASE, body)


@pytest.mark.parametrize("sequence", [0, -1, SEQUENCE_MAX + 1])
def test_a_sequence_number_stays_in_range(sequence: int) -> None:
    body = encode_body(msgspec.structs.replace(_largest_redeem(), sequence=sequence))
    with pytest.raises(ProtocolError):
        decode_request(RequestKind.REDEEM, body)


def test_amounts_are_judged_not_parsed_away() -> None:
    """A total out of range is a refusal with a reason (``total_not_allowed``), so it must get as far as the judge."""
    for total in (0, -1, ORDER_TOTAL_MAX_TWD + 1, 10**30):
        redeem = msgspec.structs.replace(_largest_redeem(), order_total_twd=total)
        assert decode_request(RequestKind.REDEEM, encode_body(redeem)) == redeem


def test_the_longest_voucher_url_is_scanned_and_longer_ones_are_not() -> None:
    key = signing_key()
    url = encode_voucher("000012345770", host="h" * 253, key_id="k" * 16, key=key).encode()
    assert len(url) <= SCANNED_BYTES_MAX
    assert decode_voucher(url, {"k" * 16: key.public_key()}) != Reason.NOT_A_VOUCHER
    assert decode_voucher(b" " * SCANNED_BYTES_MAX + b"000012345770", {}) is Reason.NOT_A_VOUCHER
    assert len(encode_voucher("000012345770", host="pay.example.tw", key_id=KEY_ID, key=key)) < 140


def test_the_accepted_answer_carries_what_the_screen_needs() -> None:
    answer = RedeemAccepted(
        request_id=LAST_ID,
        reference=reference(LAST_ID),
        redeemed_at="2026-10-05T06:32:15Z",
        voucher_count=VOUCHERS_PER_ORDER_MAX,
        redeemed_twd=20_000,
        order_total_twd=ORDER_TOTAL_MAX_TWD,
        topup_twd=ORDER_TOTAL_MAX_TWD - 20_000,
    )
    assert decode_answer(encode_body(answer)) == answer
