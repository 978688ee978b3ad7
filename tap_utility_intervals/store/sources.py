"""Which sources a load is about, by its settings: what two loads must not share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Provider
from tap_utility_intervals.providers.bookmarks import short_hash


@dataclass(frozen=True)
class Claim:
    """Sources that a load has for itself, or shares with loads of a part of them."""

    name: str
    """Holds a hash of the credential, never itself."""
    told: str
    """For people."""
    is_exclusive: bool


def claims(config: Mapping[str, Any]) -> list[Claim]:
    """Return what a load with these settings must claim, coarse before fine.

    All sources of a credential, or only those that a setting names: then the whole is
    shared with loads that name others.
    """
    return [
        claim
        for provider in PROVIDERS
        if config.get(provider.credential)
        for claim in _claims(provider, config)
    ]


def _claims(provider: Provider, config: Mapping[str, Any]) -> Iterator[Claim]:
    secret = str(config[provider.credential])
    addresses = [config.get(n) for n in provider.settings if n.endswith("_base_url")]
    whole = f"{provider.name} {short_hash((secret, *map(str, addresses)))}"
    narrowed = next((name for name in provider.narrowing if config.get(name)), None)
    yield Claim(whole, provider.title, is_exclusive=narrowed is None)
    if narrowed:
        for one in sorted(set(map(str, config[narrowed]))):
            told = f"{one} ({narrowed})"
            yield Claim(f"{whole} {narrowed} {one}", told, is_exclusive=True)
