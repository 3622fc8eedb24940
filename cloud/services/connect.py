"""API keys: made and revoked by a merchant's admin, and how a request's key is known.

A key is ``vk_`` and 43 characters, 256 random bits; only its SHA-256 is kept, so it is shown once and nobody can read it again.
With that many bits a plain hash is enough: there is nothing to guess. It belongs to one merchant and one of its sites, may do
what its scopes say and nothing else, and ends when it is revoked or runs out.
"""

import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cloud.ports.connect import SCOPES, ApiKey, ConnectEvent, KeyStore, NewKey
from cloud.services.accounts import FormProblem, Hand

KEY_PREFIX: Final = "vk_"
_KEY_BYTES: Final = 32
_KEY: Final = re.compile(r"vk_[A-Za-z0-9_-]{43}")
_PREFIX_LENGTH: Final = 9
NAME_LENGTH_MAX: Final = 60
KEYS_MAX: Final = 50
"""Of one merchant that count at once: one per till, and some to spare."""

LIFETIMES_DAYS: Final = (90, 365, 0)
"""What the form offers; 0 for a key that does not run out by itself."""

_USED_AFTER: Final = timedelta(minutes=1)
"""How stale "last used" may be: not every request has to write."""


@dataclass(frozen=True, slots=True)
class KeyForm:
    """What somebody asked for."""

    name: str
    site_id: str | None
    scopes: frozenset[str]
    lifetime_days: int


def make_key(
    store: KeyStore, hand: Hand, form: KeyForm, *, key_id: str, sites: frozenset[str], randomness: Callable[[int], bytes]
) -> str | FormProblem:
    """Make a key.

    Args:
        key_id: id of the key and of the account behind it.
        sites: the merchant's.

    Returns:
        The key, which nobody can be shown again, or what has to be corrected.
    """
    merchant_id = hand.person.merchant_id
    assert merchant_id is not None, "a key belongs to a merchant"
    problem = _problem(form, sites)
    if problem is None and sum(key.is_good(hand.at) for key in store.keys_of(merchant_id)) >= KEYS_MAX:
        problem = FormProblem("name", "many")
    if problem is not None:
        return problem
    assert form.site_id is not None, "a problem else"
    key = KEY_PREFIX + urlsafe_b64encode(randomness(_KEY_BYTES)).rstrip(b"=").decode("ascii")
    new = NewKey(
        key_id=key_id,
        name=form.name,
        merchant_id=merchant_id,
        site_id=form.site_id,
        secret_hash=hash_key(key),
        prefix=key[:_PREFIX_LENGTH],
        scopes=form.scopes,
        made_at=hand.at,
        made_by=hand.person.staff_id,
        expires_at=hand.at + timedelta(days=form.lifetime_days) if form.lifetime_days else None,
    )
    said = f"{new.prefix} {' '.join(sorted(form.scopes))}"
    store.add(new, ConnectEvent(hand.at, merchant_id, "key_made", key_id, hand.person.staff_id, hand.address, said))
    return key


def revoke_key(store: KeyStore, hand: Hand, key_id: str) -> bool:
    """Take a key's rights away, at once and for ever; False where there is no such key of this merchant that counts."""
    merchant_id = hand.person.merchant_id
    assert merchant_id is not None, "a key belongs to a merchant"
    return store.revoke(key_id, ConnectEvent(hand.at, merchant_id, "key_revoked", key_id, hand.person.staff_id, hand.address))


def find_key(store: KeyStore, presented: str, *, now: datetime) -> ApiKey | None:
    """Return the key that a request presents, if it counts at this moment; notes that it was used.

    Raises:
        PortError: the database failed.
    """
    if not _KEY.fullmatch(presented):
        return None
    key = store.find_by_hash(hash_key(presented))
    if key is None or not key.is_good(now):
        return None
    if key.used_at is None or now > key.used_at + _USED_AFTER:
        store.used(key.key_id, now)
    return key


def hash_key(key: str) -> bytes:
    """What is kept of a key."""
    return hashlib.sha256(key.encode()).digest()


def _problem(form: KeyForm, sites: frozenset[str]) -> FormProblem | None:
    if not form.name or len(form.name) > NAME_LENGTH_MAX or not form.name.isprintable():
        return FormProblem("name", "wrong")
    if form.site_id not in sites:
        return FormProblem("site", "wrong")
    if not form.scopes or not form.scopes <= set(SCOPES):
        return FormProblem("scopes", "wrong")
    if form.lifetime_days not in LIFETIMES_DAYS:
        return FormProblem("lifetime", "wrong")
    return None
