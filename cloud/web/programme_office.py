"""The programme office's second half: programmes, item categories, signals, audit log. Issuing is in ``issue_pages``."""

from flask import Blueprint

from cloud.web.audit_pages import add_audit_pages
from cloud.web.parts import WebParts
from cloud.web.programme_pages import add_item_pages, add_programme_pages
from cloud.web.signal_pages import add_signal_pages


def make_programme_office(parts: WebParts) -> Blueprint:
    """Build the blueprint."""
    blueprint = Blueprint("programme", __name__, url_prefix="/office")
    add_programme_pages(blueprint, parts)
    add_item_pages(blueprint, parts)
    add_signal_pages(blueprint, parts)
    add_audit_pages(blueprint, parts)
    return blueprint
