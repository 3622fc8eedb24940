"""What people type and what addresses hold, brought into one form or refused."""

import re
import string
from importlib import resources

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.web.language import LANGUAGES, closest, load_catalogues
from cloud.web.scan_input import read_code, read_digits, read_landing, read_total
from cloud.web.security import own_path
from protocol.reasons import Reason
from protocol.voucher import VoucherCode, encode_voucher

NUMBER = "566780776770"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
TRUSTED = {"key-1": KEY.public_key()}
SIGNED = encode_voucher(NUMBER, host="pay.example.tw", key_id="key-1", key=KEY)


@pytest.mark.parametrize(
    "typed", [NUMBER, " 5667 8077 6770 ", "5667-8077-6770", "５６６７８０７７６７７０", "5667\u20098077\u20096770"]
)
def test_number_is_read_as_people_write_it(typed: str) -> None:
    assert read_code(typed, {}) == VoucherCode(NUMBER)


def test_hand_scanner_types_the_whole_address() -> None:
    assert read_code(SIGNED + "\n", TRUSTED) == VoucherCode(NUMBER, "key-1")


@pytest.mark.parametrize(
    "typed", ["", "56678077677", "5667807767700", "hello", "https://x.tw/w/566780776770", "五六六七" * 3, "9" * 900]
)
def test_anything_else_is_not_a_voucher(typed: str) -> None:
    assert read_code(typed, TRUSTED) is Reason.NOT_A_VOUCHER


def test_landing_checks_the_signature() -> None:
    key_id, signature = SIGNED.partition("?k=")[2].split("&s=")
    assert read_landing(NUMBER, key_id, signature, TRUSTED) == VoucherCode(NUMBER, "key-1")
    assert read_landing(NUMBER, None, None, TRUSTED) == VoucherCode(NUMBER)
    assert read_landing("566780776771", key_id, signature, TRUSTED) is Reason.FORGED
    assert read_landing(NUMBER, key_id, signature, {}) is Reason.FORGED


@pytest.mark.parametrize(
    ("key_id", "signature"), [("key-1", None), (None, "x" * 86), ("key-1", ""), ("", ""), ("key-1", "x" * 9)]
)
def test_half_a_signature_is_never_taken_for_none(key_id: str | None, signature: str | None) -> None:
    assert read_landing(NUMBER, key_id, signature, TRUSTED) is Reason.NOT_A_VOUCHER


@pytest.mark.parametrize(("typed", "digits"), [("1234", "1234"), (" 1234 ", "1234"), ("１２３４", "1234"), ("ᚠᚢᚦᚨ", "ᚠᚢᚦᚨ")])
def test_digits_are_four_characters(typed: str, digits: str) -> None:
    assert read_digits(typed) == digits


@pytest.mark.parametrize("typed", ["", "123", "12345", "12 4", "1\u20093 ", "12\x004"])
def test_other_digits_are_not(typed: str) -> None:
    assert read_digits(typed) is None


@pytest.mark.parametrize(
    ("typed", "total"), [("5050", 5050), ("5,050", 5050), ("５，０５０", 5050), (" 5 050 ", 5050), ("0", 0)]
)
def test_total_is_whole_twd(typed: str, total: int) -> None:
    assert read_total(typed) == total


@pytest.mark.parametrize("typed", ["", "5050.5", "-1", "1e3", "abc", "9" * 10, "²"])
def test_other_totals_are_not(typed: str) -> None:
    assert read_total(typed) is None


@pytest.mark.parametrize("path", ["/", "/merchant/transactions?state=paid&page=2", f"/v/{NUMBER}?k=key-1&s=abc"])
def test_own_paths_are_followed(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "elsewhere",
    [None, "", "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "javascript:alert(1)",
     "/\t/evil.example", "/\n/evil.example", "merchant", " /merchant", "/%0d%0aSet-Cookie:x\r\n"],
)  # fmt: skip
def test_other_places_are_not(elsewhere: str | None) -> None:
    assert own_path(elsewhere) is None


@pytest.mark.parametrize(
    ("tag", "ours"),
    [
        ("zh-TW", "zh-Hant-TW"),
        ("zh", "zh-Hant-TW"),
        ("zh-Hant-HK", "zh-Hant-TW"),
        ("en-GB", "en"),
        ("en", "en"),
        ("ja-JP", "ja"),
        ("ko-KR", "ko"),
        ("zh-HK", "zh-Hant-TW"),
        ("fr", None),
        ("", None),
    ],
)
def test_browser_languages_find_ours(tag: str, ours: str | None) -> None:
    assert closest(tag) == ours


@pytest.mark.parametrize("language", LANGUAGES)
def test_catalogues_have_the_same_keys_and_facts(language: str) -> None:
    pages = load_catalogues().pages
    chinese, own = pages["zh-Hant-TW"], pages[language]
    assert set(chinese) == set(own)
    assert {key: _facts(text) for key, text in chinese.items()} == {key: _facts(text) for key, text in own.items()}
    assert all(text.strip() for text in own.values())


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_blames(language: str) -> None:
    never = re.compile(r"\binvalid\b|\berror\b|\bwrong\b|錯誤|無效|失敗|無効|エラー|間違|무효|오류|잘못", re.IGNORECASE)
    # "went wrong on our side" says whose fault it is.
    found = {key: text for key, text in load_catalogues().pages[language].items() if never.search(text)}
    assert set(found) <= {"problem.500.what"}


def test_dark_colours_stand_twice_and_are_the_same() -> None:
    style = (resources.files("cloud.web") / "static" / "style.css").read_text("utf-8")
    device, picked = (
        re.findall(r"--[a-z-]+: [^;]+;", style.split(start, 1)[1].split("}", 1)[0])
        for start in (':root:not([data-scheme="light"]) {', ':root[data-scheme="dark"] {')
    )
    assert device == picked
    assert len(device) > 15


def _facts(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}
