"""What is kept of the meter list until it is written."""

from __future__ import annotations

from tap_utility_intervals.floor.records import Commodity, MeterRecord
from tap_utility_intervals.providers.utilityapi import entities


def record(uid: str, status: str = "updated") -> MeterRecord:
    return MeterRecord(
        uid,
        "utilityapi",
        commodity=Commodity.GAS,
        status=status,
        interval_coverage=[{"start": "2026", "end": "2027"}],
        unreadable={"bill_count": "\x7f\U0001f50c"},
    )


def test_records_come_out_as_they_went_in_the_last_of_each_meter() -> None:
    """However they fall into packs: a list that begins again sends meters again."""
    every = entities.RECORDS_PACKED
    records = entities.Records()
    for number in range(every + 3):
        records.add(record(str(number)))
    for number in (1, every - 1, every, 1):
        records.add(record(str(number), status=f"again {len(list(records.pages()))}"))
    records.add(last := record("1", status="last"))
    gone = {"1", str(every - 1), str(every)}
    kept = [record(str(n)) for n in range(every + 3) if str(n) not in gone]
    again = [record(str(n), status="again 2") for n in (every - 1, every)]
    for _ in range(2):
        assert [one for page in records.pages() for one in page] == [
            *kept,
            *again,
            last,
        ]
