"""Languages of the pages: catalogues, choice, and the words of a request.

Each language is a folder of TOML files, one per room of the site. A text is asked for by its dotted key and must exist in every
language; a test holds the catalogues' keys equal. The language
is the one that the visitor picked (a cookie), else what the browser asks for, else zh-Hant-TW.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any, cast

from flask import current_app, g, request

from protocol.words import Words, load_words

LANGUAGES = ("zh-Hant-TW", "en", "ja", "ko")
LANGUAGE_COOKIE = "vk_language"
_ALIASES = {"zh-tw": "zh-Hant-TW", "zh-hk": "zh-Hant-TW", "zh-mo": "zh-Hant-TW", "zh-hant": "zh-Hant-TW", "zh": "zh-Hant-TW"}
"""Browsers send ``zh-TW``; no negotiation library takes that for ``zh-Hant-TW``, and visitors would get English."""


@dataclass(frozen=True, slots=True)
class Catalogues:
    """All texts of the pages, by language and dotted key, and the sentences of the reasons."""

    pages: Mapping[str, Mapping[str, str]]
    reasons: Words


def load_catalogues() -> Catalogues:
    """Read the TOML files beside this module.

    Raises:
        ValueError: two files of one language have the same text; a test keeps that from being shipped.
    """
    folder = resources.files("cloud.web") / "words"
    return Catalogues({tag: _read(folder / tag) for tag in LANGUAGES}, load_words())


def _read(folder: Traversable) -> dict[str, str]:
    texts: dict[str, str] = {}
    for file in folder.iterdir():
        found = _flat(tomllib.loads(file.read_text("utf-8")))
        if twice := texts.keys() & found.keys():
            raise ValueError(f"{folder.name}/{file.name} repeats {min(twice)}")
        texts |= found
    return texts


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    texts: dict[str, str] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            texts |= _flat(value, f"{prefix}{name}.")
        else:
            texts[prefix + name] = value
    return texts


def catalogues() -> Catalogues:
    """Those of the running app."""
    return cast("Catalogues", current_app.extensions["vk_words"])


def choose_language() -> str:
    """The language of this request; decided once."""
    if "language" not in g:
        g.language = _picked() or _accepted() or LANGUAGES[0]
    return str(g.language)


def _picked() -> str | None:
    picked = request.cookies.get(LANGUAGE_COOKIE)
    return picked if picked in LANGUAGES else None


def _accepted() -> str | None:
    for tag in request.accept_languages.values():
        if (known := closest(tag)) is not None:
            return known
    return None


def closest(tag: str) -> str | None:
    """Our language for a browser's tag, e.g. ``zh-Hant-TW`` for ``zh-TW`` and ``en`` for ``en-GB``."""
    wanted = tag.replace("_", "-").lower()
    while wanted:
        for ours in LANGUAGES:
            if wanted == ours.lower():
                return ours
        if wanted in _ALIASES:
            return _ALIASES[wanted]
        wanted = wanted.rpartition("-")[0]
    return None


def say(key: str, /, **facts: object) -> str:
    """The text of ``key`` in the language of this request, with its ``{facts}`` put in.

    The result is plain text: templates escape it, facts and all.

    Raises:
        KeyError: there is no such text, or it names a fact that is not given.
    """
    text = catalogues().pages[choose_language()][key]
    return text.format_map(facts) if facts else text
