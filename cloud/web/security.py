"""What every answer of the pages carries, and where a browser may be sent.

The content policy allows nothing but our own files: no inline style or script, no frame, no foreign address. Pages that show
anything of an account are never stored by a browser or proxy. The camera is for the pages of the voucher desk, and there alone
may compiled code (the decoder, a file of ours too) be run: ``'wasm-unsafe-eval'`` allows that and no more.
"""

from urllib.parse import urlsplit

from flask import Flask, Response, g, request

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
)
CAMERA_POLICY = CONTENT_POLICY.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
REQUEST_BYTES_MAX = 4 * 1024 * 1024
"""A list of some fifty thousand holders; everything else is far smaller."""
LARGER_REQUESTS = {"apply.save": 24 * 1024 * 1024}
"""An application with the photographs of three papers."""


def install_headers(app: Flask, *, https: bool) -> None:
    """Add the headers to every answer, errors included."""
    app.config["MAX_CONTENT_LENGTH"] = REQUEST_BYTES_MAX

    @app.before_request
    def make_room() -> None:
        # Before anything reads the form; only pages that take files of their own size have more room than others.
        request.max_content_length = LARGER_REQUESTS.get(request.endpoint or "", REQUEST_BYTES_MAX)

    @app.after_request
    def add_headers(response: Response) -> Response:
        headers = response.headers
        camera = "vk_camera" in g
        headers["Content-Security-Policy"] = CAMERA_POLICY if camera else CONTENT_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "same-origin"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        headers["Permissions-Policy"] = f"camera={'(self)' if camera else '()'}, microphone=(), geolocation=()"
        if https:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if request.endpoint != "static":
            headers.setdefault("Cache-Control", "no-store")
        return response


def let_camera() -> None:
    """Let the page that is being rendered use the camera."""
    g.vk_camera = True


def own_path(wanted: str | None) -> str | None:
    """Return ``wanted`` if it is a path of this site, else None.

    Browsers read ``//host`` and ``/\\host`` as another site and drop control characters first, so all of these are refused.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//"):
        return None
    if "\\" in wanted or any(character < " " or character == "\x7f" for character in wanted):
        return None
    parts = urlsplit(wanted)
    return wanted if not parts.scheme and not parts.netloc else None
