"""What a person reads when a request is refused: one sentence about what happened, one about what to do now.

The sentences stand in one TOML catalogue per language beside this module; ``zh-Hant-TW`` is written first, the others are
rewritten from the same meaning, not from its words. Rules for all of them: never "invalid", never "error", never blame, and
nothing about a voucher that the answer itself did not say.

Where an answer carries particulars (when and where a voucher was used, how many tries are left), the catalogue has a second
pair of sentences that names them; it is taken when every particular it needs is given. Times are shown in Asia/Taipei.

This is the one module of the package that reads files: its own catalogues, in :func:`load_words`, never at import. Hold what
it returns; :func:`sentence` reads anew at every call. Not here: labels and prompts of screens and pages, which belong to the
kiosk and the cloud.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from importlib import resources
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from protocol.reasons import Reason

LANGUAGES: Final = ("zh-Hant-TW", "en", "ja", "ko")
"""BCP 47 tags, the first one being the default of every screen."""

_TAIPEI: Final = timezone(timedelta(hours=8))
"""Asia/Taipei has had no summer time since 1979; a fixed offset needs no time zone files."""


class Sentence(Struct, frozen=True, forbid_unknown_fields=True):
    """What to say. Either part is a whole sentence of its own."""

    what: str
    """What happened."""
    next: str
    """What to do now."""


class ReasonWords(Struct, frozen=True, forbid_unknown_fields=True):
    """The catalogue's entry for one reason."""

    what: str
    next: str
    detailed: Sentence | None = None
    """The same with named places for ``at``, ``site`` and ``tries_left``, in the syntax of :meth:`str.format`."""


@dataclass(frozen=True, slots=True)
class Words:
    """All catalogues, loaded. Immutable; make one with :func:`load_words` and hold it."""

    catalogues: Mapping[str, Mapping[Reason, ReasonWords]]
    """By language tag, then by reason; every language has every reason."""

    def sentence(
        self, reason: Reason, language: str, *, at: str | None = None, site: str | None = None, tries_left: int | None = None
    ) -> Sentence:
        """Say why not.

        Args:
            reason: the reason of the answer, or of one of its refusals.
            language: one of :data:`LANGUAGES`.
            at, site, tries_left: as in :class:`protocol.messages.Refusal`. A time that cannot be read counts as not given:
                particulars are a courtesy, and the customer must get the sentence anyway.

        Raises:
            KeyError: the language is not one of ours.
        """
        catalogue = self.catalogues[language]
        entry = catalogue[reason]
        if reason is Reason.NO_MATCH and tries_left == 0:
            # "Please check again" would send the customer into a wall: say at once what helps when no try is left.
            return Sentence(entry.what, catalogue[Reason.TRIES_EXHAUSTED].next)
        details = {"at": _taipei(at), "site": site, "tries_left": tries_left}
        given = {name: value for name, value in details.items() if value is not None}
        if entry.detailed is not None:
            try:
                return Sentence(entry.detailed.what.format_map(given), entry.detailed.next.format_map(given))
            except KeyError:
                # A particular is missing: the plain pair needs none.
                return Sentence(entry.what, entry.next)
        return Sentence(entry.what, entry.next)


def load_words() -> Words:
    """Read all catalogues.

    Raises:
        msgspec.ValidationError: a catalogue has an unknown reason or field; a test keeps that from being shipped.
        LookupError: a catalogue lacks a reason; likewise.
    """
    return Words(MappingProxyType({language: _load(language) for language in LANGUAGES}))


def sentence(reason: Reason, language: str) -> Sentence:
    """Say why not, without particulars. Reads the catalogue each time: hold a :class:`Words` where it matters.

    Raises:
        KeyError: the language is not one of :data:`LANGUAGES`.
    """
    if language not in LANGUAGES:
        raise KeyError(language)
    entry = _load(language)[reason]
    return Sentence(entry.what, entry.next)


def _load(language: str) -> Mapping[Reason, ReasonWords]:
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text("utf-8")
    entries = msgspec.convert(tomllib.loads(text), dict[Reason, ReasonWords])
    missing = [reason.value for reason in Reason if reason not in entries]
    if missing:
        raise LookupError(f"the {language} catalogue lacks {', '.join(missing)}")
    return MappingProxyType(entries)


def _taipei(at: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(at) if at is not None else None
    except ValueError:
        return None
    return moment.astimezone(_TAIPEI) if moment is not None and moment.tzinfo is not None else None
