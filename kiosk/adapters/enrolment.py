"""One HTTPS exchange that makes a blank kiosk a trusted one. The claim code goes once over the line and nowhere else.

Plain HTTP is spoken to this very machine only (a demo, a test): over a network the code could be read and used first.
"""

import http.client
import urllib.error
import urllib.parse
import urllib.request
from typing import Final

import msgspec

from kiosk.adapters.identity import PrivateKeys
from protocol.enrolment import ENROLMENT_PATH, Enrolment, EnrolmentRequest, decode_enrolment
from protocol.errors import PortError, ProtocolError

WAIT_S: Final = 20.0
ANSWER_BYTES_MAX: Final = 256 * 1024
_HERE: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Problem(msgspec.Struct):
    """What is read of a problem document (RFC 9457)."""

    title: str = ""
    detail: str = ""


def enrol(base_url: str, claim_code: str, keys: PrivateKeys, *, serial: str = "") -> Enrolment:
    """Ask the cloud for an identity.

    Args:
        base_url: e.g. ``https://pay.example.tw``.
        claim_code: as the programme office gave it.
        serial: of the board, for the fleet list.

    Raises:
        PortError: the address cannot be used, the cloud cannot be reached, refuses, or answers something else.
    """
    order = EnrolmentRequest(claim_code=claim_code, csr_pem=keys.csr_pem(), seal_public=keys.seal_public, serial=serial)
    request = urllib.request.Request(  # noqa: S310 - the scheme is checked
        _enrolment_url(base_url), data=msgspec.json.encode(order), headers={"Content-Type": "application/json"}, method="POST"
    )
    # No redirect is followed: the code is for the address that a person wrote down.
    opener = urllib.request.build_opener(_NoRedirect())
    try:
        with opener.open(request, timeout=WAIT_S) as answer:
            return decode_enrolment(answer.read(ANSWER_BYTES_MAX + 1)[:ANSWER_BYTES_MAX])
    except urllib.error.HTTPError as refusal:
        with refusal:
            raise PortError(f"the cloud did not enrol this kiosk: {_reason(refusal)}", retry=refusal.code >= 500) from None
    except urllib.error.URLError as problem:
        raise PortError(f"{base_url} cannot be reached: {problem.reason}", retry=True) from problem
    except (OSError, http.client.HTTPException) as problem:
        raise PortError(f"{base_url} cannot be reached: {problem}", retry=True) from problem
    except ProtocolError as problem:
        raise PortError(f"{base_url} answered something else than an enrolment: {problem}", retry=False) from problem


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def _enrolment_url(base_url: str) -> str:
    try:
        parts = urllib.parse.urlsplit(base_url)
        host = parts.hostname
    except ValueError as problem:
        raise PortError(f"enrol_url {base_url!r} is not an address: {problem}", retry=False) from problem
    if parts.scheme not in {"http", "https"} or not host:
        raise PortError(f"enrol_url {base_url!r} is not an http or https address", retry=False)
    if parts.scheme == "http" and host not in _HERE:
        raise PortError(f"enrol_url {base_url!r} must be https: the claim code would go over the network in clear", retry=False)
    return base_url.rstrip("/") + ENROLMENT_PATH


def _reason(refusal: urllib.error.HTTPError) -> str:
    try:
        problem = msgspec.json.decode(refusal.read(ANSWER_BYTES_MAX), type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    words = ": ".join(part for part in (problem.title, problem.detail) if part)
    return words or f"HTTP {refusal.code}"
