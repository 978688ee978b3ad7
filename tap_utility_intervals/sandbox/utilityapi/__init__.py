"""UtilityAPI v2 over a world."""

from tap_utility_intervals.sandbox.provider import Provider
from tap_utility_intervals.sandbox.utilityapi import truth
from tap_utility_intervals.sandbox.utilityapi.api import PREFIX, UtilityApi

PROVIDER = Provider(
    "utilityapi",
    "UtilityAPI",
    prefixes=(PREFIX,),
    credential="sandbox-utilityapi-token",
    api=UtilityApi,
    headers=lambda token: {"authorization": f"Bearer {token}"},
    settings=lambda url, token: {
        "utilityapi_api_token": token,
        "utilityapi_base_url": url,
        "utilityapi_requests_per_second": 50,
    },
    readings=truth.readings,
    meters=truth.meters,
    bills=truth.bills,
)
