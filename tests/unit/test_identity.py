"""Check digits of IDs and business numbers, on numbers published as examples."""

import pytest

from cloud.domain.identity import is_account_no, is_bank_code, is_national_id, is_payee_id, is_resident_certificate, is_ubn


@pytest.mark.parametrize("text", ["A123456789", "S152892614"])
def test_national_ids(text: str) -> None:
    assert is_national_id(text)
    assert not is_resident_certificate(text)


@pytest.mark.parametrize("text", ["A800000014", "A900000016", "P908661184", "AC01234567", "AB12345677", "FA12345689"])
def test_resident_certificates(text: str) -> None:
    assert is_resident_certificate(text)
    assert not is_national_id(text)


@pytest.mark.parametrize("text", ["A123456788", "B987654321", "A800000015", "", "a123456789", "A12345678", "A１23456789"])
def test_what_is_no_id(text: str) -> None:
    assert not is_national_id(text)
    assert not is_resident_certificate(text)
    assert not is_payee_id(text)


@pytest.mark.parametrize("text", ["04595257", "52582816", "24634102", "62198132", "10458570", "10458574", "10458575"])
def test_business_numbers_of_old_and_new_rule(text: str) -> None:
    assert is_ubn(text)
    assert is_payee_id(text)


@pytest.mark.parametrize("text", ["13572468", "12345678", "00501502", "0459525", "045952577", "０4595257"])
def test_what_is_no_business_number(text: str) -> None:
    assert not is_ubn(text)


def test_exactly_one_check_digit_holds() -> None:
    assert [digit for digit in "0123456789" if is_national_id("A12345678" + digit)] == ["9"]


def test_bank_and_account() -> None:
    assert is_bank_code("0040037")
    assert not is_bank_code("004")
    assert is_account_no("1234567890")
    assert not is_account_no("12345678901234567")
    assert not is_account_no("12-34")
