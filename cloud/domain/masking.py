"""What of a person may be stored and shown.

The secret of a voucher is the last four characters of its holder's ID. A mask that shows the last four, as many forms do,
would print the key beside the lock: here the last four are what must be hidden (DOMAIN 9.3, V-R6). What remains tells two
people of one family apart and nothing more.
"""

DOT = "●"
_NAME_DOTS = 2
_ID_DOTS = 9


def mask_name(name: str) -> str:
    """Keep the first character of a name: 王小明 becomes 王●●.

    The number of dots is always the same, so that the length of a rare name does not tell it.

    Raises:
        ValueError: there is no name.
    """
    trimmed = name.strip()
    if not trimmed:
        raise ValueError("a holder has a name")
    return trimmed[0] + DOT * _NAME_DOTS


def mask_national_id(first_letter: str | None) -> str:
    """Show the first letter of an ID, where it is known, and nine dots.

    It takes the letter alone: what is not passed in cannot leak out.

    Raises:
        ValueError: it is not one capital letter A to Z.
    """
    if first_letter is None:
        return DOT * (_ID_DOTS + 1)
    if len(first_letter) != 1 or not ("A" <= first_letter <= "Z"):
        raise ValueError("the first letter of an ID is one of A to Z")
    return first_letter + DOT * _ID_DOTS
