"""Bookmarks found at once and changed in one step; STATE sent in measure."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.singer.state import (
    LONGEST_INTERVAL,
    STATE_SHARE,
    VERSION,
    Bookmarks,
    StateOutlet,
    encoded,
    opened,
    readable,
)

KEY = "interval_start"


def meter(uid: str, provider: str = "utilityapi") -> dict[str, str]:
    return {"provider": provider, "meter_key": uid}


def unchanged(_stream: str, _context: Any, bookmark: dict[str, Any]) -> dict[str, Any]:
    return bookmark


def of_text(text: bytes) -> dict[str, Any]:
    """STATE as a run is given it."""
    found = encoded(text)
    assert found is not None
    return found


# --- bookmarks ------------------------------------------------------------------------


def test_a_bookmark_is_found_again_with_all_it_held() -> None:
    state: dict[str, Any] = {}
    bookmarks = Bookmarks(state, KEY)
    bookmarks.put(meter("1"), {"replication_key_value": "2026", "hash": "ab"})
    assert bookmarks.get(meter("1")) == {"replication_key_value": "2026", "hash": "ab"}
    assert bookmarks.get(meter("2")) is None
    assert len(bookmarks) == 1


def test_the_layout_is_the_sdks() -> None:
    state: dict[str, Any] = {}
    Bookmarks(state, KEY).put(meter("1"), {"replication_key_value": "2026", "x": 1})
    assert state == {
        "version": VERSION,
        "partitions": [
            {
                "context": {"provider": "utilityapi", "meter_key": "1"},
                "replication_key": KEY,
                "replication_key_value": "2026",
                "x": 1,
            }
        ],
    }


def test_a_stored_context_is_found_whatever_the_order_of_its_keys() -> None:
    state: dict[str, Any] = {}
    Bookmarks(state, KEY).put(meter("1"), {"replication_key_value": "2026"})
    sorted_by_someone = json.loads(json.dumps(state, sort_keys=True))
    found = Bookmarks(sorted_by_someone, KEY)
    assert found.get(dict(reversed(meter("1").items()))) is not None


def test_contexts_with_other_names_are_other_sources() -> None:
    bookmarks = Bookmarks({}, KEY)
    bookmarks.put({"meter_key": "1", "provider": "a"}, {})
    assert bookmarks.get({"connection_id": "1", "provider": "a"}) is None


def test_what_was_put_replaces_what_was_there_and_keeps_its_place() -> None:
    state: dict[str, Any] = {}
    bookmarks = Bookmarks(state, KEY)
    bookmarks.put(meter("1"), {"replication_key_value": "2026", "gone": 1})
    bookmarks.put(meter("2"), {})
    bookmarks.put(meter("1"), {"replication_key_value": "2027"})
    assert bookmarks.get(meter("1")) == {"replication_key_value": "2027"}
    uids = [entry["context"]["meter_key"] for entry in state["partitions"]]
    assert uids == ["1", "2"]


def test_what_get_returns_is_a_copy() -> None:
    bookmarks = Bookmarks({}, KEY)
    bookmarks.put(meter("1"), {"x": 1})
    found = bookmarks.get(meter("1"))
    assert found is not None
    found["x"] = 2
    assert bookmarks.get(meter("1")) == {"x": 1}


def test_a_bookmark_of_another_replication_key_is_worth_nothing() -> None:
    state: dict[str, Any] = {}
    Bookmarks(state, "source_updated_at").put(meter("1"), {"x": 1})
    bookmarks = Bookmarks(state, KEY)
    assert bookmarks.get(meter("1")) is None
    bookmarks.put(meter("1"), {"x": 2})
    assert bookmarks.get(meter("1")) == {"x": 2}


def test_a_bookmark_without_a_replication_key_counts() -> None:
    state = {"partitions": [{"context": meter("1"), "replication_key_value": "2026"}]}
    assert Bookmarks(state, KEY).get(meter("1")) == {"replication_key_value": "2026"}


def test_a_bookmark_changes_in_one_step() -> None:
    """A signal strikes between any two steps; STATE is written from what is there."""
    state: dict[str, Any] = {}
    bookmarks = Bookmarks(state, KEY)
    old, new = {"replication_key_value": "1"}, {"replication_key_value": "2", "x": 1}
    bookmarks.put(meter("1"), old)
    before = copy.deepcopy(state["partitions"])

    class Striking(dict[str, Any]):
        def keys(self) -> Any:
            assert state["partitions"] == before
            return super().keys()

    bookmarks.put(meter("1"), Striking(new))
    assert bookmarks.get(meter("1")) == new


def test_sources_that_are_gone_are_forgotten_by_provider() -> None:
    state: dict[str, Any] = {}
    bookmarks = Bookmarks(state, KEY)
    for uid in "123":
        bookmarks.put(meter(uid), {"x": uid})
        bookmarks.put(meter(uid, "nectar"), {"x": uid})
    bookmarks.keep_only("utilityapi", [meter("2"), meter("9")])
    assert [uid for uid in "123" if bookmarks.get(meter(uid))] == ["2"]
    assert all(bookmarks.get(meter(uid, "nectar")) for uid in "123")
    assert len(bookmarks) == len(state["partitions"]) == 4
    bookmarks.put(meter("2"), {"x": "new"})
    assert {"x": "new"}.items() <= state["partitions"][1].items()


def test_nothing_forgotten_leaves_the_list_as_it_is() -> None:
    state: dict[str, Any] = {}
    bookmarks = Bookmarks(state, KEY)
    bookmarks.put(meter("1"), {})
    entries = state["partitions"]
    bookmarks.keep_only("utilityapi", [meter("1")])
    assert state["partitions"] is entries


class Counted(dict[str, str]):
    """A context that counts how often anybody looks into it."""

    looks = 0

    def items(self) -> Any:
        Counted.looks += 1
        return super().items()


@pytest.mark.parametrize("number", [10, 1000])
def test_finding_and_storing_look_at_no_other_source(number: int) -> None:
    state = {"partitions": [{"context": Counted(meter(str(n)))} for n in range(number)]}
    bookmarks = Bookmarks(state, KEY)
    Counted.looks = 0
    for uid in ("0", "5", "none"):
        bookmarks.get(meter(uid))
        bookmarks.put(meter(uid), {})
    assert Counted.looks == 0


class AgainstAModel(RuleBasedStateMachine):
    """A plain dictionary says what any sequence of steps must give, also reloaded."""

    def __init__(self) -> None:
        super().__init__()
        self.state: dict[str, Any] = {}
        self.bookmarks = Bookmarks(self.state, KEY)
        self.model: dict[tuple[str, str], dict[str, Any]] = {}

    uids = st.sampled_from("abcde")
    providers = st.sampled_from(["utilityapi", "nectar"])

    @rule(uid=uids, provider=providers, values=st.dictionaries(st.just("x"), uids))
    def put(self, uid: str, provider: str, values: dict[str, Any]) -> None:
        self.bookmarks.put(meter(uid, provider), values)
        self.model[provider, uid] = values

    @rule(kept=st.sets(uids), provider=providers)
    def keep_only(self, kept: set[str], provider: str) -> None:
        self.bookmarks.keep_only(provider, [meter(uid, provider) for uid in kept])
        self.model = {
            key: value
            for key, value in self.model.items()
            if key[0] != provider or key[1] in kept
        }

    @rule()
    def reload(self) -> None:
        stored = msgspec.json.encode({"bookmarks": {"s": self.state}})
        self.state = readable(of_text(stored), unchanged)["bookmarks"]["s"]
        self.bookmarks = Bookmarks(self.state, KEY)

    @invariant()
    def same(self) -> None:
        assert len(self.bookmarks) == len(self.model)
        for provider in ("utilityapi", "nectar"):
            for uid in "abcde":
                found = self.bookmarks.get(meter(uid, provider))
                assert found == self.model.get((provider, uid))
        listed = {
            (entry["context"]["provider"], entry["context"]["meter_key"])
            for entry in map(opened, self.state.get("partitions", []))
        }
        assert listed == set(self.model)


TestAgainstAModel = AgainstAModel.TestCase
TestAgainstAModel.settings = settings(max_examples=30, stateful_step_count=20)


# --- what is handed back --------------------------------------------------------------


def test_a_state_of_ours_is_read_as_it_is() -> None:
    bookmarks = Bookmarks(state := {}, KEY)  # type: ignore[var-annotated]
    bookmarks.put(meter("1"), {"x": 1})
    whole = {"bookmarks": {"intervals": state, "meters": {}, "other": {"a": 1}}}
    assert readable(whole, unchanged) == whole


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"bookmarks": None},
        {"bookmarks": []},
        {"bookmarks": {"intervals": None}},
        {"bookmarks": {"intervals": []}},
        {"bookmarks": {"intervals": {"partitions": None}}},
        {"bookmarks": {"intervals": {"partitions": {}}}},
        {"bookmarks": {"intervals": {"partitions": [None, 1, "x", [], {}]}}},
        {"bookmarks": {"intervals": {"partitions": [{"context": None}]}}},
        {"completed": {}, "partial_state": {}},
        {"currently_syncing": "intervals"},
        {"bookmarks": {"intervals": {"replication_key_value": "2026"}}},
    ],
)
def test_what_no_bookmark_can_be_read_from_is_no_bookmark(state: Any) -> None:
    found = readable(state, unchanged)["bookmarks"].get("intervals", {})
    bookmarks = Bookmarks(found, KEY)
    assert len(bookmarks) == 0
    bookmarks.put(meter("1"), {"x": 1})
    assert bookmarks.get(meter("1")) == {"x": 1}


def test_odd_neighbours_cost_no_bookmark() -> None:
    good = {"context": meter("1"), "x": 1}
    state = {"bookmarks": {"s": {"partitions": [None, good, {"context": 3}]}}}
    bookmarks = Bookmarks(readable(state, unchanged)["bookmarks"]["s"], KEY)
    assert bookmarks.get(meter("1")) == {"x": 1}
    assert len(bookmarks) == 1


@pytest.mark.parametrize("version", [VERSION + 1, 99, "1", None, 1.5], ids=repr)
def test_a_newer_version_is_refused_with_advice(version: Any) -> None:
    state = {"bookmarks": {"intervals": {"version": version, "partitions": []}}}
    with pytest.raises(ConfigError, match="upgrade the tap") as caught:
        readable(state, unchanged)
    assert "intervals" in str(caught.value)


@pytest.mark.parametrize("version", [{}, {"version": 1}], ids=["unsaid", "1"])
def test_an_older_version_is_converted_whole_when_it_is_loaded(version: Any) -> None:
    def upgrade(stream: str, context: Any, bookmark: Any) -> Any:
        return {"at": f"{stream} {context['meter_key']} {bookmark['at']}"}

    entries = [{"context": meter(uid), "replication_key": KEY, "at": 1} for uid in "12"]
    state = {"bookmarks": {"s": {**version, "partitions": entries, "other": 3}}}
    found = readable(state, upgrade)
    assert found["bookmarks"]["s"] == {
        "version": VERSION,
        "other": 3,
        "partitions": [
            {"context": meter(uid), "replication_key": KEY, "at": f"s {uid} 1"}
            for uid in "12"
        ],
    }
    assert readable(found, upgrade) == found
    assert entries[0]["at"] == 1


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda some: (
        st.lists(some, max_size=3)
        | st.dictionaries(st.text(max_size=5), some, max_size=3)
    ),
    max_leaves=5,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(
        {}, optional={"partitions": json_values, "x": json_values, "s": json_values}
    )
)
def test_any_json_is_read_or_ignored(found: dict[str, Any]) -> None:
    for state in (found, {"bookmarks": found}, {"bookmarks": {"s": found}}):
        for stream in readable(state, unchanged)["bookmarks"].values():
            bookmarks = Bookmarks(stream, KEY)
            bookmarks.put(meter("1"), {"x": 1})
            bookmarks.keep_only("utilityapi", [meter("1")])
            assert bookmarks.get(meter("1")) == {"x": 1}


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["s", "t"]),
        st.fixed_dictionaries(
            {}, optional={"partitions": st.lists(json_values), "x": json_values}
        ),
    ),
    st.sampled_from([None, 0, 2]),
)
def test_entries_left_encoded_are_the_entries(
    streams: dict[str, Any], indent: int | None
) -> None:
    """Also of a file that somebody wrote over many lines: a STATE is one line."""
    state = {"bookmarks": streams, "currently_syncing": None}
    for name, stream in streams.items():
        stream.setdefault("partitions", []).append({"context": meter("1"), "x": name})
    found = of_text(json.dumps(state, indent=indent).encode())
    assert b"\n" not in (line := msgspec.json.encode(found))
    assert json.loads(line) == {"bookmarks": streams}
    ours, plain = (readable(one, unchanged)["bookmarks"] for one in (found, state))
    assert json.loads(msgspec.json.encode(ours)) == plain
    for name in streams:
        assert Bookmarks(ours[name], KEY).get(meter("1")) == {"x": name}


ELSEWISE = [
    *(b"", b"{", b"[]", b"{}", b'{"bookmarks": []}', b'{"bookmarks": {"s": 1}}'),
    b'{"bookmarks": {"s": {"partitions": {}}}}',
    b'{"bookmarks": {"s": {"x": NaN}}}',
    b'{"bookmarks": {"s": {"x": "\xff"}}}',
    b'{"bookmarks": {"s": {"x": "\\ud83d"}}}',
    b'{"bookmarks": {"s": {"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}}",
]


@pytest.mark.parametrize("text", ELSEWISE, ids=lambda text: repr(text[:40]))
def test_a_state_of_another_form_is_left_to_others(text: bytes) -> None:
    assert encoded(text) is None


def test_an_encoded_bookmark_may_hold_a_number_beyond_all_reason() -> None:
    text = b'{"bookmarks":{"s":{"partitions":[{"context":{"a":"1"},"x":1e999}]}}}'
    state = readable(of_text(text), unchanged)["bookmarks"]["s"]
    assert Bookmarks(state, KEY).get({"a": "1"}) == {"x": float("inf")}
    state = readable(of_text(text.replace(b"1e999", b"9" * 5_000)), unchanged)
    found = Bookmarks(state["bookmarks"]["s"], KEY).get({"a": "1"})
    assert found == {"x": "9" * 5_000}, "as text, which is no number of a bookmark"


def test_encoded_bookmarks_of_an_older_version_are_converted() -> None:
    entry = {"context": meter("1"), "at": 1}
    text = json.dumps({"bookmarks": {"s": {"partitions": [entry]}}}).encode()
    found = readable(of_text(text), lambda *_: {"at": "new"})["bookmarks"]["s"]
    assert found["partitions"] == [{"context": meter("1"), "at": "new"}]


# --- sending STATE --------------------------------------------------------------------


class Writer:
    """Takes messages as the writer does, and keeps them."""

    def __init__(self) -> None:
        self.record_bytes = 0
        self.states: list[Any] = []

    def write_message(self, message: Any) -> None:
        self.states.append(copy.deepcopy(message.value))


class Bench:
    """An outlet with a clock of its own."""

    def __init__(self, interval: float) -> None:
        self.now = 0.0
        self.writer = Writer()
        self.outlet = StateOutlet(self.writer, interval, lambda: self.now)  # type: ignore[arg-type]
        self.number = 0

    def offer(self, seconds: float = 0, record_bytes: int = 0) -> bool:
        """Offer another STATE; whether it went out."""
        self.now += seconds
        self.writer.record_bytes += record_bytes
        self.number += 1
        before = len(self.writer.states)
        self.outlet.offer({"n": self.number})
        return len(self.writer.states) > before


MUCH = 1_000_000


def test_an_offer_waits_for_the_interval() -> None:
    bench = Bench(10)
    assert not bench.offer(9.9, MUCH)
    assert bench.offer(0.1)
    assert not bench.offer(9.9)
    assert bench.offer(0.2)


def test_an_interval_of_zero_sends_every_offer() -> None:
    bench = Bench(0)
    assert all(bench.offer() for _ in range(5))
    assert len(bench.writer.states) == 5


def test_state_is_held_back_while_it_outweighs_the_records() -> None:
    bench = Bench(10)
    assert bench.offer(10, 100)  # nobody knows yet how much it weighs
    assert not bench.offer(20)
    weight = len(b'{"n":1}')
    assert not bench.offer(20, int(2 * weight / STATE_SHARE) - 101)
    assert bench.offer(20, 1)


def test_after_five_minutes_it_goes_out_whatever_it_weighs() -> None:
    bench = Bench(10)
    assert bench.offer(10)
    assert not bench.offer(LONGEST_INTERVAL - 1)
    assert bench.offer(1)


def test_told_to_it_sends_at_once_but_nothing_twice() -> None:
    bench = Bench(10)
    bench.outlet.write_state({"n": 1})
    bench.outlet.write_state({"n": 1})
    bench.outlet.write_state({"n": 2})
    bench.outlet.write_state({"n": 1})
    assert bench.writer.states == [{"n": 1}, {"n": 2}, {"n": 1}]


def test_what_was_sent_may_change_afterwards() -> None:
    bench = Bench(10)
    state: dict[str, Any] = {"list": [1]}
    bench.outlet.write_state(state)
    state["list"].append(2)
    bench.outlet.write_state(state)
    assert bench.writer.states == [{"list": [1]}, {"list": [1, 2]}]


def test_being_told_to_starts_the_interval_anew() -> None:
    bench = Bench(10)
    bench.now = 9
    bench.outlet.write_state({"n": 0})
    assert not bench.offer(9, MUCH)
    assert bench.offer(1)


def steps() -> Iterator[st.SearchStrategy[Any]]:
    yield st.floats(0, 40)
    yield st.integers(0, 2000)


@given(st.lists(st.tuples(*steps()), max_size=60), st.floats(1, 100))
def test_never_sooner_than_the_interval_and_never_more_than_its_share(
    offers: list[tuple[float, int]], interval: float
) -> None:
    bench = Bench(interval)
    last, weight = 0.0, 0
    for seconds, record_bytes in offers:
        if not bench.offer(seconds, record_bytes):
            assert bench.now - last < LONGEST_INTERVAL
            continue
        waited, last = bench.now - last, bench.now
        assert waited >= interval or waited >= LONGEST_INTERVAL
        one = len(json.dumps(bench.writer.states[-1], separators=(",", ":")))
        if weight and waited < LONGEST_INTERVAL:
            # The weight is guessed from the STATE before; here it grows by a digit.
            assert weight + one <= STATE_SHARE * bench.writer.record_bytes + 1
        weight += one
