"""The table of operations, and the blueprint that serves them with their document."""

import json
from collections.abc import Sequence
from typing import Final

from flask import Blueprint, Response, render_template, request

from cloud.ports.connect import Scope
from cloud.web.access import everybody
from cloud.web.http_api import bodies
from cloud.web.http_api.document import api_document
from cloud.web.http_api.lists import Lists
from cloud.web.http_api.operations import Operation, add_operation
from cloud.web.http_api.parts import ApiParts
from cloud.web.http_api.problems import KINDS, REASONS, reason_status
from cloud.web.http_api.rates import RateMeter
from cloud.web.http_api.till import Till
from cloud.web.language import catalogues
from cloud.web.session import HTTP_API
from protocol.messages import CheckAccepted, RedeemAccepted, Released

_ANY: Final[frozenset[Scope]] = frozenset()
_REDEEM: Final[frozenset[Scope]] = frozenset({"redeem"})
_READ: Final[frozenset[Scope]] = frozenset({"read"})
_CONFIRM: Final[frozenset[Scope]] = frozenset({"confirm"})


def operations_of(parts: ApiParts) -> list[Operation]:
    """Every operation, in the order of the document."""
    till, lists = Till(parts), Lists(parts)
    page = bodies.PageQuery
    return [
        Operation(
            "checkVoucher", "POST", "/checks", _REDEEM, "Check a voucher and hold it", CheckAccepted, till.check,
            description="A courtesy before the order: tells the face value, and keeps others from taking the voucher for five "
            "minutes. An order does not need it.",
            tag="till", body=bodies.CheckRequest, judged=True,
        ),
        Operation(
            "redeemOrder", "POST", "/orders", _REDEEM, "Redeem an order, for good", RedeemAccepted, till.redeem,
            description="All vouchers or none. There is no way back: vouchers cannot be returned to the holder. Where no "
            "answer comes, whether it was done is not known: send the same request with the same Idempotency-Key until one "
            "does. The first answer stays the answer.",
            tag="till", status=201, body=bodies.OrderRequest, judged=True,
        ),
        Operation(
            "getOrder", "GET", "/orders/{redemption_id}", _REDEEM | _READ, "One redeemed order", bodies.Transaction,
            lists.transaction, description="The id is `request_id` of the answer that accepted it.", tag="till",
        ),
        Operation(
            "releaseVouchers", "POST", "/releases", _REDEEM, "Let go of vouchers that a check holds", Released, till.release,
            description="What the visit does not hold is left alone. Holds end by themselves after five minutes.",
            tag="till", body=bodies.ReleaseRequest, judged=True,
        ),
        Operation(
            "listItemCategories", "GET", "/item-categories", _ANY, "What can be bought", bodies.Items, lists.items,
            tag="till",
        ),
        Operation(
            "listProgrammes", "GET", "/programmes", _ANY, "Programmes whose vouchers are taken", bodies.Programmes,
            lists.programmes, tag="till",
        ),
        Operation("getKey", "GET", "/key", _ANY, "The key that asks", bodies.Key, lists.key, tag="till"),
        Operation(
            "listTransactions", "GET", "/transactions", _READ, "Transactions", bodies.TransactionPage, lists.transactions,
            tag="books", query=bodies.TransactionQuery,
        ),
        Operation(
            "getTransaction", "GET", "/transactions/{redemption_id}", _READ, "One transaction", bodies.Transaction,
            lists.transaction, tag="books",
        ),
        Operation(
            "confirm", "POST", "/confirmations", _CONFIRM, "Confirm transactions", bodies.Confirmed, lists.confirm,
            description="What is confirmed is claimed by the next settlement. Confirming again changes nothing.",
            tag="books", status=201, body=bodies.ConfirmationRequest,
        ),
        Operation(
            "listConfirmations", "GET", "/confirmations", _READ, "Confirmations", bodies.ConfirmationPage, lists.confirmations,
            tag="books", query=page,
        ),
        Operation("listClaims", "GET", "/claims", _READ, "Claims", bodies.ClaimPage, lists.claims, tag="books", query=page),
        Operation("getClaim", "GET", "/claims/{claim_id}", _READ, "One claim", bodies.Claim, lists.claim, tag="books"),
        Operation(
            "listClaimLines", "GET", "/claims/{claim_id}/lines", _READ, "The transactions of a claim", bodies.TransactionPage,
            lists.claim_lines, tag="books", query=page,
        ),
        Operation(
            "listPayouts", "GET", "/payouts", _READ, "Payouts", bodies.PayoutPage, lists.payouts, tag="books",
            query=bodies.PayoutQuery,
        ),
    ]  # fmt: skip


def make_http_api(operations: Sequence[Operation], parts: ApiParts) -> Blueprint:
    """Build the blueprint. It takes no cookie, so its views need no protection against cross-site requests: exempt it."""
    blueprint = Blueprint(HTTP_API, __name__)
    meter = RateMeter()
    for operation in operations:
        add_operation(blueprint, operation, parts, meter)
    content = json.dumps(api_document(operations), ensure_ascii=False, indent=1).encode()

    @blueprint.get("/api/openapi.json")
    @everybody
    def openapi() -> Response:
        response = Response(content, content_type="application/json")
        response.headers["Cache-Control"] = "public, max-age=300"
        response.add_etag()
        response.make_conditional(request)
        return response

    return blueprint


def make_api_docs(operations: Sequence[Operation]) -> Blueprint:
    """Build the page that shows the document to people. It is one of our pages, with their words, and asks nobody else."""
    blueprint = Blueprint("api_docs", __name__)
    document = api_document(operations)

    @blueprint.get("/api/docs")
    @everybody
    def docs() -> str:
        sentences = {reason: catalogues().reasons.sentence(reason, "en") for reason in REASONS}
        return render_template(
            "api_docs.html",
            document=document,
            kinds=KINDS,
            reasons=REASONS,
            sentences=sentences,
            reason_status=reason_status,
        )

    return blueprint
