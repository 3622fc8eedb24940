"""Turns a view into what the page shows: one HTML fragment of named parts, three key labels, one sentence to say.

All choices of words, figures and shapes are made here and in the templates, so the page itself decides nothing. Texts from
outside (a site's name, an item's name) are escaped by the templates.

Times are shown in Asia/Taipei, whatever the machine's own zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import jinja2
from markupsafe import Markup
from msgspec import Struct

from kiosk.adapters.screen.audience import Scene
from kiosk.adapters.screen.sounds import Sound
from kiosk.domain.keys import Key
from kiosk.domain.view import ItemView, Screen, View
from kiosk.words import LANGUAGES, Words, load_words
from protocol.reasons import Reason
from protocol.words import Sentence
from protocol.words import Words as ReasonWords
from protocol.words import load_words as load_reason_words

_TAIPEI: Final = timezone(timedelta(hours=8))
"""Asia/Taipei has had no summer time since 1979; a fixed offset needs no time zone files."""

PATIENT_SCREENS: Final = frozenset({Screen.CHECKING, Screen.SENDING})
"""Shown only when they last: the page keeps the screen before for 400 ms, so that nothing flashes."""


class KeyLabel(Struct, frozen=True):
    """One of the three coloured keys."""

    key: Key
    label: str
    enabled: bool


class Picture(Struct, frozen=True, kw_only=True):
    """One picture for the page, as it travels."""

    number: int
    """Of the view that it shows; the page keeps it in ``data-picture``, for whoever waits until a view is drawn."""
    screen: Screen
    language: str
    html: str
    """``<section data-part=…>`` elements; the page replaces only the parts that changed."""
    keys: list[KeyLabel]
    say: str
    """For screen readers: the prompt and what matters with it."""
    seconds: int | None
    sound: Sound | None
    patient: bool


@dataclass(frozen=True, slots=True)
class _Texts:
    words: Mapping[str, Words]
    reasons: ReasonWords


class Artist:
    """Draws views. Immutable after construction, so every thread may use it."""

    def __init__(self, *, touch_digits: bool) -> None:
        """Load words and templates.

        Args:
            touch_digits: show digit keys on the screen where something is typed.
        """
        self._texts = _Texts(load_words(), load_reason_words())
        self._touch_digits = touch_digits
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("kiosk.adapters.screen"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

        self._templates.filters["phrases"] = phrases

    @property
    def words(self) -> Mapping[str, Words]:
        """The catalogues, by language."""
        return self._texts.words

    def draw(self, scene: Scene) -> Picture:
        """Draw one scene. An unknown language is drawn as the first one: a customer must never see an empty screen."""
        view = scene.view
        language = view.language if view.language in LANGUAGES else LANGUAGES[0]
        words = self.words[language]
        refusal = self._sentence(view, language)
        template = self._templates.get_template(f"screens/{'earlier' if view.repeated else view.screen}.html")
        html = template.render(
            view=view,
            words=words,
            text=words.text_of(view),
            refusal=refusal,
            language=language,
            touch_digits=self._touch_digits,
            money=_Money(words),
            moment=lambda at: moment(at, words),
            item=item_name(view, language),
            name_of=lambda choice: name_in(choice, language),
        )
        return Picture(
            number=scene.number,
            screen=view.screen,
            language=language,
            html=html,
            keys=_key_labels(view, words),
            say=_say(view, words, refusal),
            seconds=view.seconds_left,
            sound=scene.sound,
            patient=view.screen in PATIENT_SCREENS,
        )

    def page(self, name: str, **values: Any) -> str:
        """Render a whole page of this adapter."""
        return self._templates.get_template(name).render(words=self.words, languages=LANGUAGES, **values)

    def _sentence(self, view: View, language: str) -> Sentence | None:
        refusal = view.refusal
        if refusal is None:
            return None
        reason = Reason(refusal.reason)
        return self._texts.reasons.sentence(reason, language, at=refusal.at, site=refusal.site, tries_left=refusal.tries_left)


class _Money:
    """Amounts as the templates write them: unit and figures apart, because the figures are set larger."""

    def __init__(self, words: Words) -> None:
        self.before, self.after = words.units.before, words.units.after

    def figures(self, twd: int) -> str:
        return f"{twd:,}"


def phrases(prompt: str) -> Markup:
    """Escape a prompt and make its ``|`` places where a line may break."""
    return Markup("<wbr>").join(prompt.split("|"))


def moment(at: str, words: Words) -> str:
    """An RFC 3339 time as the language writes it, in Asia/Taipei; as it came if it cannot be read."""
    try:
        return words.units.time.format(at=datetime.fromisoformat(at).astimezone(_TAIPEI))
    except ValueError:
        return at


def name_in(choice: ItemView, language: str) -> str:
    """An item's name in the language; else in the programme's first one, else its code."""
    return choice.names.get(language) or choice.names.get(LANGUAGES[0]) or choice.code


def item_name(view: View, language: str) -> str | None:
    """The chosen item's name, or None."""
    return next((name_in(choice, language) for choice in view.items if choice.code == view.item_code), view.item_code)


def _key_labels(view: View, words: Words) -> list[KeyLabel]:
    return [
        KeyLabel(Key.CANCEL, words.keys.cancel, view.can_cancel),
        KeyLabel(Key.CLEAR, words.keys.clear, view.can_clear),
        KeyLabel(Key.OK, words.keys.to_list if view.back_to_basket else words.text_of(view).ok or words.keys.ok, view.can_ok),
    ]


def _say(view: View, words: Words, refusal: Sentence | None) -> str:
    text = words.text_of(view)
    prompt = text.later if view.still_checking and text.later else text.prompt
    parts = [prompt.replace("|", "")]
    if refusal is not None:
        parts += [refusal.what, refusal.next]
    elif view.already_added:
        parts = [words.already_added, *parts]
    elif view.screen is not Screen.CONFIRM:
        parts.append(text.hint)
    parts += _say_what_is_owed(view, words)
    if view.screen is Screen.CONFIRM:
        parts.append(words.warning)
    if view.back_to_basket:
        parts.append(words.back_to_basket)
    return " ".join(part for part in parts if part)


def _say_what_is_owed(view: View, words: Words) -> list[str]:
    if view.screen not in {Screen.CONFIRM, Screen.DONE} or view.topup_twd is None or view.repeated:
        return []
    return [f"{words.bill.topup} {words.amount(view.topup_twd)}" if view.topup_twd else words.bill.no_topup]
