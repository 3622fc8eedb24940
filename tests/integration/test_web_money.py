"""Money on the pages: confirming with an undo, disputes, files that say what the screen says, and payouts by two people."""

import csv
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID
from xml.etree import ElementTree

import pytest
from pypdf import PdfReader
from sqlalchemy import Engine, insert, select, update

from cloud.adapters.sql.corrections import SqlCorrectionStore
from cloud.adapters.sql.engine import make_engine
from cloud.adapters.sql.people import SqlPeople
from cloud.adapters.sql.tables import merchant, parked_message, payout_file
from cloud.domain.capital_numerals import capital_numerals
from cloud.ports.audit import AuditSearch
from cloud.ports.money_reports import ClaimDetail
from cloud.services.confirm import confirm_all
from cloud.services.correct import Wish, correct
from cloud.services.settle import settle_due
from tests.support.bank import answer_p01, read_p01
from tests.support.setups import PLACES
from tests.support.web import Site, Visitor, enrol_device, open_site

pytest_plugins = ("tests.support.databases",)

FRIDAY = datetime(2026, 11, 13, 4, 0, tzinfo=UTC)
"""In the week of Wednesday 11 November, Taipei."""

SPREADSHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
HOTEL_ACCOUNT = "3001987654"


@pytest.fixture
def engine(sqlite_url: str) -> Iterator[Engine]:
    engine = make_engine(sqlite_url)
    yield engine
    engine.dispose()


@pytest.fixture
def site(engine: Engine) -> Site:
    return open_site(engine, now=FRIDAY)


def ids_on(visitor: Visitor) -> list[str]:
    return re.findall(r'name="id" value="([0-9a-f-]{36})"', visitor.page)


def settle(site: Site) -> ClaimDetail:
    """Confirm everything of the hotel and the park, close the week; return the hotel's claim."""
    for merchant_id in ("boan-hotel", "yunling-park"):
        confirm_all(site.parts.confirmations, merchant_id=merchant_id, staff_id="boan-admin", now=site.clock.now())
    site.clock.advance(days=7)
    settle_due(site.parts.money.settlements, now=site.clock.now())
    (row,) = site.parts.reports.claims(merchant_id="boan-hotel")
    claim = site.parts.money.reports.find_claim(row.claim_id, merchant_id="boan-hotel")
    assert claim is not None
    return claim


def test_filters_live_in_the_address_and_say_what_they_keep(site: Site) -> None:
    site.till.redeem(FRIDAY, order_total_twd=1111)
    site.till.redeem(FRIDAY, place=PLACES[2], order_total_twd=2222)
    row = site.till.redeem(FRIDAY - timedelta(days=1), vouchers=2, order_total_twd=3333)
    found = site.parts.reports.find_transaction(row, merchant_id="boan-hotel")
    assert found is not None
    visitor = site.visitor("boan-admin")
    typed = " ".join((found.voucher_nos[1][:6], found.voucher_nos[1][6:]))
    visitor.get("/merchant/transactions", query_string={"voucher": typed})
    assert "3,333" in visitor.page
    assert "1,111" not in visitor.page
    for query in ("by=boan-scan-1", "site=boan-lobby", "from=2026-11-12", "state=unconfirmed"):
        visitor.get(f"/merchant/transactions?{query}")
        assert "共 2 筆，" in visitor.page, query
        assert "2,222" not in visitor.page
    for query in ("by=yunling-scan-1", "site=yunling-gate", "from=2026-11-14", "voucher=12", "state=disputed"):
        visitor.get(f"/merchant/transactions?{query}")
        assert "沒有符合條件的交易" in visitor.page, query


def test_what_is_ticked_is_looked_at_confirmed_and_taken_back(site: Site) -> None:
    for _ in range(3):
        site.till.redeem(FRIDAY)
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/transactions")
    first, second, _ = ids_on(visitor)
    assert visitor.get(f"/merchant/confirm?id={first}&id={second}&id=nonsense&id={UUID(int=5)}").status_code == 200
    assert "將確認 2 筆交易，抵用 2 張" in visitor.page
    visitor.post("/merchant/confirm", {"id": [first, second]})
    visitor.get("/merchant/transactions?state=confirmed")
    assert "已確認 2 筆交易" in visitor.page
    assert "共 2 筆，" in visitor.page
    site.clock.advance(minutes=9)
    visitor.get("/merchant/claims")
    visitor.post("/merchant/undo")
    visitor.get("/merchant/transactions?state=unconfirmed")
    assert "已復原 2 筆" in visitor.page
    assert "共 3 筆，" in visitor.page


def test_undo_is_offered_for_ten_minutes_and_to_this_merchant_only(site: Site) -> None:
    site.till.redeem(FRIDAY)
    visitor, other = site.visitor("boan-admin"), site.visitor("yunling-admin")
    visitor.get("/merchant/confirm-all")
    visitor.post("/merchant/confirm-all")
    visitor.get("/merchant/claims")
    fields = visitor.hidden_fields("/merchant/undo")
    other.get("/")
    other.post("/merchant/undo", other.hidden_fields("/sign-out") | {"confirmed_at": fields["confirmed_at"]}, hidden=False)
    visitor.get("/merchant/claims?state=confirmed")
    assert "總請款金額" in visitor.page
    assert "1,000" in visitor.page
    site.clock.advance(minutes=11)
    visitor.get("/merchant/claims")
    assert 'action="/merchant/undo"' not in visitor.page
    visitor.post("/merchant/undo", fields, hidden=False)
    visitor.get("/merchant/transactions")
    assert "不能復原" in visitor.page
    assert "已確認" in visitor.page


def test_confirming_all_confirms_what_was_looked_at(site: Site) -> None:
    site.till.redeem(FRIDAY)
    site.till.redeem(FRIDAY, place=PLACES[1])
    visitor = site.visitor("boan-admin")
    visitor.get("/merchant/confirm-all?by=boan-scan-1")
    assert "將確認 2 筆" in visitor.page
    site.clock.advance(minutes=1)
    site.till.redeem(site.clock.now())
    visitor.post("/merchant/confirm-all?by=boan-scan-1")
    visitor.get("/merchant/transactions?state=unconfirmed")
    assert "共 1 筆，" in visitor.page


def test_a_dispute_goes_to_the_office_and_comes_back(site: Site) -> None:
    wrong = site.till.redeem(FRIDAY, order_total_twd=5050)
    site.till.redeem(FRIDAY)
    visitor, path = site.visitor("boan-admin"), f"/merchant/transactions/{wrong}"
    visitor.get(f"{path}/dispute")
    visitor.post(f"{path}/dispute", {"reason": " "})
    assert "請說明哪裡有問題" in visitor.page
    visitor.post(f"{path}/dispute", {"reason": "<script>金額</script>"})
    visitor.get(path)
    assert "爭議中" in visitor.page
    assert "<script>金額" not in visitor.page
    visitor.get("/merchant/confirm-all")
    assert "將確認 1 筆交易" in visitor.page
    assert "爭議中的 1 筆不在內" in visitor.page
    foreign = site.visitor("yunling-admin")
    assert foreign.get(f"{path}/dispute").status_code == 404
    office = site.visitor("finance-1")
    office.get("/office/cases")
    assert "業者提出爭議" in office.page
    case = f"/office/cases/disputed/{wrong}"
    office.get(case)
    assert "5,050" in office.page
    for verb, detail in (("take", ""), ("note", "已致電"), ("stands", "")):
        office.post(case, {"verb": verb, "detail": detail})
    assert "請填寫原因" in office.page
    office.get(case)
    assert "葉心怡 開始承辦" in office.page
    assert "已致電" in office.page
    office.post(case, {"verb": "stands", "detail": "金額正確"})
    assert office.get(case).status_code == 404, "it is resolved"
    assert office.get("/office/cases/disputed/nonsense").status_code == 404
    visitor.get(path)
    assert "金額正確" in visitor.page
    assert "確認這筆交易" in visitor.page


def test_messages_are_closed_with_a_reason_and_kiosks_are_not(site: Site) -> None:
    enrol_device(site, "kiosk-boan22", "boan-lobby", presence="lost")
    with site.engine.begin() as connection:
        row = {"parked_at": FRIDAY, "topic": "vk/v1/x", "problem": "no such kiosk", "payload_sha256": b""}
        connection.execute(insert(parked_message).values(**row))
        connection.exec_driver_sql("UPDATE device_presence SET pending = 3")
    office, auditor = site.visitor("office-1"), site.visitor("auditor-1")
    auditor.get("/office/cases")
    assert "3 筆訂單尚未得到回覆" in auditor.page
    office.get("/office/cases/pending/kiosk-boan22")
    assert office.post("/office/cases/pending/kiosk-boan22", {"verb": "resolve", "detail": "x"}).status_code == 400
    office.get("/office/cases/parked/1")
    office.post("/office/cases/parked/1", {"verb": "resolve", "detail": "測試機"})
    assert office.get("/office/cases/parked/1").status_code == 404


def test_screen_pdf_csv_and_xlsx_of_a_claim_agree_to_the_dollar(site: Site) -> None:
    for number in range(31):
        site.till.redeem(FRIDAY - timedelta(hours=number), vouchers=1 + number % 3, order_total_twd=4999 + number)
    site.till.redeem(FRIDAY, place=PLACES[2], vouchers=7)
    claim = settle(site)
    site.till.redeem(site.clock.now(), vouchers=5)
    visitor = site.visitor("boan-admin")
    visitor.get(f"/merchant/claims?period=2026-11-11&size=50&batch={claim.claim_id}")
    files = re.findall(r'href="(/merchant/transactions\.(?:csv|xlsx)\?[^"]+)"', visitor.page)
    by_csv, by_xlsx = (_read(visitor, path.replace("&amp;", "&")) for path in files)
    assert by_csv == by_xlsx
    assert (sum(row[1] for row in by_csv), sum(row[2] for row in by_csv)) == (claim.voucher_count, claim.amount_twd)
    on_screen = re.findall(r'class="no">(\d{12})<', visitor.page)
    assert sorted(row[0].split()[0] for row in by_csv) == sorted(on_screen)
    assert f"{claim.amount_twd:,}\u2009元" in visitor.page
    pages = PdfReader(io.BytesIO(fetch(visitor, f"/merchant/claims/{claim.claim_id}/statement.pdf"))).pages
    said = "".join("".join(page.extract_text().split()) for page in pages)
    assert len(pages) == 2
    assert f"{claim.amount_twd:,}元" in said
    assert capital_numerals(claim.amount_twd) in said
    assert f"合計{claim.voucher_count}張，{claim.amount_twd:,}元" in said
    printed = [int(one.replace(",", "")) for one in re.findall(r"本頁\d+張，([\d,]+)元", said)]
    assert (len(printed), sum(printed)) == (2, claim.amount_twd)
    assert all(row[0].split()[0] in said for row in by_csv)
    assert "泊岸旅館股份有限公司" in said
    assert HOTEL_ACCOUNT not in said, "an account is not printed whole"


def test_screen_pdf_csv_and_xlsx_agree_on_what_is_set_off_and_paid(site: Site) -> None:
    wrong, *_ = [site.till.redeem(FRIDAY, vouchers=vouchers) for vouchers in (2, 3)]
    site.till.redeem(FRIDAY, place=PLACES[2], vouchers=4)
    wish = Wish(wrong, "房客未入住", "finance-1", 1_500)
    correct(SqlCorrectionStore(site.engine), SqlPeople(site.engine), wish, now=FRIDAY)
    claim = settle(site)
    assert (claim.amount_twd, claim.set_off_twd, claim.payable_twd) == (5_000, 1_500, 3_500)
    says = "更正扣抵 1,500\u2009元，實付 3,500\u2009元"
    owner, office = site.visitor("boan-admin"), site.visitor("finance-1")
    owner.get(f"/merchant/claims?period=2026-11-11&batch={claim.claim_id}")
    assert says in owner.page
    office.get(f"/office/claims/{claim.claim_id}")
    assert all(f">{amount}\u2009元<" in office.page for amount in ("5,000", "1,500", "3,500"))
    office.get("/office/settlements/2026-11-11")
    assert office.page.count(says) == 1, "of the claim"
    assert "更正扣抵 1,500\u2009元，實付 7,500\u2009元" in office.page, "of the week"
    for visitor, path in ((owner, f"/merchant/transactions.{{}}?claim={claim.claim_id}"),
                          (office, f"/office/claims/{claim.claim_id}/rows.{{}}")):  # fmt: skip
        by_csv, by_xlsx = (_read(visitor, path.format(kind)) for kind in ("csv", "xlsx"))
        assert by_csv == by_xlsx
        assert by_csv[-1] == ("", 0, -1_500)
        assert (sum(row[1] for row in by_csv), sum(row[2] for row in by_csv)) == (5, 3_500)
        assert says.encode() in fetch(visitor, path.format("csv"))
    assert _read(owner, f"/merchant/transactions.csv?claim={claim.claim_id}&site=nowhere") == []
    pages = PdfReader(io.BytesIO(fetch(owner, f"/merchant/claims/{claim.claim_id}/statement.pdf"))).pages
    said = "".join("".join(page.extract_text().split()) for page in pages)
    assert "合計5張，5,000元更正扣抵1,500元，實付3,500元" in said
    assert f"實付金額新臺幣{capital_numerals(3_500)}" in said
    assert "−1,500元" in said
    assert site.parts.money.reports.to_pay().ready_twd == 7_500
    with site.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(account_no=None))
    paying = site.parts.money.reports.to_pay()
    assert (paying.ready_twd, paying.no_account_twd) == (4_000, 3_500)
    (entry,) = site.parts.programmes.audit.search(AuditSearch(action="redemption.corrected"), page_size=5).rows
    assert (entry.entry.fact.actor, entry.entry.fact.object_id) == ("finance-1", str(wrong))


def fetch(visitor: Visitor, path: str) -> bytes:
    """A file, whole."""
    answer = visitor.client.get(path)
    assert answer.status_code == 200
    content = answer.get_data()
    answer.close()
    return content


def _read(visitor: Visitor, path: str) -> list[tuple[str, int, int]]:
    """Voucher numbers, vouchers and amount of each row of a file."""
    content = fetch(visitor, path)
    if ".csv" in path:
        assert content.startswith(b"\xef\xbb\xbf")
        rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    else:
        rows = _cells(content)
    assert rows[0][:5] == ["交易日期", "交易券號", "抵用張數", "交易總額", "抵用金額"]
    return [(row[1], int(row[2]), int(row[4])) for row in rows[1:]]


def _cells(content: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheet = ElementTree.fromstring(book.read("xl/worksheets/sheet1.xml"))
    return [["".join(cell.itertext()) for cell in row.findall(f"{SPREADSHEET}c")] for row in sheet.iter(f"{SPREADSHEET}row")]


def test_statement_and_rows_of_another_merchants_claim_are_not_there(site: Site) -> None:
    site.till.redeem(FRIDAY)
    claim = settle(site)
    foreign = site.visitor("yunling-admin")
    assert foreign.get(f"/merchant/claims/{claim.claim_id}/statement.pdf").status_code == 404
    csv_of_it = fetch(foreign, f"/merchant/transactions.csv?claim={claim.claim_id}").decode("utf-8-sig")
    assert len(csv_of_it.splitlines()) == 1, "the head alone"
    office = site.visitor("auditor-1")
    assert office.get("/office/settlements/2026-11-11").status_code == 200
    assert office.get(f"/office/claims/{claim.claim_id}").status_code == 200
    assert fetch(office, f"/office/claims/{claim.claim_id}/rows.csv").decode("utf-8-sig").count("\r\n") == 2
    assert office.get("/office/settlements/2026-11-18").status_code == 404


def test_settling_from_the_page_once_and_again(site: Site) -> None:
    site.till.redeem(FRIDAY)
    confirm_all(site.parts.confirmations, merchant_id="boan-hotel", staff_id="boan-admin", now=FRIDAY)
    site.clock.advance(days=7)
    office = site.visitor("finance-1")
    office.get("/office/settlements")
    assert "尚未結算" in office.page
    fields = office.hidden_fields("/office/settlements")
    office.post("/office/settlements")
    office.get("/office/settlements/2026-11-11")
    assert "已結算 1 週：1 筆請款，共 1,000" in office.page
    office.post("/office/settlements", fields, hidden=False)
    office.get("/office/settlements")
    assert "沒有需要結算的週" in office.page


def test_payout_return_mended_account_and_payout_again(site: Site) -> None:
    site.till.redeem(FRIDAY, vouchers=2)
    site.till.redeem(FRIDAY, place=PLACES[2], vouchers=3)
    settle(site)
    content = pay(site, "finance-1", "finance-2")
    assert sum(one.amount_twd for one in read_p01(content).payments) == 5_000
    answer = answer_p01(content, failures={HOTEL_ACCOUNT: "22"}, answered_on=site.clock.now().date() + timedelta(days=3))
    finance = site.visitor("finance-1")
    finance.get("/office/returns")
    finance.post("/office/returns", {"answer": (io.BytesIO(b"BOFACHR01"), "r.txt")})
    assert "這不是銀行的回覆檔" in finance.page
    where = finance.post("/office/returns", {"answer": (io.BytesIO(answer), "r.txt")}).location
    finance.get(where)
    assert "帳戶已結清" in finance.page
    assert "泊岸旅館" in finance.page
    finance.get("/office/cases?kind=returned")
    assert "沒有待處理的事" in finance.page, "a preview changes nothing"
    finance.get(where)
    fields = finance.hidden_fields(where)
    finance.post(where)
    finance.get("/office/cases?kind=returned")
    assert "帳戶已結清" in finance.page
    assert "1 筆入帳，1 筆退匯" in finance.page
    finance.post(where, fields, hidden=False)
    finance.get("/office/payouts")
    assert "先前已套用" in finance.page
    assert finance.get(where).status_code == 404
    finance.get("/office/payouts")
    assert "帳戶未更正的 1 筆" in finance.page
    finance.post("/office/payouts", {"format": "ach_p01"})
    finance.get("/office/payouts")
    assert "目前沒有可以撥款的請款" in finance.page
    with site.engine.begin() as connection:
        connection.execute(update(merchant).where(merchant.c.merchant_id == "boan-hotel").values(account_no="30019876"))
    again = pay(site, "finance-2", "finance-1")
    assert [(one.account_no[-8:], one.amount_twd) for one in read_p01(again).payments] == [("30019876", 2_000)]
    finance.get("/office/cases?kind=returned")
    assert "沒有待處理的事" in finance.page


def pay(site: Site, prepares: str, releases: str) -> bytes:
    """One prepares, is refused, another releases; return what the bank gets."""
    first, second = site.visitor(prepares), site.visitor(releases)
    first.get("/office/payouts")
    run = first.post("/office/payouts", {"format": "ach_p01"}).location
    first.get(run)
    assert f'action="{run}/release"' not in first.page
    first.post(f"{run}/release", first.hidden_fields("/sign-out"), hidden=False)
    assert "製作的人不能放行" in first.page
    assert first.get(f"{run}/file").status_code == 404, "no file before the release"
    second.get(run)
    released = second.post(f"{run}/release")
    assert released.location == run, released.location
    second.get(run)
    assert "已放行" in second.page
    return fetch(second, f"{run}/file")


def test_release_asks_for_a_fresh_proof(site: Site) -> None:
    site.till.redeem(FRIDAY)
    settle(site)
    first, second = site.visitor("finance-1"), site.visitor("finance-2")
    first.get("/office/payouts")
    run = first.post("/office/payouts", {"format": "pain_001"}).location
    second.get(run)
    with second.client.session_transaction() as session:
        session["fs_paa"] = 0  # when they proved themselves: long ago
    answer = second.post(f"{run}/release")
    assert answer.location.startswith("/account/verify")
    with site.engine.connect() as connection:
        assert connection.execute(select(payout_file.c.file_no)).all() == []


def test_a_run_is_withdrawn_with_a_reason_and_waits_for_nobody(site: Site) -> None:
    site.till.redeem(FRIDAY)
    settle(site)
    first = site.visitor("finance-1")
    first.get("/office/payouts")
    run = first.post("/office/payouts", {"format": "ach_p01"}).location
    first.get("/office/payouts")
    assert "第 1 批待覆核" in first.page
    assert 'id="format"' not in first.page, "one run at a time"
    first.get(run)
    first.post(f"{run}/withdraw", {"reason": " "})
    assert "請填寫撤銷原因" in first.page
    first.post(f"{run}/withdraw", {"reason": "金額待查"})
    first.get(run)
    assert "金額待查" in first.page
    first.get("/office/payouts")
    assert 'id="format"' in first.page


def test_a_file_has_a_name_and_is_kept_by_nobody(site: Site) -> None:
    answer = site.visitor("boan-admin").client.get("/merchant/transactions.csv")
    answer.close()
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="transactions-2026-11-13.csv"'
