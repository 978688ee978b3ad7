"""What is remembered of each meter between runs: one type for each stream. Pure.

A bookmark of `intervals` in STATE, instants as text in their one UTC form:

| field | meaning |
|---|---|
| `replication_key_value` | the furthest reading's start |
| `rules` | what decides how a row looks: see `Rules.digest` |
| `listed` | hash of the meter as listed; absent unless that was proved by reading |
| `seen` | the same without proof |
| `since`, `until` | start and end date when last read; absent: without bound |
| `covered` | edges of the covered ranges; of many, a hash (see `listing.covered`) |
| `edge` | see `Edge` |
| `scanned` | day number on which history was last read whole |
| `read` | when the meter was last read |
| `updated` | the newest `updated` of a block |
| `absent` | edges of stretches that are promised and did not come; the longest |
| `holes` | how many such stretches there are, if more than are in `absent` |
| `lacking` | how many more readings are counted than came or are in `absent` |
| `mixed` | true once readings of other lengths were asked for |
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from typing_extensions import Self

from tap_utility_intervals.floor.instants import DAY, earlier, micros_form, seconds_form
from tap_utility_intervals.floor.ranges import Range
from tap_utility_intervals.providers.base import Bookmark
from tap_utility_intervals.providers.bookmarks import EPOCH, moment, shown

_SECOND = timedelta(seconds=1)

LARGEST = 10**12
"""Beyond it a number in STATE is no count and no day."""


class Edge(Struct, frozen=True, gc=False):
    """Where the look-back began and what lay before it; in STATE a list of three."""

    start: datetime
    begins: datetime | None
    """First reading of the oldest block that reaches into the look-back."""
    older: int | None
    """Readings that the provider counts before the look-back."""

    @property
    def reach(self) -> datetime:
        """`begins` holds for what starts here or later."""
        return earlier(self.start, DAY)


class _Stored(Struct, frozen=True, gc=False):
    """What STATE remembers for one stream."""

    @classmethod
    def parse(cls, found: Bookmark | None) -> Self | None:
        """Read a bookmark; None for none, and for one that holds anything odd."""
        if not found:
            return None
        try:
            return cls._of(found)
        except (KeyError, TypeError, ValueError, OverflowError):
            return None

    @classmethod
    @abstractmethod
    def _of(cls, found: Bookmark) -> Self:
        """Read a bookmark that is there, or raise one of these four."""


class IntervalBookmark(_Stored, frozen=True, gc=False):
    """A meter's bookmark of `intervals`; see the module's docstring."""

    rules: str = ""
    newest: datetime | None = None
    listed: str | None = None
    seen: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    covered: tuple[Range, ...] | str | None = None
    edge: Edge | None = None
    scanned: int | None = None
    read: datetime | None = None
    updated: datetime | None = None
    absent: tuple[Range, ...] = ()
    holes: int = 0
    lacking: int = 0
    mixed: bool = False

    @property
    def has_more_holes(self) -> bool:
        """Whether more is absent than `absent` tells."""
        return self.holes > len(self.absent)

    @classmethod
    def _of(cls, found: Bookmark) -> Self:
        covered = found.get("covered")
        return cls(
            rules=_word(found["rules"]),
            newest=moment(found.get("replication_key_value")),
            listed=_text(found.get("listed")),
            seen=_text(found.get("seen")),
            since=moment(found.get("since")),
            until=moment(found.get("until")),
            covered=covered if isinstance(covered, str) else _ranges(covered),
            edge=_edge(found.get("edge")),
            scanned=_number(found.get("scanned", 0)),
            read=moment(found.get("read")),
            updated=moment(found.get("updated")),
            absent=_ranges(found.get("absent")) or (),
            holes=_number(found.get("holes", 0)),
            lacking=_number(found.get("lacking", 0)),
            mixed=_flag(found.get("mixed")) or _word(found["rules"]).endswith("m"),
        )

    def state(self) -> Bookmark:
        """The JSON of it."""
        covered = self.covered
        edge = self.edge
        found: dict[str, Any] = {
            "replication_key_value": shown(self.newest),
            "listed": self.listed,
            "seen": self.seen if self.seen != self.listed else None,
            "rules": self.rules,
            "since": shown(self.since),
            "until": shown(self.until),
            "covered": covered if isinstance(covered, str) else edges(covered),
            "edge": edge and [shown(edge.start), shown(edge.begins), edge.older],
            "scanned": self.scanned,
            "read": shown(self.read),
            "updated": shown(self.updated),
            "absent": edges(self.absent) or None,
            "holes": self.holes if self.has_more_holes else None,
            "lacking": self.lacking or None,
            "mixed": self.mixed or None,
        }
        return {name: value for name, value in found.items() if value is not None}


class BillBookmark(_Stored, frozen=True, gc=False):
    """A meter's bookmark of `usage` and `utilityapi_bills`."""

    newest: datetime | None = None
    """The furthest `updated` of a bill."""
    listed: str | None = None
    """Hash of the meter's bills as listed when they were read whole."""
    scanned: int | None = None
    """Day number on which they were last read; None: never."""
    lacking: int = 0
    """How many the listing promised that did not come; told already."""

    @classmethod
    def _of(cls, found: Bookmark) -> Self:
        return cls(
            newest=moment(found.get("replication_key_value")),
            listed=_text(found.get("listed")),
            scanned=_number(found["scanned"]),
            lacking=_number(found.get("lacking", 0)),
        )

    def state(self) -> Bookmark:
        """The JSON of it."""
        found = {
            "replication_key_value": self.newest and micros_form(self.newest),
            "listed": self.listed,
            "scanned": self.scanned,
            "lacking": self.lacking or None,
        }
        return {name: value for name, value in found.items() if value is not None}


class EventBookmark(_Stored, frozen=True, gc=False):
    """The bookmark of `utilityapi_events`: all events are one source."""

    newest: datetime | None = None
    """The furthest `ts`."""
    since: datetime | None = None
    """Start date when last read; None: without bound."""
    only: str | None = None
    """Hash of the meters and authorizations whose events were kept; None: of all."""

    @classmethod
    def _of(cls, found: Bookmark) -> Self:
        newest = moment(found.get("replication_key_value"))
        return cls(newest, moment(found.get("since")), _text(found.get("only")))

    def state(self) -> Bookmark:
        """The JSON of it."""
        newest = self.newest and micros_form(self.newest)
        since = shown(self.since)
        found = {"replication_key_value": newest, "since": since, "only": self.only}
        return {name: value for name, value in found.items() if value is not None}


def floor(instant: datetime) -> datetime:
    """The whole second that an instant lies in: STATE holds no fractions."""
    return instant.replace(microsecond=0)


def ceiling(instant: datetime) -> datetime:
    """The next whole second, unless it is one."""
    return floor(instant) if not instant.microsecond else floor(instant) + _SECOND


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise ValueError("no text")
    return value


def _flag(value: object) -> bool:
    if value is not None and value is not True:
        raise ValueError("neither true nor absent")
    return value is True


def _word(value: object) -> str:
    found = _text(value)
    if found is None:
        raise ValueError("null in the place of a text")
    return found


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("no whole number")  # noqa: TRY004 - all that is odd is one error
    if abs(value) > LARGEST:
        raise ValueError("no count and no day")
    return value


def _known(value: object) -> datetime:
    found = moment(value)
    if found is None:
        raise ValueError("null in the place of an instant")
    return found


def _ranges(value: object) -> tuple[Range, ...] | None:
    """Ranges from a flat list of their edges."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("no list of edges")  # noqa: TRY004 - all that is odd is one error
    edges = [_known(one) for one in value]
    ranges = tuple(zip(edges[::2], edges[1::2], strict=True))
    if any(start > end for start, end in ranges):
        raise ValueError("a range that ends before it begins")
    return ranges


def edges(ranges: Iterable[Range] | None) -> list[str] | None:
    """A flat list of the edges of ranges, as STATE holds them."""
    if ranges is None:
        return None
    return [seconds_form(edge) for span in ranges for edge in span]


def _edge(value: object) -> Edge | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise ValueError("no list of three")  # noqa: TRY004 - all that is odd is one error
    start, begins, older = value
    return Edge(
        _known(start), moment(begins), None if older is None else _number(older)
    )


def upgrade(stream: str, entry: Bookmark) -> Bookmark:
    """Make a bookmark of STATE version 2 of one of version 1, which held epoch numbers.

    What is odd in it stays odd: then `parse` refuses it.
    """
    if stream != "intervals":
        return entry
    try:
        return {**entry, **_upgraded(entry)} if entry else entry
    except (TypeError, ValueError, OverflowError):
        return {**entry, "rules": None}


def _upgraded(entry: Mapping[str, Any]) -> Bookmark:
    """What version 1 held as numbers: epoch seconds, and of coverage epoch minutes."""
    found: Bookmark = {
        name: _from_epoch(entry[name]) for name in ("since", "until") if name in entry
    }
    if isinstance(entry.get("covered"), list):
        found["covered"] = [_from_epoch(60 * minutes) for minutes in entry["covered"]]
    if "edge" in entry:
        start, begins, older = entry["edge"]
        found["edge"] = [
            _from_epoch(start),
            None if begins is None else _from_epoch(begins),
            older,
        ]
    return found


def _from_epoch(seconds: float) -> str:
    return seconds_form(EPOCH + timedelta(seconds=seconds))
