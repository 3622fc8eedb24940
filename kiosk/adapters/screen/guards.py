"""Who may talk to the page's server: pages that this server sent, and programs on this machine. Nobody else.

A browser says where a request comes from (``Sec-Fetch-Site``, older ones ``Origin``); a page of another site is turned away,
so no web page opened on the kiosk or on a developer's machine can press keys. Requests for a host name that is not ours are
refused (DNS rebinding). A program that sends neither header is not a browser and could press the keys anyway.
"""

from typing import Final

from flask import Flask, Response, abort, request

REQUEST_BYTES_MAX: Final = 4_096
"""A key press is 20 bytes; a picture's name at most 255."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; font-src 'self'; "
    "frame-src 'self'; frame-ancestors {ancestors}; base-uri 'none'; form-action 'none'"
)


def guard(app: Flask, *, host: str, framed: bool) -> None:
    """Put the guards before and the headers after every request of ``app``.

    Args:
        host: where the server listens; taken as a host name besides the loopback ones.
        framed: the page may stand in a frame of this same server (the bench).
    """
    app.config["TRUSTED_HOSTS"] = ["127.0.0.1", "localhost", "[::1]", f"[{host}]" if ":" in host else host]
    app.config["MAX_CONTENT_LENGTH"] = REQUEST_BYTES_MAX
    ancestors = "'self'" if framed else "'none'"

    def check_sender() -> None:
        if request.method == "POST" and not _is_same_origin():
            abort(403)

    def add_headers(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = _POLICY.format(ancestors=ancestors)
        response.headers["X-Frame-Options"] = "SAMEORIGIN" if framed else "DENY"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.before_request(check_sender)
    app.after_request(add_headers)


def _is_same_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("Origin")
    return origin is None or origin == f"{request.scheme}://{request.host}"
