"""Files of the web: names by content, compression, and that what is vendored is what it says it is."""

import gzip
import hashlib
import re
from importlib import resources
from pathlib import Path

import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

from cloud.web.assets import install_assets

STATIC = resources.files("cloud.web") / "static"


@pytest.fixture
def app() -> Flask:
    app = Flask(__name__, static_folder=None)
    install_assets(app, STATIC)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def link(app: Flask, filename: str) -> str:
    with app.test_request_context():
        return url_for("static", filename=filename)


def test_links_name_the_content_and_are_kept_for_a_year(app: Flask, client: FlaskClient) -> None:
    address = link(app, "style.css")
    content = (STATIC / "style.css").read_bytes()
    assert address == f"/static/style.{hashlib.sha256(content).hexdigest()[:12]}.css"
    answer = client.get(address)
    assert answer.data == content
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
    assert client.get("/static/style.css").headers["Cache-Control"] == "public, max-age=3600"


def test_what_is_large_travels_compressed(app: Flask, client: FlaskClient) -> None:
    for name in ("style.css", "vendor/zxing_reader.wasm"):
        plain = (STATIC / name).read_bytes()
        answer = client.get(link(app, name), headers={"Accept-Encoding": "gzip, deflate, br"})
        assert answer.headers["Content-Encoding"] == "gzip"
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(answer.data) == plain
        assert len(answer.data) < len(plain) / 2
        assert client.get(link(app, name)).data == plain


def test_what_a_browser_has_is_not_sent_again(app: Flask, client: FlaskClient) -> None:
    first = client.get(link(app, "page.js"), headers={"Accept-Encoding": "gzip"})
    again = client.get(link(app, "page.js"), headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    plain = client.get(link(app, "page.js"))
    assert plain.headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize("name", ["nothing.css", "../app.py", "style.000000000000.css", "vendor/../../app.py", ""])
def test_nothing_else_is_served(client: FlaskClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


def test_decoder_has_the_type_that_browsers_compile_while_it_comes(app: Flask, client: FlaskClient) -> None:
    assert client.get(link(app, "vendor/zxing_reader.wasm")).headers["Content-Type"] == "application/wasm"


def test_vendored_files_are_unchanged_and_belong_together() -> None:
    folder = STATIC / "vendor"
    told = dict(re.findall(r"^\| `([^`]+)` .*?`([0-9a-f]{64})`", (folder / "README.md").read_text("utf-8"), re.MULTILINE))
    assert set(told) == {"barcode-detector.js", "zxing_reader.wasm"}
    for name, digest in told.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
    assert told["zxing_reader.wasm"] in (folder / "barcode-detector.js").read_text("utf-8")
    assert {Path(entry.name).suffix for entry in folder.iterdir()} == {".js", ".wasm", ".LICENSE", ".md"}
