"""Golden vectors of the protocol: fixed keys, ids and nonces, and the exact bytes that come out of them.

Another implementation checks itself against ``docs/protocol-vectors.json``; so do we. Write the file anew with
``python -m tests.support.vectors`` and look hard at the difference: a changed byte breaks every kiosk in the field.

The secrets here are made of counting bytes so that nobody takes them for real ones.
"""

import json
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from msgspec import Struct

from protocol.chain import FIRST_SEQUENCE, GENESIS, link_of
from protocol.envelope import CLOUD_SOURCE, Event, answer_type, device_source, encode_properties, make_event, request_type
from protocol.ids import reference, uuid7
from protocol.keys import DeviceKeys, agree
from protocol.messages import (
    Check,
    CheckAccepted,
    DeviceState,
    Redeem,
    RedeemAccepted,
    Refusal,
    Refused,
    Release,
    Released,
    encode_body,
)
from protocol.reasons import Reason
from protocol.seal import seal_digits
from protocol.topics import DeviceAddress, RequestKind, lane_of
from protocol.voucher import VoucherCode, decode_voucher, encode_voucher

PATH: Final = Path(__file__).parents[2] / "docs" / "protocol-vectors.json"

ADDRESS: Final = DeviceAddress("alishan", "kiosk-0001")
VOUCHER_NOS: Final = ("000012345770", "000012345788")
DIGITS: Final = ("4821", "0937")
KEY_ID: Final = "2026a"
VISIT_ID: Final = uuid7(1_791_181_920_000, bytes(range(0x10, 0x1A)))
_HOST: Final = "pay.example.tw"
_DEVICE_PRIVATE: Final = bytes(range(0x20))
_CLOUD_PRIVATE: Final = bytes(range(0x20, 0x40))
_SIGNING_PRIVATE: Final = bytes(range(0x40, 0x60))


def build() -> dict[str, Any]:
    """Compute all vectors. The same result on every machine."""
    keys = device_keys()
    return {
        "note": "Golden vectors of vk/v1. Byte strings are hex, message bodies are the exact UTF-8 text.",
        "key_agreement": _key_agreement(keys),
        "voucher_codes": _voucher_codes(),
        "lanes": {device_id: lane_of(device_id) for device_id in (ADDRESS.device_id, "kiosk-0002", "kiosk-abcdef")},
        "ids": _ids(),
        "messages": [*conversation(keys)],
        "states": [encode_body(state).decode() for state in _states()],
    }


def device_keys() -> DeviceKeys:
    """Agree the keys of the example kiosk, from the kiosk's side."""
    cloud_public = X25519PrivateKey.from_private_bytes(_CLOUD_PRIVATE).public_key().public_bytes_raw()
    return agree(_DEVICE_PRIVATE, cloud_public, device_id=ADDRESS.device_id)


def signing_key() -> Ed25519PrivateKey:
    """Return the example programme's signing key."""
    return Ed25519PrivateKey.from_private_bytes(_SIGNING_PRIVATE)


def _key_agreement(keys: DeviceKeys) -> dict[str, str]:
    return {
        "device_id": ADDRESS.device_id,
        "device_private": _DEVICE_PRIVATE.hex(),
        "device_public": X25519PrivateKey.from_private_bytes(_DEVICE_PRIVATE).public_key().public_bytes_raw().hex(),
        "cloud_private": _CLOUD_PRIVATE.hex(),
        "cloud_public": X25519PrivateKey.from_private_bytes(_CLOUD_PRIVATE).public_key().public_bytes_raw().hex(),
        "seal_key": keys.seal.hex(),
        "request_key": keys.request.hex(),
        "answer_key": keys.answer.hex(),
    }


def _voucher_codes() -> dict[str, Any]:
    key = signing_key()
    trusted = {KEY_ID: key.public_key()}
    signed = encode_voucher(VOUCHER_NOS[0], host=_HOST, key_id=KEY_ID, key=key)
    plain = encode_voucher(VOUCHER_NOS[0], host=_HOST)
    scanned = [
        signed,
        plain,
        VOUCHER_NOS[0],
        f" {VOUCHER_NOS[0]}\r\n",
        signed.replace("770?", "771?"),
        signed.replace(f"k={KEY_ID}", "k=2026b"),
        signed[:-1],
        f"{plain}?k={KEY_ID}",
        f"{plain}/",
        VOUCHER_NOS[0][:-1],
        "٠٠٠٠١٢٣٤٥٧٧٠",
        "https://example.tw/",
        "",
    ]
    return {
        "key_id": KEY_ID,
        "private": _SIGNING_PRIVATE.hex(),
        "public": key.public_key().public_bytes_raw().hex(),
        "cases": [{"scanned": text, **_outcome(decode_voucher(text.encode(), trusted))} for text in scanned],
    }


def _outcome(decoded: VoucherCode | Reason) -> dict[str, str | None]:
    if isinstance(decoded, Reason):
        return {"refused": decoded.value}
    return {"voucher_no": decoded.voucher_no, "key_id": decoded.key_id}


def _ids() -> list[dict[str, Any]]:
    cases = [(0, bytes(10)), (1_791_181_920_123, bytes(range(10))), (2**48 - 1, b"\xff" * 10)]
    made = [(unix_ms, random, uuid7(unix_ms, random)) for unix_ms, random in cases]
    return [
        {"unix_ms": unix_ms, "random": random.hex(), "uuid": str(made_id), "reference": reference(made_id)}
        for unix_ms, random, made_id in made
    ]


def conversation(keys: DeviceKeys) -> list[dict[str, Any]]:
    """Return one visit: a check with its answer, two chained redeem requests with theirs, a release."""
    ids = [uuid7(1_791_181_930_000 + 5_000 * number, bytes([number]) * 10) for number in range(4)]
    first = _redeem(keys, ids[1], FIRST_SEQUENCE, GENESIS)
    second = _redeem(keys, ids[2], FIRST_SEQUENCE + 1, link_of(encode_body(first)))
    check = Check(visit_id=VISIT_ID, voucher_no=VOUCHER_NOS[0], sealed=_sealed(keys, ids[0], 1))
    release = Release(visit_id=VISIT_ID, vouchers=[VOUCHER_NOS[1]])
    return [
        {**_asked(keys, RequestKind.CHECK, ids[0], check), "digits": DIGITS[:1]},
        _answered(keys, RequestKind.CHECK, ids[0], _check_accepted(ids[0])),
        {**_asked(keys, RequestKind.REDEEM, ids[1], first), "digits": DIGITS, "link": link_of(encode_body(first))},
        _answered(keys, RequestKind.REDEEM, ids[1], _redeem_accepted(ids[1])),
        {**_asked(keys, RequestKind.REDEEM, ids[2], second), "digits": DIGITS, "link": link_of(encode_body(second))},
        _answered(keys, RequestKind.REDEEM, ids[2], _refused(ids[2])),
        _asked(keys, RequestKind.RELEASE, ids[3], release),
        _answered(keys, RequestKind.RELEASE, ids[3], Released(request_id=ids[3])),
    ]


def _sealed(keys: DeviceKeys, request_id: UUID, count: int) -> str:
    return seal_digits(
        keys.seal,
        DIGITS[:count],
        nonce=request_id.bytes[4:],
        device_id=ADDRESS.device_id,
        request_id=request_id,
        voucher_nos=VOUCHER_NOS[:count],
    )


def _redeem(keys: DeviceKeys, request_id: UUID, sequence: int, previous: str) -> Redeem:
    return Redeem(
        visit_id=VISIT_ID,
        vouchers=list(VOUCHER_NOS),
        sealed=_sealed(keys, request_id, 2),
        item_category="meal",
        order_total_twd=5_050,
        sequence=sequence,
        previous=previous,
    )


def _check_accepted(request_id: UUID) -> CheckAccepted:
    return CheckAccepted(
        request_id=request_id,
        voucher_no=VOUCHER_NOS[0],
        face_value_twd=1_000,
        hold_until="2026-10-05T06:37:10Z",
        programme_id="tour-2026",
    )


def _redeem_accepted(request_id: UUID) -> RedeemAccepted:
    return RedeemAccepted(
        request_id=request_id,
        reference=reference(request_id),
        redeemed_at="2026-10-05T06:32:15Z",
        voucher_count=2,
        redeemed_twd=2_000,
        order_total_twd=5_050,
        topup_twd=3_050,
    )


def _refused(request_id: UUID) -> Refused:
    refusals = [
        Refusal(voucher_no=voucher_no, reason=Reason.ALREADY_REDEEMED, at="2026-10-05T06:32:15Z", site="阿里山遊客中心")
        for voucher_no in VOUCHER_NOS
    ]
    return Refused(request_id=request_id, reason=Reason.ALREADY_REDEEMED, refusals=refusals)


def _asked(keys: DeviceKeys, kind: RequestKind, request_id: UUID, body: Struct) -> dict[str, Any]:
    event = make_event(
        keys.request,
        id=request_id,
        source=device_source(ADDRESS.device_id),
        type=request_type(kind),
        time="2026-10-05T06:32:10Z",
        body=encode_body(body),
    )
    return {"topic": ADDRESS.request(kind), "response_topic": ADDRESS.answer(kind), **_message(event)}


def _answered(keys: DeviceKeys, kind: RequestKind, request_id: UUID, body: Struct) -> dict[str, Any]:
    event = make_event(
        keys.answer,
        id=request_id,
        source=CLOUD_SOURCE,
        type=answer_type(kind),
        time="2026-10-05T06:32:15Z",
        body=encode_body(body),
    )
    return {"topic": ADDRESS.answer(kind), **_message(event)}


def _message(event: Event) -> dict[str, Any]:
    return {
        "correlation_data": event.id.bytes.hex(),
        "user_properties": [list(pair) for pair in encode_properties(event)],
        "body": event.body.decode(),
    }


def _states() -> list[DeviceState]:
    return [
        DeviceState(state="online", boot_id="018f0000", version="0.1.0", pending=2),
        DeviceState(state="offline"),
        DeviceState(state="lost"),
    ]


def text() -> str:
    """Return the file's content."""
    return json.dumps(build(), ensure_ascii=False, indent=1) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    print(f"wrote {PATH}")
