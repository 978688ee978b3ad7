"""How a provider joins: a line in the tap's table, and one in the sandbox's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tap_utility_intervals import providers
from tap_utility_intervals.sandbox import providers as served
from tests.providers.tiny.provider import PROVIDER
from tests.providers.tiny.sandbox import SANDBOX


@contextmanager
def joined() -> Iterator[None]:
    """Be a provider as the others are."""
    providers.PROVIDERS.append(PROVIDER)
    served.PROVIDERS.append(SANDBOX)
    try:
        yield
    finally:
        providers.PROVIDERS.remove(PROVIDER)
        served.PROVIDERS.remove(SANDBOX)
