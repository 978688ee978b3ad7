from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tap_utility_intervals.sandbox import (
    Authorization,
    UtilityMeter,
    UtilityOptions,
    World,
    epoch,
    synthetic,
    tiny_world,
    truth,
)
from tests.sandbox.conftest import Client, Serve

NOW = datetime(2026, 1, 10, 12, tzinfo=timezone.utc)
SERIES = synthetic(0, "unit", "2026-01-01T05:00:00Z", "2026-01-20T05:00:00Z")


def world(*meters: UtilityMeter, **options: Any) -> World:
    authorizations = options.pop("authorizations", ())
    return World(
        NOW,
        meters or [UtilityMeter("1", SERIES)],
        authorizations=authorizations,
        utilityapi_options=UtilityOptions(**options),
    )


@pytest.mark.parametrize("path", ["meters", "authorizations", "files/x", "intervals"])
def test_every_call_needs_the_token(tiny: Client, path: str) -> None:
    """Facts §1.1."""
    answer = tiny.session.get(f"{tiny.sandbox.utilityapi_url}/{path}", timeout=10)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "error_description", "url"}


def test_the_token_may_be_a_query_parameter(tiny: Client) -> None:
    """Facts §1.1."""
    url = f"{tiny.sandbox.utilityapi_url}/meters?access_token={tiny.sandbox.token}"
    assert tiny.session.get(url, timeout=10).status_code == 200


def test_paging_follows_next_with_the_other_filters_and_ends(serve: Serve) -> None:
    """Facts §2: `next` is a complete URL, null on the last page."""
    meters = [UtilityMeter(str(n), SERIES, created=1_700_000_000 + n) for n in range(5)]
    client = serve(world(*meters, page_size=2))
    page = client.ua("meters", is_archived="false")
    assert page["next"].startswith(f"{client.sandbox.utilityapi_url}/meters?")
    assert "is_archived=false" in page["next"]
    assert "after=3" in page["next"]
    walked = client.walk_ua("meters", is_archived="false")
    assert [meter["uid"] for meter in walked] == ["4", "3", "2", "1", "0"]


def test_filters_combine_and_may_leave_nothing(tiny: Client) -> None:
    """Facts §2: filters that do not overlap give an empty list, not an error."""
    assert tiny.ua("meters", uids="101,102", authorizations="9") == {
        "meters": [],
        "next": None,
    }
    assert [m["uid"] for m in tiny.walk_ua("meters", uids="102")] == ["102"]


@pytest.mark.parametrize("path", ["bills", "intervals"])
def test_children_refuse_a_call_without_a_filter(tiny: Client, path: str) -> None:
    """Facts §0.2 and §1.5."""
    answer = tiny.get(f"{tiny.sandbox.utilityapi_url}/{path}")
    assert answer.status_code == 400
    assert answer.json()["error"] == "required_param_missing"


@pytest.mark.parametrize(
    "params",
    [{"order": "up"}, {"limit": "0"}, {"start": "soon"}, {"allow_mixed": "yes"}],
)
def test_bad_parameters_are_invalid(tiny: Client, params: dict[str, Any]) -> None:
    """Facts §1.5."""
    url = f"{tiny.sandbox.utilityapi_url}/intervals"
    answer = tiny.get(url, meters="101", **params)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_param")


def test_a_missing_object_is_404(tiny: Client) -> None:
    """Facts §1.4."""
    for path in ("meters/9", "authorizations/9", "bills/9/9", "nothing"):
        assert tiny.get(f"{tiny.sandbox.utilityapi_url}/{path}").status_code == 404


def test_authorizations_embed_their_meters_in_an_envelope(tiny: Client) -> None:
    """Facts §3.1: a nested envelope with its own cursor."""
    (one,) = tiny.walk_ua("authorizations", include="meters")
    assert [m["uid"] for m in one["meters"]["meters"]] == ["101", "102"]
    assert one["meters"]["next"] is None
    assert "meters" not in tiny.ua(f"authorizations/{one['uid']}")


def test_nested_meters_page_through_the_meter_list(serve: Serve) -> None:
    """Facts §3.1."""
    client = serve(
        world(*(UtilityMeter(str(n), SERIES) for n in range(3)), page_size=2)
    )
    (one,) = client.walk_ua("authorizations", include="meters")
    rest = client.get(one["meters"]["next"]).json()
    assert [m["uid"] for m in rest["meters"]] == ["2"]


def test_flags_of_authorizations_follow_the_clock(serve: Serve) -> None:
    """Facts §3.1, §4.1."""
    expires = epoch("2026-01-11T00:00:00Z")
    client = serve(world(authorizations=[Authorization("1001", expires=expires)]))
    assert not client.walk_ua("authorizations")[0]["is_expired"]
    client.world.advance(days=1)
    assert client.walk_ua("authorizations", is_expired="true")[0]["is_expired"]
    assert client.walk_ua("authorizations", is_expired="false") == []


def test_lazy_meters_show_their_blocks_when_asked(serve: Serve) -> None:
    """Facts §3.2, §4.2: `is_expanded` and `expand_meter_blocks`."""
    client = serve(world(UtilityMeter("1", SERIES, expanded=False)))
    assert "base" not in client.ua("meters/1")
    assert client.ua("meters/1", expand_meter_blocks="true")["base"]["service_class"]


def test_meters_tell_counts_and_coverage_in_local_time(tiny: Client) -> None:
    """Facts §4.2: counts of readings; ranges with holes, in utility local time."""
    meter = tiny.ua("meters/101")
    readings = tiny.readings(meters="101")
    assert meter["interval_count"] == len(readings)
    assert len(meter["interval_coverage"]) == 4
    assert meter["interval_coverage"][1] == [
        "2025-11-01T00:00:00.000000-04:00",
        "2025-11-03T00:00:00.000000-05:00",
    ]
    assert meter["status_ts"].endswith("+00:00")


def test_bills_are_chosen_by_containment(tiny: Client) -> None:
    """Facts §3.3: start on or after, end on or before."""
    bills = tiny.walk_ua("bills", meters="101", order="earliest_first")
    spans = [(b["base"]["bill_start_date"], b["base"]["bill_end_date"]) for b in bills]
    assert len(spans) == 2
    first = tiny.walk_ua("bills", meters="101", end=spans[0][1])
    assert [bill["uid"] for bill in first] == [bills[0]["uid"]]
    later = tiny.walk_ua("bills", meters="101", start="2026-03-08")
    assert [bill["uid"] for bill in later] == [bills[1]["uid"]]


def test_bills_come_newest_first_and_page(tiny: Client) -> None:
    """Facts §3.3."""
    tiny.world.utilityapi_options.bill_limit = 1
    starts = [
        (bill["base"]["bill_start_date"], bill["meter_uid"])
        for bill in tiny.walk_ua("bills", authorizations="1001")
    ]
    assert len(starts) == 4
    assert starts[0][0] > starts[-1][0]


def test_bill_amounts_are_sent_digit_for_digit(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/bills"
    text = tiny.get(url, meters="102", limit=1, order="earliest_first").text
    (bill, *_) = [
        b for b in truth.bills(tiny.world, "utilityapi") if b.meter_id == "102"
    ]
    assert f'"bill_total_volume":{bill.volume},"bill_total_unit":"therms"' in text
    assert '"bill_total_kwh":null' in text


def test_accounting_lists_accounts_and_summaries(tiny: Client) -> None:
    """Facts §3.5, §4.7."""
    (account,) = tiny.walk_ua("accounting/billing-accounts")
    summaries = tiny.walk_ua(
        "accounting/billing-summaries", billing_accounts=account["uid"]
    )
    assert account["meter_uids"] == ["101", "102"]
    assert len(summaries) == len(account["statement_dates"]) == 2
    assert "updated" not in summaries[0]
    one = tiny.ua(f"accounting/billing-summaries/{summaries[0]['uid']}")
    assert one == summaries[0]
    nothing = tiny.walk_ua("accounting/billing-summaries", billing_accounts="9")
    assert nothing == []


def test_events_come_newest_first(tiny: Client) -> None:
    """Facts §3.6."""
    events = tiny.walk_ua("events")
    assert {event["type"] for event in events} == {"meter_created"}
    assert tiny.ua(f"events/{events[0]['uid']}") == events[0]
    assert tiny.walk_ua("events", is_delivered="false") == []


def test_files_are_built_on_demand(tiny: Client) -> None:
    """Facts §1.4: 202 with Retry-After and no useful body, then the file."""
    url = f"{tiny.sandbox.utilityapi_url}/files/intervals_csv?meters=101"
    first, second = tiny.get(url), tiny.get(url)
    assert (first.status_code, first.headers["Retry-After"]) == (202, "1")
    assert second.text.startswith("meter_uid")


def test_revoking_deletes_meters_and_data(serve: Serve) -> None:
    """Facts §3.1, §5.2: no tombstone."""
    revoked = epoch("2026-01-11T00:00:00Z")
    client = serve(world(authorizations=[Authorization("1001", revoked=revoked)]))
    assert client.readings(meters="1")
    client.world.advance(days=1)
    assert client.walk_ua("meters") == []
    assert client.readings(authorizations="1001") == []
    assert client.get(f"{client.sandbox.utilityapi_url}/meters/1").status_code == 404


def test_after_expiry_no_new_data_appear(serve: Serve) -> None:
    """Facts §0.10."""
    expires = epoch("2026-01-11T00:00:00Z")
    client = serve(world(authorizations=[Authorization("1001", expires=expires)]))
    client.world.advance(days=1)
    count = len(client.readings(meters="1"))
    client.world.advance(days=5)
    assert len(client.readings(meters="1")) == count


def test_meters_appear_and_vanish(serve: Serve) -> None:
    whole = UtilityMeter("1", SERIES)
    later = replace(whole.life, appears=epoch("2026-01-11T00:00:00Z"))
    client = serve(world(whole, replace(whole, uid="2", life=later)))
    assert [m["uid"] for m in client.walk_ua("meters")] == ["1"]
    client.world.advance(days=1)
    assert [m["uid"] for m in client.walk_ua("meters")] == ["1", "2"]


@pytest.mark.parametrize("status", [200, 400, 403, 404])
def test_an_unknown_meter_among_several_is_refused_as_the_world_says(
    serve: Serve, status: int
) -> None:
    client = serve(world(unknown_meter_status=status))
    url = f"{client.sandbox.utilityapi_url}/intervals"
    answer = client.get(url, meters="1,9")
    assert answer.status_code == status
    assert status != 200 or answer.json()["intervals"]


def test_the_date_header_follows_the_clock(tiny: Client) -> None:
    url = f"{tiny.sandbox.utilityapi_url}/meters"
    for _ in range(2):
        shown = parsedate_to_datetime(tiny.get(url).headers["Date"])
        assert shown == tiny.world.now
        tiny.world.advance(days=1)


def test_other_writes_are_refused_and_change_nothing(tiny: Client) -> None:
    before = list(truth.meters(tiny.world, "utilityapi"))
    url = f"{tiny.sandbox.utilityapi_url}/authorizations/1001"
    headers = {"Authorization": f"Bearer {tiny.sandbox.token}"}
    for method, target in (
        ("POST", f"{url}/revoke"),
        ("PATCH", url),
        ("DELETE", url),
        ("POST", f"{tiny.sandbox.utilityapi_url}/meters"),
    ):
        answer = tiny.session.request(method, target, headers=headers, timeout=10)
        assert answer.status_code == 405
    assert list(truth.meters(tiny.world, "utilityapi")) == before


def test_the_same_seed_gives_the_same_world_and_another_does_not() -> None:
    def values(seed: int) -> list[str | None]:
        return [r.value for r in truth.readings(tiny_world(seed=seed), "utilityapi")]

    assert values(1) == values(1) != values(2)
