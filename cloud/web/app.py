"""The web app: one blueprint per audience, the rules that hold for all of them, nothing else.

Nothing is read or opened here: whoever calls :func:`make_app` brings the parts.
"""

from importlib import resources

from flask import Blueprint, Flask, Response, render_template, request, url_for
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]
from jinja2 import StrictUndefined
from werkzeug.exceptions import HTTPException

from cloud.domain.calendar import Period, period_of
from cloud.ports.people import Person, Role
from cloud.web import formats
from cloud.web.access import EVERYBODY, install_access, may
from cloud.web.account import make_account
from cloud.web.apply import make_apply
from cloud.web.assets import install_assets
from cloud.web.business_pages import make_business
from cloud.web.confirming import undo_until, write_instant
from cloud.web.connect import make_connect
from cloud.web.http_api.problems import api_status
from cloud.web.identity import LIBRARY_ACCESS, install_identity, is_fresh
from cloud.web.language import LANGUAGES, choose_language, load_catalogues, say
from cloud.web.merchant import make_merchant
from cloud.web.office import make_office
from cloud.web.parts import WebParts
from cloud.web.programme_office import make_programme_office
from cloud.web.protect import install_second_factor_rule
from cloud.web.public import make_public
from cloud.web.returned import say_reason
from cloud.web.review import make_review
from cloud.web.scheme import SCHEMES, choose_scheme
from cloud.web.security import install_headers
from cloud.web.session import find_person, install_session
from cloud.web.staff import make_staff
from protocol.errors import PortError

_PAGES = {400: "400", 401: "403", 403: "403", 404: "404", 405: "404", 413: "413", 429: "429", 503: "503"}
"""Which words a status gets; what is not listed is said as 500."""


RAILS: dict[Role, tuple[tuple[str, str], ...]] = {
    "merchant_admin": (
        ("overview", "merchant.overview"),
        ("transactions", "merchant.transactions"),
        ("claims", "merchant.claims"),
        ("kiosks", "merchant.kiosks"),
        ("people", "merchant.people"),
        ("business", "business.profile"),
        ("connect", "connect.overview"),
    ),
    "applicant": (("application", "apply.own"),),
    "scan_staff": (("scan", "staff.start"),),
    "programme_admin": (
        ("overview", "office.overview"),
        ("programmes", "programme.programmes"),
        ("merchants", "office.merchants"),
        ("fleet", "office.kiosks"),
        ("settlements", "office.settlements"),
        ("office_people", "office.people"),
    ),
    "reviewer": (("merchants", "office.merchants"),),
    "finance": (
        ("overview", "office.overview"),
        ("settlements", "office.settlements"),
        ("payouts", "office.payouts"),
        ("returns", "office.returns"),
        ("cases", "office.cases"),
        ("payout_accounts", "review.accounts"),
        ("programmes", "programme.programmes"),
    ),
    "technician": (("fleet", "office.kiosks"),),
    "auditor": (
        ("overview", "office.overview"),
        ("programmes", "programme.programmes"),
        ("merchants", "office.merchants"),
        ("fleet", "office.kiosks"),
        ("settlements", "office.settlements"),
        ("audit", "programme.audit"),
        ("cases", "office.cases"),
    ),
}
"""The left rail of each role: word and endpoint. Seven words at most."""

_PEOPLE = ("new_person", "add_person", "person", "change_person", "set_active", "forget_factors")

_RAIL_OF = {
    "merchant.transaction": "merchant.transactions",
    **{
        f"connect.{name}": "connect.overview"
        for name in ("new_key", "add_key", "key", "new_webhook", "add_webhook", "webhook", "rotate")
    },
    "merchant.confirm_all_preview": "merchant.claims",
    **{f"office.{name}": "programme.programmes" for name in ("issues", "issue", "draft", "issue_one", "discard_one")},
    **{
        f"programme.{name}": "programme.programmes"
        for name in ("one", "new", "make", "edit", "change", "items", "save_item", "move_item")
    },
    **{f"programme.{name}": "office.overview" for name in ("signals", "signal_rows")},
    "merchant.confirm_some_preview": "merchant.transactions",
    "merchant.ask_dispute": "merchant.transactions",
    "merchant.dispute": "merchant.transactions",
    "office.week": "office.settlements",
    "office.claim": "office.settlements",
    "office.pay_run": "office.payouts",
    "office.prepare": "office.payouts",
    "office.release": "office.payouts",
    "office.withdraw_run": "office.payouts",
    "office.bring_return": "office.returns",
    "office.look_at_return": "office.returns",
    "office.case": "office.cases",
    "office.act_on_case": "office.cases",
    "office.issue": "office.issues",
    "office.claim_code": "office.kiosks",
    "office.ask_revoke": "office.kiosks",
    "office.revoke": "office.kiosks",
    **{f"business.{name}": "business.profile" for name in ("sites", "new_site", "add_one", "site", "save_site")},
    "business.account": "business.profile",
    "business.save_account": "business.profile",
    "apply.save": "apply.own",
    **{f"review.{name}": "office.merchants" for name in ("queue", "application", "decide_on", "merchant", "rule_on")},
    **{f"{page}.{name}": f"{page}.people" for page in ("merchant", "office") for name in _PEOPLE},
}
"""Pages that stand under a word without being it."""

_MONEY = frozenset({"office.payouts", "office.returns", "office.cases"})
"""Pages that have a word of their own in some rails, and stand under the settlements in others."""


def make_app(parts: WebParts) -> Flask:
    """Build the WSGI app."""
    app = Flask("cloud.web", static_folder=None)
    app.jinja_env.undefined = StrictUndefined
    app.jinja_options["autoescape"] = True
    app.extensions["vk_words"] = load_catalogues()
    _install_meters(app, parts)
    install_headers(app, https=parts.https)
    install_assets(app, resources.files("cloud.web") / "static")
    install_session(app, parts)
    _install_csrf(app, parts)
    _install_words(app, parts)
    _install_error_pages(app)
    install_identity(app, parts)
    for blueprint in (
        make_public(parts),
        make_merchant(parts),
        make_staff(parts),
        make_office(parts),
        make_account(parts),
        make_connect(parts),
    ):
        app.register_blueprint(blueprint)
    for blueprint in (make_apply(parts), make_review(parts), make_business(parts)):
        app.register_blueprint(blueprint)
    app.register_blueprint(make_programme_office(parts))
    if parts.api_docs is not None:
        app.register_blueprint(parts.api_docs)
    names = tuple(f"{blueprint.name}." for blueprint in _cookieless(parts))
    devices = [name for name in app.view_functions if names and name.startswith(names)]
    install_access(app, is_fresh=is_fresh, others={**LIBRARY_ACCESS, **dict.fromkeys(devices, EVERYBODY)})
    install_second_factor_rule(app, parts)
    return app


def _install_meters(app: Flask, parts: WebParts) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        # The rule, never the path: a path may hold a voucher number, and there is no end of them.
        parts.meters.requested(request.url_rule.rule if request.url_rule else None, response.status_code)
        return response


def _install_csrf(app: Flask, parts: WebParts) -> None:
    # The secret behind the forms lives as long as the session, so no time limit of its own: a page left open over lunch works.
    app.config.update(WTF_CSRF_TIME_LIMIT=None, WTF_CSRF_SSL_STRICT=parts.https)
    protection = CSRFProtect(app)
    for cookieless in _cookieless(parts):
        protection.exempt(cookieless)
        app.register_blueprint(cookieless)


def _cookieless(parts: WebParts) -> list[Blueprint]:
    return [blueprint for blueprint in (parts.api, parts.http_api) if blueprint is not None]


def _install_words(app: Flask, parts: WebParts) -> None:
    app.jinja_env.filters.update(
        money=formats.money,
        number=formats.number,
        moment=formats.moment,
        day=formats.day,
        week=formats.week,
        exact_week=formats.exact_week,
        share=formats.share,
        short_day=formats.short_day,
        near_day=formats.near_day,
        browser=formats.browser,
    )

    app.jinja_env.globals.update(say_reason=say_reason, undo_until=undo_until, write_instant=write_instant)
    app.jinja_env.globals.update(
        local_name=formats.local_name, programme_name=formats.programme_name, item_name=formats.item_name, period_at=Period
    )

    @app.context_processor
    def words() -> dict[str, object]:
        language = choose_language()
        return {
            "say": say,
            "language": language,
            "languages": LANGUAGES,
            "scheme": choose_scheme(),
            "schemes": SCHEMES,
            "person": find_person(),
            "may": may,
            "this_week": period_of(parts.clock.now()),
            **_rail(find_person()),
        }


def _rail(person: Person | None) -> dict[str, object]:
    """The words of the left rail, which one stands for the page that is shown, and where that page is."""
    rail = () if person is None else RAILS[person.role]
    endpoint = request.endpoint or ""
    rail_here = "staff.start" if endpoint.startswith("staff.") else _RAIL_OF.get(endpoint, endpoint)
    if rail_here in _MONEY and rail_here not in dict(rail).values():
        rail_here = "office.settlements"
    # What was sent with POST cannot be linked to; its place in the rail can.
    start = url_for(rail_here) if rail_here in dict(rail).values() else url_for("public.home")
    here = request.full_path.rstrip("?") if request.method == "GET" else start
    return {"rail": rail, "rail_here": rail_here, "here": here}


def _install_error_pages(app: Flask) -> None:
    @app.errorhandler(HTTPException)
    def say_status(problem: HTTPException) -> tuple[str, int] | HTTPException | Response:
        status = problem.code or 500
        if status < 400:
            return problem
        if request.path.startswith("/api/"):
            return api_status(problem)
        return render_template("problem.html", words=_PAGES.get(status, "500")), status

    @app.errorhandler(CSRFError)
    def say_expired(problem: CSRFError) -> tuple[str, int]:
        # Nothing was done. Most often the session ended while the page was open.
        return render_template("problem.html", words="csrf"), problem.code or 400

    @app.errorhandler(PortError)
    def say_unreachable(problem: PortError) -> tuple[str, int]:
        app.logger.warning("a page could not be shown: %s", problem)
        words, status = ("503", 503) if problem.retry else ("500", 500)
        return render_template("problem.html", words=words), status
