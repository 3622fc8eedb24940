"""What may be posted to, and what a hostile server can do: nothing."""

import time
from collections.abc import Sequence

import pytest

from cloud.adapters.webhook_post import WebhookPost, is_public
from cloud.domain.webhooks import is_usable_url
from tests.support.webhook_server import listening

PRIVATE = [
    "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
    "255.255.255.255", "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::", "198.18.0.1", "nonsense", "",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


def test_private_addresses_are_not_public() -> None:
    assert [address for address in PRIVATE if is_public(address)] == []
    assert [address for address in PUBLIC if not is_public(address)] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://pos.example.tw/hook", "ftp://pos.example.tw/", "https://", "https:///x", "https://user:pw@pos.example.tw/",
        "https://pos.example.tw/#a", "https://pos.example.tw:0/", "https://pos.example.tw:99999/", "https://pos example.tw/",
        "https://pos.example.tw\\@evil.example/", "https://飯店.tw/", "javascript:alert(1)", "//pos.example.tw", "", "https://[::1",
        "https://pos.example.tw/" + "a" * 500, "https://pos.example.tw/\r\nX: y", "https://-/",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_one(url: str) -> None:
    assert not is_usable_url(url, plain_http=False)


def test_addresses_that_can_be_one() -> None:
    for url in (
        "https://pos.example.tw/hook?a=1",
        "https://pos.example.tw:8443/",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
    ):
        assert is_usable_url(url, plain_http=False), url
    assert is_usable_url("http://127.0.0.1:8000/hook", plain_http=True)


def _post(url: str, addresses: Sequence[str], *, private: bool = False) -> tuple[int | None, str]:
    done = WebhookPost(private=private, resolve=lambda _host, _port: addresses, total_s=2)(url, b"{}", {})
    return done.status, done.problem


def test_nothing_is_sent_into_our_own_network() -> None:
    with listening() as listener:
        port = listener.address.rpartition(":")[2]
        for addresses in (["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], []):
            assert _post(f"https://pos.example.tw:{port}/", addresses) == (None, "address_not_allowed"), addresses
        assert listener.received == []


def test_the_address_that_was_looked_at_is_the_one_that_is_reached() -> None:
    """A name that answers differently the second time is never asked a second time."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    with listening() as listener:
        port = listener.address.rpartition(":")[2]
        post = WebhookPost(private=True, resolve=lambda _host, _port: answers.pop(0))
        assert post(f"http://pos.example.tw:{port}/hook", b"{}", {"webhook-id": "msg_1"}).status == 204
        [(headers, _)] = listener.received
        assert headers["host"] == f"pos.example.tw:{port}"
        assert len(answers) == 1


def test_a_redirect_is_no_answer_and_is_not_followed() -> None:
    with listening() as inside, listening() as listener:
        listener.status, listener.location = 302, inside.address
        assert _post(f"{listener.address}/", ["127.0.0.1"], private=True) == (302, "")
        assert inside.received == []


def test_a_server_that_drips_bytes_holds_nobody() -> None:
    with listening() as listener:
        listener.slow_s = 0.02
        began = time.monotonic()
        post = WebhookPost(private=True, total_s=0.5)
        assert post(f"{listener.address}/", b"{}", {}).problem == "too_slow"
        assert time.monotonic() - began < 3


def test_a_server_without_tls_or_without_anything() -> None:
    with listening() as listener:
        secure = listener.address.replace("http:", "https:")
        assert _post(f"{secure}/", ["127.0.0.1"], private=True)[1] == "certificate"
    assert _post(f"{listener.address}/", ["127.0.0.1"], private=True) == (None, "no_answer")
