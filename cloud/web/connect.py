"""The merchant's pages about its programs: API keys and webhooks (串接設定).

Whoever makes or takes away a key, or changes where messages go, must have proved themselves within the last minutes. A key and
a secret are shown once, on the page that answers the form, and stand nowhere else; that page is never stored by a browser.
"""

from functools import partial
from typing import Final
from uuid import UUID

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from cloud.domain.webhooks import EVENTS
from cloud.ports.connect import SCOPES, ApiKey, ConnectEvent
from cloud.ports.webhooks import Webhook, WebhookState
from cloud.services.accounts import FormProblem
from cloud.services.connect import LIFETIMES_DAYS, KeyForm, make_key, revoke_key
from cloud.services.webhooks import WebhookForm, make_webhook, rotate_secret, set_webhook_state
from cloud.web.access import allow
from cloud.web.language import say
from cloud.web.parts import WebParts
from cloud.web.people_pages import hand
from cloud.web.session import merchant_of, signed_in

EVENTS_SHOWN: Final = 12
MESSAGES_SHOWN: Final = 50
_ID_BYTES: Final = 8
_STATES: Final[dict[str, WebhookState]] = {"pause": "paused", "resume": "active", "remove": "removed"}


def make_connect(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    connect = Blueprint("connect", __name__, url_prefix="/merchant/connect")
    lookers = allow("merchant_admin", tenant="merchant")
    changers = allow("merchant_admin", tenant="merchant", fresh=True)

    @connect.get("")
    @lookers
    def overview() -> str:
        merchant_id = merchant_of(signed_in())
        return render_template(
            "connect.html",
            keys=parts.connect.keys.keys_of(merchant_id),
            webhooks=parts.connect.webhooks.store.webhooks_of(merchant_id),
            events=parts.connect.keys.events_of(merchant_id, limit=EVENTS_SHOWN),
            now=parts.wall_clock.now(),
        )

    @connect.app_context_processor
    def notices() -> dict[str, object]:
        return {"dead_webhooks": partial(_dead_webhooks, parts)}

    _add_keys(connect, parts, changers)
    _add_webhooks(connect, parts, lookers, changers)
    return connect


def _add_keys(connect: Blueprint, parts: WebParts, changers: object) -> None:
    assert callable(changers)

    @connect.get("/keys/new")
    @changers
    def new_key() -> str:
        return _key_form(parts, KeyForm("", None, frozenset({"redeem"}), LIFETIMES_DAYS[1]))

    @connect.post("/keys/new")
    @changers
    def add_key() -> str:
        form = _typed_key(parts)
        made = make_key(
            parts.connect.keys,
            hand(parts),
            form,
            key_id=_new_id("k", parts),
            sites=frozenset(site.site_id for site in parts.choices.sites(merchant_of(signed_in()))),
            randomness=parts.randomness,
        )
        if isinstance(made, FormProblem):
            return _key_form(parts, form, made)
        return render_template("connect_made.html", kind="key", secret=made, name=form.name)

    @connect.get("/keys/<key_id>")
    @changers
    def key(key_id: str) -> str:
        return render_template("connect_key.html", key=_key(parts, key_id), now=parts.wall_clock.now())

    @connect.post("/keys/<key_id>/revoke")
    @changers
    def revoke(key_id: str) -> Response:
        found = _key(parts, key_id)
        if revoke_key(parts.connect.keys, hand(parts), key_id):
            flash(say("connect.key.revoked_now", name=found.name))
        return redirect(url_for(".overview"))


def _add_webhooks(connect: Blueprint, parts: WebParts, lookers: object, changers: object) -> None:
    assert callable(changers)
    assert callable(lookers)
    desk = parts.connect.webhooks

    @connect.get("/webhooks/new")
    @changers
    def new_webhook() -> str:
        return _webhook_form(parts, WebhookForm("", frozenset(EVENTS)))

    @connect.post("/webhooks/new")
    @changers
    def add_webhook() -> str:
        form = WebhookForm(request.form.get("url", "").strip(), frozenset(request.form.getlist("event")))
        made = make_webhook(desk, hand(parts), form, webhook_id=_new_id("w", parts), calendar=parts.clock.now())
        if isinstance(made, FormProblem):
            return _webhook_form(parts, form, made)
        return render_template("connect_made.html", kind="webhook", secret=made, name=form.url)

    @connect.get("/webhooks/<webhook_id>")
    @lookers
    def webhook(webhook_id: str) -> str:
        found = _webhook(parts, webhook_id)
        log = desk.store.log_of(webhook_id, limit=MESSAGES_SHOWN)
        return render_template("connect_webhook.html", webhook=found, log=log, now=parts.wall_clock.now())

    @connect.post("/webhooks/<webhook_id>/state")
    @changers
    def set_state(webhook_id: str) -> Response:
        found, state = _webhook(parts, webhook_id), _STATES.get(request.form.get("do", ""))
        if state is None:
            abort(400)
        set_webhook_state(desk, hand(parts), found, state)
        flash(say(f"connect.webhook.now_{state}"))
        return redirect(url_for(".overview") if state == "removed" else url_for(".webhook", webhook_id=webhook_id))

    @connect.post("/webhooks/<webhook_id>/secret")
    @changers
    def rotate(webhook_id: str) -> str:
        found = _webhook(parts, webhook_id)
        secret = rotate_secret(desk, hand(parts), found)
        return render_template("connect_made.html", kind="rotated", secret=secret, name=found.url)

    @connect.post("/webhooks/<webhook_id>/resend")
    @lookers
    def resend(webhook_id: str) -> Response:
        found, person = _webhook(parts, webhook_id), signed_in()
        try:
            message_id = UUID(request.form.get("message", ""))
        except ValueError:
            abort(400)
        event = ConnectEvent(
            parts.wall_clock.now(), found.merchant_id, "message_resent", webhook_id, person.staff_id, request.remote_addr or ""
        )
        if not desk.store.resend(webhook_id, message_id, event):
            abort(404)
        flash(say("connect.webhook.resent"))
        return redirect(url_for(".webhook", webhook_id=webhook_id))


def _dead_webhooks(parts: WebParts) -> list[Webhook]:
    """Webhooks that were disabled because nobody took what they told; for the first page, where it must be seen."""
    webhooks = parts.connect.webhooks.store.webhooks_of(merchant_of(signed_in()))
    return [one for one in webhooks if one.state == "disabled"]


def _key(parts: WebParts, key_id: str) -> ApiKey:
    keys = parts.connect.keys.keys_of(merchant_of(signed_in()))
    found = next((key for key in keys if key.key_id == key_id), None)
    if found is None:
        abort(404)
    return found


def _webhook(parts: WebParts, webhook_id: str) -> Webhook:
    merchant_id = merchant_of(signed_in())
    found = parts.connect.webhooks.store.find(webhook_id, merchant_id=merchant_id) if webhook_id.isprintable() else None
    if found is None:
        abort(404)
    return found


def _typed_key(parts: WebParts) -> KeyForm:
    sites = parts.choices.sites(merchant_of(signed_in()))
    # With one site there is nothing to choose.
    site_id = sites[0].site_id if len(sites) == 1 else request.form.get("site") or None
    days = request.form.get("lifetime", "")
    return KeyForm(
        request.form.get("name", "").strip(),
        site_id,
        frozenset(request.form.getlist("scope")),
        next((one for one in LIFETIMES_DAYS if str(one) == days), -1),
    )


def _key_form(parts: WebParts, form: KeyForm, problem: FormProblem | None = None) -> str:
    return render_template(
        "connect_key_new.html",
        form=form,
        problem=problem,
        sites=parts.choices.sites(merchant_of(signed_in())),
        scopes=SCOPES,
        lifetimes=LIFETIMES_DAYS,
    )


def _webhook_form(parts: WebParts, form: WebhookForm, problem: FormProblem | None = None) -> str:
    return render_template(
        "connect_webhook_new.html",
        form=form,
        problem=problem,
        all_events=EVENTS,
        plain_http=parts.connect.webhooks.plain_http,
    )


def _new_id(kind: str, parts: WebParts) -> str:
    return f"{kind}-{parts.randomness(_ID_BYTES).hex()}"
