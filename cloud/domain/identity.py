"""Numbers that name a person or a business in Taiwan, checked by their check digits (DOMAIN 9.2).

A check digit tells a slip of the hand, nothing more: whether somebody has that number is for the authorities to say.
"""

import re

_LETTERS = "ABCDEFGHJKLMNPQRSTUVXYZWIO"
"""In the order of their values: A is 10, O is 35. The order is historical, not alphabetical."""

_NATIONAL_ID = re.compile(r"[A-Z][12][0-9]{8}")
_RESIDENT_CERTIFICATE = re.compile(r"[A-Z][89A-D][0-9]{8}")
_ID_WEIGHTS = (1, 9, 8, 7, 6, 5, 4, 3, 2, 1, 1)
_UBN = re.compile(r"[0-9]{8}")
_UBN_WEIGHTS = (1, 2, 1, 2, 1, 2, 4, 1)
_BANK_CODE = re.compile(r"[0-9]{7}")
_ACCOUNT_NO = re.compile(r"[0-9]{1,16}")


def is_national_id(text: str) -> bool:
    """Tell whether it is a national ID (second character 1 or 2) whose check digit holds."""
    return _NATIONAL_ID.fullmatch(text) is not None and _id_checks(text)


def is_resident_certificate(text: str) -> bool:
    """Tell whether it is a resident certificate number, of 2021 (8, 9) or older (A to D), whose check digit holds."""
    return _RESIDENT_CERTIFICATE.fullmatch(text) is not None and _id_checks(text)


def is_ubn(text: str) -> bool:
    """Tell whether it is a business number (統一編號) under the rule of April 2023.

    The digit sum of the weighted digits is a multiple of 5; where the seventh digit is 7 its product 28 may count as 10 or
    as 1 and 0, so the sum plus one may be the multiple too. The older rule (multiple of 10) refuses numbers given since.
    """
    if _UBN.fullmatch(text) is None:
        return False
    products = (int(digit) * weight for digit, weight in zip(text, _UBN_WEIGHTS, strict=True))
    total = sum(product // 10 + product % 10 for product in products)
    return total % 5 == 0 or (text[6] == "7" and (total + 1) % 5 == 0)


def is_payee_id(text: str) -> bool:
    """Tell whether a bank can compare it with an account's holder: a business number or a person's ID."""
    return is_ubn(text) or is_national_id(text) or is_resident_certificate(text)


def is_bank_code(text: str) -> bool:
    """Tell whether it is seven digits, bank and branch. Whether the branch exists only the bank list knows."""
    return _BANK_CODE.fullmatch(text) is not None


def is_account_no(text: str) -> bool:
    """Tell whether it is an account number of one to sixteen digits, the width of the ACH field."""
    return _ACCOUNT_NO.fullmatch(text) is not None


def _id_checks(text: str) -> bool:
    letter = _LETTERS.index(text[0]) + 10
    second = int(text[1]) if text[1].isdigit() else (_LETTERS.index(text[1]) + 10) % 10
    digits = (letter // 10, letter % 10, second, *map(int, text[2:]))
    return sum(digit * weight for digit, weight in zip(digits, _ID_WEIGHTS, strict=True)) % 10 == 0
