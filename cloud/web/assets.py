"""Files that never change while the program runs: styles, scripts, the mark, the decoder of the voucher desk.

Each is read once, when the app is built, and has two names. Pages link to the one that carries a hash of the content,
``style.3f9a1c0b2d4e.css``: a browser keeps that for a year and asks for it never again, and a new version is a new name. The
plain name answers too, for an hour, for whoever typed it.

They travel compressed wherever the browser takes that. The pages themselves do not: they hold what a person typed beside the
secret of their forms, and the length of the two compressed together would tell one who listens about the other (BREACH).
"""

import gzip
import hashlib
import mimetypes
from dataclasses import dataclass, field
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import Any, Final

from flask import Flask, Response, abort, request

KEPT_S: Final = 365 * 24 * 3600
PLAIN_KEPT_S: Final = 3600

_COMPRESSED_FROM_BYTES: Final = 512
_TYPES: Final = {".wasm": "application/wasm", ".js": "text/javascript", ".LICENSE": "text/plain", ".md": "text/plain"}
_HASH_CHARACTERS: Final = 12


@dataclass
class Asset:
    """One file."""

    content: bytes = field(repr=False)
    digest: str
    content_type: str
    _compressed: bytes | None = field(default=None, repr=False)

    def compressed(self) -> bytes:
        """The content for ``Content-Encoding: gzip``; made when it is first asked for. Two threads may make the same one."""
        if self._compressed is None:
            self._compressed = gzip.compress(self.content, 9, mtime=0)
        return self._compressed


class Assets:
    """All files of a folder, by either name."""

    def __init__(self, folder: Traversable) -> None:
        self._by_name: dict[str, Asset] = {}
        self._hashed: dict[str, str] = {}
        self._read(folder, "")
        self._plain = {hashed: name for name, hashed in self._hashed.items()}

    def hashed_name(self, name: str) -> str:
        """The name for a link. What is no file of ours stays as it is, and its address answers 404."""
        return self._hashed.get(name, name)

    def find(self, name: str) -> tuple[Asset, bool] | None:
        """The file of either name, and whether the name says what is in it."""
        plain = self._plain.get(name)
        asset = self._by_name.get(name if plain is None else plain)
        return None if asset is None else (asset, plain is not None)

    def _read(self, folder: Traversable, prefix: str) -> None:
        for entry in folder.iterdir():
            name = prefix + entry.name
            if entry.is_dir():
                self._read(entry, f"{name}/")
                continue
            content, path = entry.read_bytes(), PurePosixPath(name)
            digest = hashlib.sha256(content).hexdigest()
            kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
            self._by_name[name] = Asset(content, digest, kind)
            self._hashed[name] = str(path.with_suffix(f".{digest[:_HASH_CHARACTERS]}{path.suffix}"))


def install_assets(app: Flask, folder: Traversable) -> None:
    """Serve the folder under ``/static/``, and let ``url_for("static", …)`` name each file by its content."""
    assets = Assets(folder)

    @app.url_defaults
    def name_by_content(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values:
            values["filename"] = assets.hashed_name(values["filename"])

    @app.get("/static/<path:filename>", endpoint="static")
    def static(filename: str) -> Response:
        found = assets.find(filename)
        if found is None:
            abort(404)
        return _answer(*found)


def _answer(asset: Asset, named_by_content: bool) -> Response:
    small = len(asset.content) < _COMPRESSED_FROM_BYTES
    packed = not small and request.accept_encodings.quality("gzip") > 0
    response = Response(asset.compressed() if packed else asset.content, content_type=_with_charset(asset.content_type))
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    kept = f"public, max-age={KEPT_S}, immutable" if named_by_content else f"public, max-age={PLAIN_KEPT_S}"
    response.headers["Cache-Control"] = kept
    response.set_etag(asset.digest[:32] + ("-gzip" if packed else ""))
    response.make_conditional(request)
    return response


def _with_charset(content_type: str) -> str:
    return f"{content_type}; charset=utf-8" if content_type.startswith("text/") else content_type
