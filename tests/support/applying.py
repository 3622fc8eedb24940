"""A business that applies: what it types, its papers, and its application brought to a state through the pages themselves."""

import io
from typing import Any
from uuid import UUID

from sqlalchemy import select

from cloud.adapters.sql.tables import application, application_paper
from tests.support.web import Site, Visitor

UBN = "10458575"
"""Valid under the rule of 2023 alone: its seventh digit is 7."""
OWNER_ID = "A123456789"
LOGIN, PASSWORD = "shanlan", "seven quiet herons"
CATEGORY = "lodging"
NAME = "山嵐民宿"

FIRST = {
    "merchant_category": CATEGORY, "name_zh": NAME, "ubn": UBN, "name": "鄭宇恩", "login": LOGIN, "password": PASSWORD,
}  # fmt: skip
WHOLE = {
    "name_zh": NAME, "name_en": "Mountain Mist Inn", "ubn": UBN, "licence_no": "南投縣民宿 1234 號", "sole_owner": "1",
    "owner_id": OWNER_ID, "address": "南投縣仁愛鄉信義路 8 號", "contact_name": "鄭宇恩", "phone": "049-2801-234",
    "email": "stay@shanlan.example.tw",
}  # fmt: skip

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
JPEG = b"\xff\xd8\xff\xe0" + bytes(40) + b"\xff\xd9"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(30) + b"IEND\xaeB`\x82"


def begin(site: Site, **changes: str) -> Visitor:
    """Begin an application; return its applicant, signed in."""
    visitor = site.visitor()
    visitor.get("/apply")
    answer = visitor.post("/apply", FIRST | changes)
    assert answer.location == "/application/", visitor.page
    visitor.get("/application/")
    return visitor


def files(registration: bytes = PDF, licence: bytes = JPEG) -> dict[str, Any]:
    """The two papers, as a browser sends them."""
    return {"paper_registration": (io.BytesIO(registration), "登記.pdf"), "paper_licence": (io.BytesIO(licence), "執照.jpg")}


def send(visitor: Visitor, **changes: Any) -> None:
    """Fill in everything and send it."""
    visitor.get("/application/")
    answer = visitor.post("/application/", WHOLE | files() | {"submit": "1"} | changes)
    assert answer.location == "/application/", visitor.page


def application_id(site: Site, name: str = NAME) -> UUID:
    """Of the one application that has this name."""
    with site.engine.connect() as connection:
        found = connection.scalar(select(application.c.application_id).where(application.c.name_zh == name))
    assert found is not None
    return found


def decide(site: Site, reviewer: Visitor, decision: str, reason: str = "", **more: Any) -> None:
    """Decide on the application as a reviewer who looks at it first."""
    path = f"/office/applications/{application_id(site)}"
    reviewer.get(path)
    reviewer.post(f"{path}/decide", {"decision": decision, "reason": reason} | more)


def sign_in(site: Site) -> Visitor:
    """The applicant, or the merchant's admin that it became, in another browser."""
    visitor = site.visitor()
    visitor.sign_in(CATEGORY, LOGIN, PASSWORD)
    return visitor


def approved(site: Site) -> Visitor:
    """A merchant that was approved: its admin, signed in."""
    send(begin(site))
    decide(site, site.visitor("reviewer-1"), "approve")
    return sign_in(site)


def papers_of(site: Site) -> tuple[UUID, UUID]:
    """The one application, and the first of its papers."""
    with site.engine.connect() as connection:
        wanted = select(application_paper.c.application_id, application_paper.c.paper_id)
        row = connection.execute(wanted.order_by(application_paper.c.paper_id)).first()
    assert row is not None
    return row.application_id, row.paper_id


def play_applications(site: Site) -> None:
    """Applications in four states, a merchant on its first day, and a payout account that was just named; for pictures."""
    send(begin(site))
    begin(site, name_zh="溪頭森林旅店", login="xitou", ubn="04595257")
    judge = site.visitor("reviewer-1")
    for name, login, ubn, decision, reason in (
        ("霧台會館", "wutai", "52582816", "return", "登記證的影本看不清楚，請重新拍照上傳。"),
        ("日光旅店", "sun", "24634102", "approve", ""),
    ):
        send(begin(site, name_zh=name, login=login, ubn=ubn), name_zh=name, ubn=ubn)
        path = f"/office/applications/{application_id(site, name)}"
        judge.get(path)
        judge.post(f"{path}/decide", {"decision": decision, "reason": reason})
    admin = site.visitor("yunling-admin")
    admin.get("/merchant/payout-account")
    account = {"bank": "812", "branch": "0012", "account_no": "20881001234567", "account_no_again": "20881001234567"}
    admin.post("/merchant/payout-account", account | {"account_name": "雲嶺森林樂園股份有限公司", "payee_id": "00488240"})
