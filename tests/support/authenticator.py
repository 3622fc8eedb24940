"""An authenticator app: turns the key that the set-up page shows into six digits."""

import hashlib
import hmac
import re
import time
from base64 import b32decode

from tests.support.web import PASSWORD, Visitor

STEP_S = 30
_KEY = re.compile(r'<code class="key">([A-Z2-7 -]+)</code>')


def key_of(page: str) -> bytes:
    """The key on the set-up page."""
    found = _KEY.search(page)
    assert found is not None, page
    text = re.sub("[ -]", "", found[1])
    return b32decode(text + "=" * (-len(text) % 8))


def code_of(key: bytes, *, step: int = 0) -> str:
    """The six digits (RFC 6238) of now, or of so many steps later."""
    counter = int(time.time()) // STEP_S + step
    mac = hmac.new(key, counter.to_bytes(8, "big"), hashlib.sha1).digest()
    start = mac[-1] & 15
    return f"{(int.from_bytes(mac[start : start + 4], 'big') & 0x7FFFFFFF) % 10**6:06d}"


def set_up_totp(visitor: Visitor) -> bytes:
    """Turn codes on for whoever is signed in; return the key."""
    visitor.get("/account/tf-setup")
    visitor.post("/account/tf-setup", {"setup": "authenticator"})
    key = key_of(visitor.page)
    [action] = re.findall(r'action="(/account/tf-setup/[^"]+)"', visitor.page)
    answer = visitor.post(action, {"code": code_of(key)})
    assert answer.location == "/account/", visitor.page
    return key


def sign_in_with_code(visitor: Visitor, door: str, login: str, code: str, *, password: str = PASSWORD) -> str | None:
    """Sign in in two steps; return where that leads, None where the code was refused."""
    answer = visitor.sign_in(door, login, password)
    assert answer.location is not None, visitor.page
    assert answer.location.startswith("/account/tf-validate"), answer.location
    visitor.get(answer.location)
    [action] = re.findall(r'action="(/account/tf-validate[^"]*)"', visitor.page)
    return visitor.post(action, {"code": code}).location
