"""The interface of merchants' programs: what a till and a book-keeping program do with it, and what they are told."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, func, select, update

from cloud.adapters.sql.connect import SqlKeyStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.tables import api_answer, confirmation, digit_try, merchant, redemption
from cloud.ports.people import Person
from cloud.services.accounts import Hand
from cloud.services.connect import revoke_key
from cloud.web.http_api.bodies import CheckRequest, OrderRequest, VoucherProof
from cloud.web.http_api.rates import REQUESTS_MAX
from cloud.web.staff import CHECKS_MAX
from tests.support.money import PLACES
from tests.support.web import NOW, Site, issue, open_site
from tests.support.web_api import Program, admit_program

pytest_plugins = ("tests.support.databases",)

DIGITS = {"566780776770": "4321", "409842918253": "8765", "000000000017": "1111"}
FIRST, SECOND, THIRD = DIGITS


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def web(engine: Engine) -> Site:
    site = open_site(engine)
    issue(site, DIGITS)
    return site


@pytest.fixture
def till(web: Site) -> Program:
    return admit_program(web)


def order_of(*numbers: str, total: int = 5050, item: str = "room") -> dict[str, Any]:
    vouchers = [{"voucher_no": number, "last_four": DIGITS.get(number, "0000")} for number in numbers]
    return {"vouchers": vouchers, "item_category": item, "order_total_twd": total}


def redemptions(web: Site) -> int:
    with web.engine.connect() as connection:
        return int(connection.scalar(select(func.count()).select_from(redemption)) or 0)


def test_a_till_checks_redeems_and_reads_its_order(web: Site, till: Program) -> None:
    checked = till.post("/checks", {"voucher_no": FIRST, "last_four": "4321"})
    assert checked.status_code == 200
    assert checked.json == checked.json | {"outcome": "checked", "voucher_no": FIRST, "face_value_twd": 1000}
    done = till.post("/orders", order_of(FIRST, SECOND))
    assert done.status_code == 201
    assert done.json == done.json | {"outcome": "redeemed", "voucher_count": 2, "redeemed_twd": 2000, "topup_twd": 3050}
    read = till.site.app.test_client().get(done.headers["Location"], headers={"Authorization": f"Bearer {till.key}"})
    assert read.status_code == 200
    assert read.json == read.json | {
        "redemption_id": done.json["request_id"],
        "reference": done.json["reference"],
        "voucher_nos": [FIRST, SECOND],
        "state": "unconfirmed",
        "site_id": "boan-lobby",
        "staff_id": till.key_id,
        "device_id": None,
    }
    page = web.visitor("boan-admin")
    page.get("/merchant/transactions")
    assert "POS 3" in page.page, "the key's name stands where a member of staff's would"


def test_the_same_request_is_answered_with_the_same_bytes(web: Site, till: Program) -> None:
    first = till.post("/orders", order_of(FIRST), once="till-3/42")
    web.clock.advance(hours=30)
    again = till.post("/orders", order_of(FIRST), once="till-3/42")
    assert (again.status_code, again.data, again.headers["Location"]) == (201, first.data, first.headers["Location"])
    assert redemptions(web) == 1
    refused = till.post("/orders", order_of(FIRST), once="another")
    assert (refused.status_code, refused.json["code"]) == (422, "already_redeemed")
    assert till.post("/orders", order_of(FIRST), once="another").data == refused.data


def test_another_body_under_the_same_key_is_refused(web: Site, till: Program) -> None:
    till.post("/orders", order_of(FIRST), once="one")
    for other in (order_of(SECOND), order_of(FIRST, total=1), order_of(FIRST, item="dining")):
        answer = till.post("/orders", other, once="one")
        assert (answer.status_code, answer.json["code"]) == (422, "idempotency_key_reused"), other
    assert redemptions(web) == 1


def test_other_digits_under_the_same_key_are_another_body(web: Site, till: Program) -> None:
    wrong = till.post("/checks", {"voucher_no": FIRST, "last_four": "0000"}, once="one")
    assert (wrong.status_code, wrong.json["code"], wrong.json["refusals"][0]["tries_left"]) == (422, "no_match", 4)
    right = till.post("/checks", {"voucher_no": FIRST, "last_four": "4321"}, once="one")
    assert right.json["code"] == "idempotency_key_reused"
    with web.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(digit_try)) == 1


def test_keys_of_two_programs_name_different_requests(web: Site, till: Program) -> None:
    other = admit_program(web, name="POS 4")
    assert till.post("/orders", order_of(FIRST), once="1").status_code == 201
    assert other.post("/orders", order_of(SECOND), once="1").status_code == 201
    assert redemptions(web) == 2


def test_the_same_order_sent_twice_at_once_redeems_once(web: Site, till: Program) -> None:
    answers: list[bytes] = []
    threads = [
        Thread(target=lambda: answers.append(till.post("/orders", order_of(FIRST, SECOND), once="x").data)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(answers)) == 1
    assert redemptions(web) == 1


def test_holds_are_held_against_others_and_let_go(web: Site, till: Program) -> None:
    other = admit_program(web, name="POS 4")
    held = till.post("/checks", {"voucher_no": FIRST, "last_four": "4321"})
    assert other.post("/orders", order_of(FIRST)).json["code"] == "held_elsewhere"
    let_go = till.post("/releases", {"vouchers": [FIRST], "visit_id": held.json["request_id"]})
    assert let_go.json["outcome"] == "released"
    assert other.post("/orders", order_of(FIRST)).status_code == 201


def test_a_refusal_says_why_in_the_language_that_is_asked_for(till: Program) -> None:
    till.post("/orders", order_of(FIRST))
    said = till.post("/orders", order_of(FIRST, SECOND), headers={"Accept-Language": "zh-TW"})
    assert said.content_type == "application/problem+json"
    assert said.headers["Content-Language"] == "zh-Hant-TW"
    assert said.json["type"] == "urn:voucher-kiosk:reason:already_redeemed"
    assert len(said.json["reference"]) == 7
    [refusal] = said.json["refusals"]
    assert refusal["voucher_no"] == FIRST
    assert refusal["site"]


def test_tries_are_worn_out_as_at_a_kiosk(till: Program) -> None:
    for left in (4, 3, 2, 1, 0):
        refused = till.post("/orders", order_of(FIRST) | {"vouchers": [{"voucher_no": FIRST, "last_four": "0000"}]})
        assert refused.json["refusals"][0]["tries_left"] == left
    assert till.post("/orders", order_of(FIRST)).json["code"] == "tries_exhausted"


def test_nobody_guesses_over_a_list_of_numbers(web: Site, till: Program) -> None:
    till.post("/orders", order_of(FIRST, SECOND, THIRD))
    for number in range(CHECKS_MAX - 3):
        till.post("/checks", {"voucher_no": f"{number:012d}", "last_four": "0000"})
    slow = till.post("/checks", {"voucher_no": FIRST, "last_four": "4321"})
    assert (slow.status_code, slow.json["code"]) == (429, "too_many_requests")
    assert 0 < int(slow.headers["Retry-After"]) <= 901
    web.clock.advance(minutes=15)
    assert till.post("/checks", {"voucher_no": FIRST, "last_four": "4321"}).status_code == 422


def test_a_body_that_does_not_fit_is_told_where(web: Site, till: Program) -> None:
    full_width = [{"voucher_no": "５６６７８０７７６７７０", "last_four": "4321"}]
    for body, pointer in (
        ({**order_of(FIRST), "order_total_twd": "5050"}, "/order_total_twd"),
        ({**order_of(FIRST), "order_total_twd": 5050.0}, "/order_total_twd"),
        ({**order_of(FIRST), "note": "x"}, ""),
        ({**order_of(FIRST, FIRST)}, "/vouchers"),
        ({**order_of(FIRST), "vouchers": []}, "/vouchers"),
        ({**order_of(FIRST), "vouchers": full_width}, "/vouchers/0/voucher_no"),
        ([], ""),
    ):
        answer = till.post("/orders", body)
        assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, pointer), answer.text
        assert "4321" not in answer.text
    assert redemptions(web) == 0


def test_what_is_no_request_is_no_request(web: Site, till: Program) -> None:
    client, own = web.app.test_client(), {"Authorization": f"Bearer {till.key}"}
    for path in ("/api/v1/orders", "/api/v1/nowhere"):
        assert client.get(path).content_type == "application/problem+json"
    assert client.get("/api/v1/orders", headers=own).headers["Allow"] == "OPTIONS, POST"
    once = own | {"Idempotency-Key": "a"}
    sent = client.post("/api/v1/orders", data=b"{", headers=once, content_type="application/json")
    assert (sent.status_code, sent.json["code"]) == (400, "bad_request")
    assert client.post("/api/v1/orders", data={"a": "b"}, headers=once).json["code"] == "unsupported_media_type"
    big = client.post("/api/v1/orders", data=b" " * 70_000, headers=once, content_type="application/json")
    assert big.json["code"] == "too_large"
    for wrong in ({}, {"Idempotency-Key": ""}, {"Idempotency-Key": "ä"}, {"Idempotency-Key": "x" * 256}):
        assert (
            client.post("/api/v1/orders", json=order_of(FIRST), headers=own | wrong).json["code"] == "idempotency_key_missing"
        )
    assert redemptions(web) == 0


def test_a_key_that_does_not_count_opens_nothing(web: Site, till: Program) -> None:
    brief = admit_program(web, days=90)
    for key in ("", "vk_", till.key[:-1], till.key + "a", till.key.lower(), "Bearer"):
        answer = web.app.test_client().get("/api/v1/key", headers={"Authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized"), key
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert web.app.test_client().get("/api/v1/key", headers={"Authorization": f"Basic {till.key}"}).status_code == 401
    admin = web.parts.people.find_person("boan-admin")
    assert isinstance(admin, Person)
    assert revoke_key(SqlKeyStore(web.engine), Hand(admin, web.clock.now(), ""), till.key_id)
    assert till.get("/key").status_code == 401
    web.clock.advance(days=90)
    assert brief.get("/key").status_code == 401


def test_revoking_counts_in_the_transaction_that_judges(web: Site, till: Program) -> None:
    """Even where a request has passed the door already."""
    with web.engine.begin() as connection:
        connection.execute(update(merchant).values(state="suspended"))
    refused = till.post("/orders", order_of(FIRST))
    assert (refused.status_code, refused.json["code"]) == (403, "merchant_not_active")


def test_guessing_keys_is_slowed_down(web: Site) -> None:
    client = web.app.test_client()
    seen = [client.get("/api/v1/key", headers={"Authorization": f"Bearer vk_{'a' * 43}"}).status_code for _ in range(61)]
    assert seen == [401] * 60 + [429]


def test_a_key_may_send_so_much_a_minute(web: Site, till: Program) -> None:
    first = till.get("/key")
    assert first.headers["RateLimit"] == f'"key";r={REQUESTS_MAX - 1};t=61'
    assert first.headers["RateLimit-Policy"] == f'"key";q={REQUESTS_MAX};w=60'
    for _ in range(REQUESTS_MAX - 1):
        till.get("/key")
    slow = till.get("/key")
    assert (slow.status_code, slow.headers["Retry-After"]) == (429, "61")
    web.clock.advance(seconds=60)
    assert till.get("/key").status_code == 200


def test_a_list_is_walked_through_without_a_gap(web: Site) -> None:
    books = admit_program(web, scopes=frozenset({"read"}))
    made = [str(web.till.redeem(NOW - timedelta(minutes=number // 3), order_total_twd=1000 + number)) for number in range(11)]
    web.till.redeem(NOW, place=PLACES[2])
    for sort, wanted in (("-redeemed_at", 1), ("redeemed_at", -1)):
        seen: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            query = {"limit": "4", "sort": sort} | ({"cursor": cursor} if cursor else {})
            page = books.get("/transactions", query_string=query).json
            seen += page["rows"]
            cursor = page["next"]
        assert sorted(row["redemption_id"] for row in seen) == sorted(made)
        assert [row["redeemed_at"] for row in seen] == sorted((row["redeemed_at"] for row in seen), reverse=wanted > 0)


def test_a_cursor_is_of_one_list(web: Site) -> None:
    books = admit_program(web)
    for number in range(3):
        web.till.redeem(NOW - timedelta(minutes=number))
    cursor = books.get("/transactions?limit=1").json["next"]
    for path in (
        f"/transactions?limit=1&state=unconfirmed&cursor={cursor}",
        f"/claims?cursor={cursor}",
        f"/transactions?cursor={cursor[:-2]}",
        "/transactions?cursor=%00",
        "/transactions?cursor=gaNub3c",
    ):
        answer = books.get(path)
        assert (answer.status_code, answer.json["code"]) == (400, "bad_cursor"), path


def test_a_query_that_does_not_fit_is_refused(till: Program) -> None:
    days = ("first_day=yesterday", "first_day=0001-01-01")
    for query in (
        "limit=0",
        "limit=201",
        "limit=ten",
        "page=2",
        "limit=1&limit=2",
        "state=lost",
        "state=null",
        *days,
    ):
        answer = till.get(f"/transactions?{query}")
        assert (answer.status_code, answer.json["code"]) == (400, "bad_request"), query
        assert answer.json["errors"]


def test_what_one_has_already_is_not_sent_again(till: Program) -> None:
    first = till.get("/item-categories")
    again = till.get("/item-categories", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert till.get("/transactions", headers={"If-None-Match": first.headers["ETag"]}).status_code == 200


def test_confirming_is_done_once_and_answered_for_ever(web: Site, till: Program) -> None:
    ids = [str(web.till.redeem(NOW)) for _ in range(3)]
    foreign = str(web.till.redeem(NOW, place=PLACES[2]))
    done = till.post("/confirmations", {"redemption_ids": [ids[0], foreign]}, once="c1")
    assert (done.status_code, done.json["redemption_count"], done.json["amount_twd"]) == (201, 1, 1000)
    web.clock.advance(days=2)
    assert till.post("/confirmations", {"redemption_ids": [ids[0], foreign]}, once="c1").data == done.data
    other = till.post("/confirmations", {"all": True}, once="c1")
    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert till.post("/confirmations", {"all": True}).json["redemption_count"] == 2
    rows = till.get("/confirmations").json["rows"]
    assert [row["redemption_id"] for row in rows] == ids
    assert till.get(f"/transactions/{ids[0]}").json["state"] == "confirmed"
    with web.engine.connect() as connection:
        assert set(connection.scalars(select(confirmation.c.staff_id))) == {till.key_id}
        assert connection.scalar(select(func.count()).select_from(api_answer)) == 2


def test_confirming_is_of_some_or_of_all(till: Program) -> None:
    for body in ({}, {"all": True, "redemption_ids": [str(UUID(int=1))]}, {"all": False}):
        assert till.post("/confirmations", body).status_code == 422, body


def test_no_answer_ever_sets_or_reads_a_cookie(web: Site, till: Program) -> None:
    admin = web.visitor("boan-admin")
    assert admin.get("/api/v1/transactions").status_code == 401
    for answer in (till.get("/key"), till.get("/nowhere"), till.post("/orders", order_of(FIRST))):
        assert "Set-Cookie" not in answer.headers
    web.clock.advance(hours=13)  # a page would now take the cookie away
    answer = admin.client.get("/api/v1/key", headers={"Authorization": f"Bearer {till.key}"})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers


def test_digits_are_in_no_file_log_or_answer(web: Site, till: Program, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    right, wrong = "7Q9Z", "8W6Y"
    issue(web, {"777777777777": right})
    order = order_of(FIRST) | {"vouchers": [{"voucher_no": "777777777777", "last_four": wrong}]}
    answers = [till.post("/orders", order), till.post("/checks", {"voucher_no": "777777777777", "last_four": right})]
    answers += [till.post("/orders", order | {"vouchers": [{"voucher_no": "777777777777", "last_four": right}]})]
    answers += [till.post("/checks", {"voucher_no": right, "last_four": wrong}), till.post("/checks", {"last_four": right * 2})]
    assert [answer.status_code for answer in answers] == [422, 200, 201, 422, 422]
    database = Path(str(web.engine.url.database))
    kept = b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
    assert b"777777777777" in kept
    for digits in (right, wrong):
        assert digits.encode() not in kept
        assert digits not in caplog.text
        assert not any(digits in answer.text for answer in answers)
    assert right not in repr(
        OrderRequest(vouchers=[VoucherProof(voucher_no="1", last_four=right)], item_category="", order_total_twd=1)
    )
    assert right not in repr(CheckRequest(voucher_no="1", last_four=right))


def test_the_document_is_served_as_it_is_kept(web: Site) -> None:
    served = web.app.test_client().get("/api/openapi.json")
    assert served.status_code == 200
    assert json.loads(served.data)["openapi"] == "3.1.0"
