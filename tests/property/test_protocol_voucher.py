"""A code is ours or it is refused: there is nothing between, and no damage turns one voucher into another."""

import re
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.limits import SCANNED_BYTES_MAX
from protocol.reasons import Reason
from protocol.voucher import KeyRing, VoucherCode, are_voucher_nos, decode_voucher, encode_voucher, is_voucher_no
from tests.support.vectors import KEY_ID, VOUCHER_NOS, signing_key

KEY = signing_key()
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key()
TRUSTED: KeyRing = {KEY_ID: KEY.public_key()}
SIGNED = encode_voucher(VOUCHER_NOS[0], host="pay.example.tw", key_id=KEY_ID, key=KEY).encode()
NUMBER_STARTS = SIGNED.index(b"/v/") + 3
SIGNATURE_STARTS = SIGNED.index(b"&s=") + 3

voucher_nos = st.from_regex(re.compile(r"[0-9]{12}", re.ASCII), fullmatch=True)
hosts = st.from_regex(re.compile(r"[a-z0-9.-]{1,60}(:[0-9]{1,5})?", re.ASCII), fullmatch=True)
key_ids = st.from_regex(re.compile(r"[a-z0-9-]{1,16}", re.ASCII), fullmatch=True)


@given(voucher_nos, hosts, key_ids)
def test_what_is_signed_comes_back(voucher_no: str, host: str, key_id: str) -> None:
    url = encode_voucher(voucher_no, host=host, key_id=key_id, key=KEY).encode()
    assert decode_voucher(url, {key_id: KEY.public_key()}) == VoucherCode(voucher_no, key_id)
    assert decode_voucher(url, {}) is Reason.FORGED
    assert decode_voucher(url, {key_id: OTHER}) is Reason.FORGED


@given(voucher_nos, hosts)
def test_what_is_unsigned_comes_back(voucher_no: str, host: str) -> None:
    assert decode_voucher(encode_voucher(voucher_no, host=host).encode(), TRUSTED) == VoucherCode(voucher_no)
    assert decode_voucher(voucher_no.encode(), TRUSTED) == VoucherCode(voucher_no)


@pytest.mark.parametrize("host", ["", "pay.example.tw/x", "pay example", "a@b", "h" * 254, "pay.example.tw\n", "例.tw"])
def test_a_host_that_could_not_be_read_back_is_not_printed(host: str) -> None:
    with pytest.raises(ValueError, match="host"):
        encode_voucher(VOUCHER_NOS[0], host=host)


@pytest.mark.parametrize(
    "arguments", [{"key_id": "a"}, {"key": KEY}, {"key_id": "A", "key": KEY}, {"key_id": "k" * 17, "key": KEY}]
)
def test_half_a_signature_is_not_printed(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="key"):
        encode_voucher(VOUCHER_NOS[0], host="pay.example.tw", **arguments)


def test_every_single_bit_flip_is_harmless() -> None:
    """All 8 x 128 of them. Only a flip that changes nothing of meaning (the host, a letter's case outside the signature) still
    gives the voucher, and then it is the same voucher."""
    for position in range(len(SIGNED)):
        for bit in range(8):
            flipped = bytearray(SIGNED)
            flipped[position] ^= 1 << bit
            decoded = decode_voucher(bytes(flipped), TRUSTED)
            assert decoded in (VoucherCode(VOUCHER_NOS[0], KEY_ID), Reason.FORGED, Reason.NOT_A_VOUCHER)
            if NUMBER_STARTS <= position < NUMBER_STARTS + 12 or position >= SIGNATURE_STARTS:
                assert isinstance(decoded, Reason), bytes(flipped)


@settings(max_examples=4_000, deadline=None)
@given(st.lists(st.tuples(st.integers(NUMBER_STARTS, len(SIGNED) - 1), st.integers(1, 255)), min_size=1, max_size=4))
def test_no_damage_to_number_key_or_signature_verifies(damage: list[tuple[int, int]]) -> None:
    damaged = bytearray(SIGNED)
    for position, change in damage:
        damaged[position] ^= change
    decoded = decode_voucher(bytes(damaged), TRUSTED)
    if isinstance(decoded, VoucherCode) and decoded.key_id is not None:
        # Only the case of "k", "s" or the key id may differ: the proved bytes are the same.
        assert decoded == VoucherCode(VOUCHER_NOS[0], KEY_ID)
        assert damaged[SIGNATURE_STARTS:] == SIGNED[SIGNATURE_STARTS:]
        assert damaged.lower() == SIGNED.lower()


@given(st.integers(0, len(SIGNED) - 1), st.integers(1, 40))
def test_a_cut_code_is_never_a_signed_voucher(start: int, length: int) -> None:
    cut = SIGNED[:start] + SIGNED[start + length :]
    decoded = decode_voucher(cut, TRUSTED)
    assert isinstance(decoded, Reason) or decoded.key_id is None or decoded == VoucherCode(VOUCHER_NOS[0], KEY_ID)


@settings(max_examples=1_000)
@given(st.one_of(st.binary(max_size=SCANNED_BYTES_MAX + 20), st.text(max_size=60).map(lambda text: text.encode("utf-8"))))
@example("１２３４５６７８９０１２".encode())
@example(b"000012345770\x00")
@example(b"000012345770\x0b")
@example(b"https://a@b/v/000012345770")
@example(b"https://pay.example.tw/v/000012345770#x")
@example(b"https://pay.example.tw/v/000012345770?k=2026a&s=")
@example(b"javascript://pay/v/000012345770")
@example(SIGNED + b"&x=1")
@example(SIGNED + b"=")
@example(SIGNED.replace(b"?k=", b"?K=").replace(b"&s=", b"&amp;s="))
def test_everything_else_is_refused(scanned: bytes) -> None:
    decoded = decode_voucher(scanned, TRUSTED)
    if isinstance(decoded, VoucherCode):
        assert decoded.key_id is None
        assert scanned.strip(b" \t\r\n") == decoded.voucher_no.encode()
    else:
        assert decoded in (Reason.NOT_A_VOUCHER, Reason.FORGED)


@given(st.text(max_size=14))
@example("１２３４５６７８９０１２")
@example("000012345770\n")
def test_a_number_is_twelve_ascii_digits(text: str) -> None:
    assert is_voucher_no(text) == (len(text) == 12 and all(character in "0123456789" for character in text))


@given(
    texts=st.lists(
        st.text(st.sampled_from("0123456789"), min_size=12, max_size=12)
        | st.text(st.sampled_from("0123456789"), min_size=11, max_size=13)
        | st.text(min_size=12, max_size=12),
        max_size=4,
    )
)
def test_all_of_them_are_voucher_numbers_where_each_is(texts: list[str]) -> None:
    assert are_voucher_nos(texts) == (texts != [] and all(map(is_voucher_no, texts)))
