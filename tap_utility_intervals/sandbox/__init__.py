"""A local server of both vendor APIs, for tests, demos and users' own pipelines.

It is written from `docs/providers/` alone and shares no code with the tap, so that it
can bear witness. `with Sandbox(default_world()) as sandbox:` serves; `World` and its
parts build any other world; `truth.readings(world, "nectar")` says what a sync must
deliver. `Provider` is an entry of the table; `Sandbox(world, providers=(*PROVIDERS,
mine))` serves one more.
"""

from tap_utility_intervals.sandbox import truth
from tap_utility_intervals.sandbox.accounts import (
    Account,
    Authorization,
    Channel,
    Company,
    Connection,
    Identifier,
    Lifetime,
    NectarMeter,
    Site,
    UtilityMeter,
    identifiers,
    make_uid,
    make_uuid,
)
from tap_utility_intervals.sandbox.bills import Bill, LineItem, bills_from
from tap_utility_intervals.sandbox.faults import Fault, Faults
from tap_utility_intervals.sandbox.options import NectarOptions, UtilityOptions
from tap_utility_intervals.sandbox.provider import Api, Provider
from tap_utility_intervals.sandbox.providers import PROVIDERS
from tap_utility_intervals.sandbox.readings import (
    DAY,
    HOUR,
    Reading,
    Series,
    delayed,
    epoch,
    local,
    restated,
    without,
    without_zeros,
)
from tap_utility_intervals.sandbox.rows import BillTruth, MeterTruth, ReadingTruth
from tap_utility_intervals.sandbox.scenarios import (
    SCENARIOS,
    bench_world,
    default_world,
    demo_world,
    solar,
    synthetic,
    tiny_world,
)
from tap_utility_intervals.sandbox.server import Sandbox
from tap_utility_intervals.sandbox.service import Logged
from tap_utility_intervals.sandbox.wire import Answer, Refusal, Request, answer
from tap_utility_intervals.sandbox.world import World

__all__ = [
    "DAY",
    "HOUR",
    "PROVIDERS",
    "SCENARIOS",
    "Account",
    "Answer",
    "Api",
    "Authorization",
    "Bill",
    "BillTruth",
    "Channel",
    "Company",
    "Connection",
    "Fault",
    "Faults",
    "Identifier",
    "Lifetime",
    "LineItem",
    "Logged",
    "MeterTruth",
    "NectarMeter",
    "NectarOptions",
    "Provider",
    "Reading",
    "ReadingTruth",
    "Refusal",
    "Request",
    "Sandbox",
    "Series",
    "Site",
    "UtilityMeter",
    "UtilityOptions",
    "World",
    "answer",
    "bench_world",
    "bills_from",
    "default_world",
    "delayed",
    "demo_world",
    "epoch",
    "identifiers",
    "local",
    "make_uid",
    "make_uuid",
    "restated",
    "solar",
    "synthetic",
    "tiny_world",
    "truth",
    "without",
    "without_zeros",
]
