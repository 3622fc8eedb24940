"""Light or dark: what the visitor picked (a cookie), else whatever the device is set to."""

from flask import request

SCHEMES = ("auto", "light", "dark")
SCHEME_COOKIE = "vk_scheme"


def choose_scheme() -> str:
    """The colour scheme of this request; ``auto`` leaves it to the device."""
    picked = request.cookies.get(SCHEME_COOKIE, "")
    return picked if picked in SCHEMES else SCHEMES[0]
