"""Key agreement, sealed digits and the hash chain."""

import base64
import re
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from protocol.chain import GENESIS, link_of
from protocol.errors import ProtocolError
from protocol.keys import DeviceKeys, agree
from protocol.seal import open_digits, seal_digits

KEY = bytes(range(32))
halves = st.binary(min_size=32, max_size=32)
ids = st.from_regex(re.compile(r"[a-z0-9-]{3,32}", re.ASCII), fullmatch=True)
voucher_nos = st.from_regex(re.compile(r"[0-9]{12}", re.ASCII), fullmatch=True)
orders = st.lists(voucher_nos, min_size=1, max_size=20, unique=True)
four = st.text(st.characters(exclude_categories=["Cs"]), min_size=4, max_size=4)
nonces = st.binary(min_size=12, max_size=12)
places = st.fixed_dictionaries({"device_id": ids, "request_id": st.uuids(), "voucher_nos": orders})
PLACE: dict[str, Any] = {"device_id": "kiosk-0001", "request_id": UUID(int=7), "voucher_nos": ["000012345770"]}


def _public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


@settings(max_examples=60)
@given(halves, halves, ids)
def test_both_sides_agree(device: bytes, cloud: bytes, device_id: str) -> None:
    keys = agree(device, _public(cloud), device_id=device_id)
    assert keys == agree(cloud, _public(device), device_id=device_id)
    assert len({keys.seal, keys.request, keys.answer}) == 3
    assert {len(keys.seal), len(keys.request), len(keys.answer)} == {32}


@settings(max_examples=60)
@given(halves, halves, ids, ids)
def test_another_name_gives_other_keys(device: bytes, cloud: bytes, one: str, other: str) -> None:
    assume(one != other)
    mine, theirs = (agree(device, _public(cloud), device_id=name) for name in (one, other))
    assert not {mine.seal, mine.request, mine.answer} & {theirs.seal, theirs.request, theirs.answer}


@pytest.mark.parametrize("their", [bytes(32), b"\x01" + bytes(31), bytes(31), bytes(33), b""])
def test_low_order_and_short_halves_are_refused(their: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        agree(KEY, their, device_id="kiosk-0001")


def test_keys_do_not_print() -> None:
    keys = DeviceKeys(seal=b"s" * 32, request=b"r" * 32, answer=b"a" * 32)
    assert "ssss" not in f"{keys} {keys!r}"


@given(places, nonces, st.data())
def test_what_is_sealed_opens(place: dict[str, Any], nonce: bytes, data: st.DataObject) -> None:
    digits = [data.draw(four) for _ in place["voucher_nos"]]
    sealed = seal_digits(KEY, digits, nonce=nonce, **place)
    assert open_digits(KEY, sealed, **place) == digits
    assert all(each.encode() not in base64.urlsafe_b64decode(sealed + "==")[12:] for each in digits)


@given(places, nonces, st.data())
def test_a_box_opens_only_where_it_belongs(place: dict[str, Any], nonce: bytes, data: st.DataObject) -> None:
    numbers = place["voucher_nos"]
    sealed = seal_digits(KEY, ["4821"] * len(numbers), nonce=nonce, **place)
    elsewhere = data.draw(
        st.one_of(
            st.fixed_dictionaries({"device_id": ids}),
            st.fixed_dictionaries({"request_id": st.uuids()}),
            st.fixed_dictionaries({"voucher_nos": orders}),
            st.just({"voucher_nos": list(reversed(numbers))}),
        )
    )
    assume({**place, **elsewhere} != place)
    with pytest.raises(ProtocolError):
        open_digits(KEY, sealed, **{**place, **elsewhere})
    with pytest.raises(ProtocolError):
        open_digits(bytes(32), sealed, **place)


@settings(max_examples=500)
@given(st.integers(0, 43), st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
def test_a_changed_box_does_not_open(position: int, character: str) -> None:
    sealed = seal_digits(KEY, ["4821"], nonce=bytes(12), **PLACE)
    position %= len(sealed)
    changed = sealed[:position] + character + sealed[position + 1 :]
    raw, original = (base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in (changed, sealed))
    assume(raw != original)
    with pytest.raises(ProtocolError):
        open_digits(KEY, changed, **PLACE)


@given(st.text(max_size=80))
def test_hostile_boxes_are_a_protocol_error(sealed: str) -> None:
    with pytest.raises(ProtocolError):
        open_digits(KEY, sealed, **PLACE)


def test_a_box_with_another_count_of_digits_does_not_open() -> None:
    for digits, numbers in ((["482"], ["000012345770"]), (["4821"], []), ([], ["000012345770"])):
        with pytest.raises(ValueError, match="four characters"):
            seal_digits(KEY, digits, nonce=bytes(12), **{**PLACE, "voucher_nos": numbers})
    with pytest.raises(ValueError, match="12 bytes"):
        seal_digits(KEY, ["4821"], nonce=bytes(11), **PLACE)


@given(st.lists(st.binary(min_size=1, max_size=40), min_size=2, max_size=8), st.data())
def test_a_changed_request_breaks_every_link_after_it(bodies: list[bytes], data: st.DataObject) -> None:
    def links(chain: list[bytes]) -> list[str]:
        previous, made = GENESIS, []
        for body in chain:
            previous = link_of(previous.encode() + body)
            made.append(previous)
        return made

    index = data.draw(st.integers(0, len(bodies) - 1))
    changed = [*bodies[:index], bodies[index] + b"!", *bodies[index + 1 :]]
    before, after = links(bodies), links(changed)
    assert before[:index] == after[:index]
    assert all(one != other for one, other in zip(before[index:], after[index:], strict=True))
    assert all(re.fullmatch(r"[0-9a-f]{64}", link) for link in after)
