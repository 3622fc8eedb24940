"""What the kiosk says: labels, prompts and units, one TOML catalogue per language beside this module.

``zh-Hant-TW`` is written first; the others are rewritten from the same meaning. Every catalogue has exactly the fields of
:class:`Words`, an entry for every screen that asks or tells something, and nothing else, so a missing text is found at start
and not by a customer. Prompts put the verb first and stay below twelve words. Never "invalid", never "error", never blame.

Files are read in :func:`load_words`, never at import. Not here: why a request was refused (:mod:`protocol.words`), because
kiosk and cloud say that in the same words.
"""

import tomllib
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from kiosk.domain.view import Screen, View

LANGUAGES: Final = ("zh-Hant-TW", "en", "ja", "ko")
"""BCP 47 tags; the first one is what every visit begins with."""


class KeyWords(Struct, frozen=True, forbid_unknown_fields=True):
    """Labels of the three coloured keys, and the name of the digit keys for screen readers."""

    cancel: str
    clear: str
    ok: str
    digits: str
    to_list: str
    """On OK, where a result leads back to the vouchers that are still held."""


class StepWords(Struct, frozen=True, forbid_unknown_fields=True):
    """The three steps."""

    title: str
    scan: str
    digits: str
    confirm: str
    done: str
    """Said after a step that lies behind."""
    now: str
    """Said after the step where the customer is."""


class UnitWords(Struct, frozen=True, forbid_unknown_fields=True):
    """How amounts, counts and times are written. One way per language, never mixed on one screen."""

    before: str
    """What stands before an amount, e.g. ``NT$``."""
    after: str
    """What stands after it, e.g. ``元``."""
    vouchers: str
    """A count of vouchers, with a place for ``{count}``; stands after the word for voucher."""
    time: str
    """With a place for ``{at}``, a datetime in Asia/Taipei, in the syntax of :meth:`str.format`."""


class BillWords(Struct, frozen=True, forbid_unknown_fields=True):
    """The lines of a bill."""

    vouchers: str
    redeemed: str
    total: str
    topup: str
    topup_then: str
    """The top-up of an earlier visit: a fact, no request to pay."""
    no_topup: str
    pay_counter: str
    """To whom the top-up is paid."""
    item: str
    reference: str
    at: str
    code: str
    ending: str
    """Before the last three of a voucher number."""


class ScreenWords(Struct, frozen=True, forbid_unknown_fields=True):
    """One screen."""

    prompt: str
    """May hold ``|`` where a line may break; Chinese is broken only there."""
    hint: str
    ok: str = ""
    """The green key's label here, where it is not the usual one."""
    later: str = ""
    """Instead of the prompt when it takes longer than usual."""


class Words(Struct, frozen=True, forbid_unknown_fields=True):
    """One language."""

    name: str
    """The language, in its own script."""
    keys: KeyWords
    steps: StepWords
    units: UnitWords
    bill: BillWords
    screens: dict[Screen, ScreenWords]
    earlier: ScreenWords
    """Instead of DONE's own, where it tells the outcome of an earlier visit."""
    languages: str
    """Names the group of language buttons."""
    large_text: str
    offline: str
    warning: str
    """Above the green key on CONFIRM."""
    no_change: str
    """With a place for ``{amount}``: what is lost."""
    back_to_basket: str
    """On a result: the visit goes on with the vouchers that are still held."""
    already_added: str
    seconds_left: str
    """With a place for ``{seconds}``: until the screen ends by itself."""

    def amount(self, twd: int) -> str:
        """``1,000 元`` or ``NT$1,000``; no line may break inside."""
        return f"{self.units.before}{twd:,}{self.units.after}".replace(" ", "\N{NO-BREAK SPACE}")

    def text_of(self, view: View) -> ScreenWords:
        """What the screen of this view says."""
        return self.earlier if view.repeated else self.screens[view.screen]

    def count(self, vouchers: int) -> str:
        """``3 張``, ``× 3``."""
        return self.units.vouchers.format(count=vouchers)


def load_words() -> Mapping[str, Words]:
    """Read all catalogues, by language.

    Raises:
        msgspec.ValidationError: a catalogue has an unknown or a missing field; a test keeps that from being shipped.
        LookupError: a catalogue lacks a screen; likewise.
    """
    return MappingProxyType({language: _load(language) for language in LANGUAGES})


def _load(language: str) -> Words:
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8")
    words = msgspec.convert(tomllib.loads(text), Words)
    missing = [screen.value for screen in Screen if screen not in words.screens]
    if missing:
        raise LookupError(f"the {language} catalogue lacks the screens {', '.join(missing)}")
    return words
