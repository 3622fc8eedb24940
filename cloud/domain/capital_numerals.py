"""Sums in capital numerals (國字大寫), as Taiwan's forms want them: 30,000 is 參萬元整.

The form prescribes 參, which libraries write 叁 or 叄. Only the running form is made: zeros are written once between
what is not zero, and not at the end (DOMAIN 9.4).
"""

from typing import Final

_DIGITS: Final = "零壹貳參肆伍陸柒捌玖"
_UNITS: Final = ("", "拾", "佰", "仟")
_GROUPS: Final = ("", "萬", "億", "兆")
_AMOUNT_MAX: Final = 10 ** (len(_UNITS) * len(_GROUPS)) - 1


def capital_numerals(amount_twd: int) -> str:
    """Write a sum, e.g. ``壹仟零伍拾元整``.

    Raises:
        ValueError: it is negative, or larger than there are names for.
    """
    if not 0 <= amount_twd <= _AMOUNT_MAX:
        raise ValueError(f"{amount_twd} has no capital numerals")
    if amount_twd == 0:
        return "零元整"
    digits = str(amount_twd)
    written, skipped_zero, group_has_digits = "", False, False
    for place, digit in zip(range(len(digits) - 1, -1, -1), digits, strict=True):
        group, unit = divmod(place, len(_UNITS))
        if digit == "0":
            skipped_zero = True
        else:
            written += ("零" if skipped_zero and written else "") + _DIGITS[int(digit)] + _UNITS[unit]
            skipped_zero, group_has_digits = False, True
        if unit == 0:
            written += _GROUPS[group] if group_has_digits else ""
            group_has_digits = False
    return f"{written}元整"
