"""The golden vectors, read the other way round: by a peer that has only the file and ``docs/protocol.md``.

Proofs and keys are recomputed here from the bytes as the document spells them out, not with the functions that made them.
"""

import base64
import hashlib
import json
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocol.envelope import decode_event
from protocol.ids import reference, uuid7
from protocol.messages import decode_answer, decode_request, decode_state
from protocol.seal import open_digits
from protocol.topics import DeviceAddress, decode_request_topic
from protocol.voucher import VoucherCode, decode_voucher
from tests.support.vectors import PATH

VECTORS: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
MESSAGES: list[dict[str, Any]] = VECTORS["messages"]
AGREED: dict[str, str] = VECTORS["key_agreement"]
REQUESTS = [message for message in MESSAGES if "response_topic" in message]
ANSWERS = [message for message in MESSAGES if "response_topic" not in message]


def _proof(key: bytes, parts: list[bytes]) -> str:
    said = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    mac = hashlib.blake2b(said, key=key, digest_size=16, person=b"vk1 message" + bytes(5))
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")


@pytest.mark.parametrize(("own", "their"), [("device_private", "cloud_public"), ("cloud_private", "device_public")])
def test_both_sides_derive_the_three_keys(own: str, their: str) -> None:
    shared = X25519PrivateKey.from_private_bytes(bytes.fromhex(AGREED[own])).exchange(
        X25519PublicKey.from_public_bytes(bytes.fromhex(AGREED[their]))
    )
    info = b"vk1 device keys\x00" + AGREED["device_id"].encode()
    material = HKDF(algorithm=SHA256(), length=96, salt=None, info=info).derive(shared)
    assert material.hex() == AGREED["seal_key"] + AGREED["request_key"] + AGREED["answer_key"]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message["topic"])
def test_every_proof_is_blake2b_over_type_source_id_time_body(message: dict[str, Any]) -> None:
    attributes = dict(message["user_properties"])
    key = AGREED["request_key" if message in REQUESTS else "answer_key"]
    parts = [
        attributes["type"].encode(),
        attributes["source"].encode(),
        UUID(attributes["id"]).bytes,
        attributes["time"].encode(),
        message["body"].encode(),
    ]
    assert attributes["auth"] == _proof(bytes.fromhex(key), parts)
    event = decode_event([tuple(pair) for pair in message["user_properties"]], message["body"].encode())
    assert event.is_from(bytes.fromhex(key))
    assert event.id.bytes.hex() == message["correlation_data"]


@pytest.mark.parametrize(
    "message", [message for message in REQUESTS if "digits" in message], ids=lambda message: message["topic"]
)
def test_every_box_opens_as_written(message: dict[str, Any]) -> None:
    address, kind = decode_request_topic(message["topic"])
    request_id = UUID(bytes=bytes.fromhex(message["correlation_data"]))
    request = decode_request(kind, message["body"].encode())
    sealed: str = json.loads(message["body"])["sealed"]
    key = bytes.fromhex(AGREED["seal_key"])
    assert (
        open_digits(key, sealed, device_id=address.device_id, request_id=request_id, voucher_nos=request.voucher_nos)
        == message["digits"]
    )
    raw = base64.urlsafe_b64decode(sealed + "==")
    context = b"vk1.seal\x00" + b"kiosk-0001\x00" + request_id.bytes + b"\x00" + ",".join(request.voucher_nos).encode()
    assert AESGCM(key).decrypt(raw[:12], raw[12:], context) == "".join(message["digits"]).encode()


def test_each_redeem_names_the_one_before_it() -> None:
    previous, sequence = "0" * 64, 0
    for message in REQUESTS:
        if "link" in message:
            body = json.loads(message["body"])
            assert (body["previous"], body["sequence"]) == (previous, sequence + 1)
            previous, sequence = hashlib.sha256(message["body"].encode()).hexdigest(), body["sequence"]
            assert message["link"] == previous
    assert sequence == 2


@pytest.mark.parametrize("message", ANSWERS, ids=lambda message: message["topic"])
def test_every_answer_names_its_request(message: dict[str, Any]) -> None:
    assert decode_answer(message["body"].encode()).request_id.bytes.hex() == message["correlation_data"]


@pytest.mark.parametrize(("device_id", "lane"), VECTORS["lanes"].items())
def test_lanes(device_id: str, lane: str) -> None:
    assert hashlib.sha256(device_id.encode()).hexdigest().startswith(lane)
    assert DeviceAddress("alishan", device_id).connection == f"vk/v1/{lane}/alishan/{device_id}/state/conn"


def test_states_decode() -> None:
    assert [decode_state(body.encode()).state for body in VECTORS["states"]] == ["online", "offline", "lost"]


@pytest.mark.parametrize("case", VECTORS["ids"], ids=lambda case: case["uuid"])
def test_ids(case: dict[str, Any]) -> None:
    made = uuid7(case["unix_ms"], bytes.fromhex(case["random"]))
    assert (str(made), reference(made)) == (case["uuid"], case["reference"])


@pytest.mark.parametrize("case", VECTORS["voucher_codes"]["cases"], ids=lambda case: repr(case["scanned"][:40]))
def test_voucher_codes(case: dict[str, Any]) -> None:
    codes = VECTORS["voucher_codes"]
    trusted = {codes["key_id"]: Ed25519PublicKey.from_public_bytes(bytes.fromhex(codes["public"]))}
    decoded = decode_voucher(case["scanned"].encode(), trusted)
    if "refused" in case:
        assert decoded == case["refused"]
    else:
        assert decoded == VoucherCode(case["voucher_no"], case["key_id"])
