"""A local server of both vendor APIs, for tests, demos and users' own pipelines.

It is written from the vendors' facts alone and shares no code with the tap, so that it can
bear witness. `with Sandbox(default_world()) as sandbox:` serves; `World` and its parts
build any other world; `world.truth("nectar")` says what a sync must deliver.
"""

from .bills import Bill, LineItem, bills_from
from .faults import Fault, Faults
from .readings import (
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
from .scenarios import SCENARIOS, bench_world, default_world, tiny_world
from .server import API_KEY, TOKEN, Logged, Sandbox
from .synthetic import solar, synthetic
from .truth import BillTruth, MeterTruth, ReadingTruth
from .world import (
    Account,
    Authorization,
    Channel,
    Company,
    Connection,
    Identifier,
    Lifetime,
    NectarMeter,
    NectarOptions,
    Site,
    UtilityMeter,
    UtilityOptions,
    World,
    identifiers,
    make_uid,
    make_uuid,
)

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
