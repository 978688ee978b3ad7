"""The table of providers: whatever serves, tells the truth or sums up goes by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox import nectar, utilityapi

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.provider import Provider

PROVIDERS: list[Provider] = [utilityapi.PROVIDER, nectar.PROVIDER]
