"""A local server of both vendor APIs, for tests, demos and users' own pipelines.

It is written from the vendors' facts alone and shares no code with the tap, so that it
can bear witness. `with Sandbox(default_world()) as sandbox:` serves; `World` and its
parts build any other world; `world.truth("nectar")` says what a sync must deliver.
"""

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
)
from tap_utility_intervals.sandbox.scenarios import (
    SCENARIOS,
    bench_world,
    default_world,
    solar,
    synthetic,
    tiny_world,
)
from tap_utility_intervals.sandbox.server import API_KEY, TOKEN, Logged, Sandbox
from tap_utility_intervals.sandbox.truth import BillTruth, MeterTruth, ReadingTruth
from tap_utility_intervals.sandbox.world import Provider, World

__all__ = [
    "API_KEY",
    "DAY",
    "HOUR",
    "SCENARIOS",
    "TOKEN",
    "Account",
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
    "Sandbox",
    "Series",
    "Site",
    "UtilityMeter",
    "UtilityOptions",
    "World",
    "bench_world",
    "bills_from",
    "default_world",
    "delayed",
    "epoch",
    "identifiers",
    "local",
    "make_uid",
    "make_uuid",
    "restated",
    "solar",
    "synthetic",
    "tiny_world",
    "without",
]
