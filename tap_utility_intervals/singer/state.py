"""Bookmarks found at once, and STATE messages sent in measure.

The layout is the SDK's: `{"bookmarks": {stream: {"partitions": [{"context": …,
"replication_key": …, "replication_key_value": …, …}]}}}`. The SDK looks a partition up
by walking the list for every record, and copies and compares the whole state at every
write; neither bears tens of thousands of meters.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec
from msgspec import Raw, Struct
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import StateMessage
from typing_extensions import override

from tap_utility_intervals.floor.errors import ConfigError

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding import GenericSingerWriter

    from tap_utility_intervals.singer.writer import PageWriter

VERSION = 2
"""Of what a bookmark holds beyond the SDK's own keys.

1: UtilityAPI's instants were seconds since 1970. 2: all instants are texts.
"""

Upgrade: TypeAlias = Callable[[str, Mapping[str, str], dict[str, Any]], dict[str, Any]]
"""Makes a bookmark of this version of one of an earlier: stream, context, bookmark."""

Key: TypeAlias = tuple[tuple[str, str], ...]
"""What names a source: its context, sorted. Empty for the stream as a whole."""

Changes: TypeAlias = dict[Key, dict[str, Any] | None]
"""Entries of STATE by source; None for a source that is no more."""

Entry: TypeAlias = dict[str, Any] | Raw
"""What STATE holds of a source; of most sources nobody asks more than whose it is, so
that what a file has of them stays the text that it is."""

_WHOSE = ("context", "replication_key")
"""What in an entry is not the bookmark, but says whose it is, and of which column."""

STATE_SHARE = 0.05
"""Bytes of STATE to a byte of records, at most; of many sources STATE is large."""

LONGEST_INTERVAL = 300.0
"""Seconds after which a STATE is due whatever it weighs, for a run may be cut off."""


class Bookmarks:
    """The bookmarks of one stream's sources, each found by its context in O(1).

    Providers that are read side by side share them.
    """

    def __init__(self, stream_state: dict[str, Any], replication_key: str) -> None:
        """Index the partitions of `stream_state`; that is where they live."""
        self.replication_key = replication_key
        self._state = stream_state
        self._changes: Changes | None = None
        self.is_changed = False
        """Whether anything has changed since somebody set this to False."""
        self._lock = threading.RLock()
        self._index(stream_state.get("partitions", []))

    def _index(self, entries: list[Entry]) -> None:
        self._entries = entries
        self._places = {_key(_context(e)): place for place, e in enumerate(entries)}

    def __len__(self) -> int:
        """How many sources have a bookmark."""
        return len(self._places)

    def watch(self) -> None:
        """From now on, keep what changes for whoever asks for `changes`."""
        self._changes = {}

    def changes(self) -> Changes:
        """Return what has changed since this was asked last, or since `watch`."""
        with self._lock:
            found, self._changes = self._changes or {}, {}
        return found

    def _changed(self, key: Key, entry: dict[str, Any] | None) -> None:
        self.is_changed = True
        if self._changes is not None:
            self._changes[key] = entry

    def get(self, context: Mapping[str, str]) -> dict[str, Any] | None:
        """Return a copy of what is remembered of a source, None if never read."""
        with self._lock:
            place = self._places.get(_key(context))
            if place is None:
                return None
            entry = opened(self._entries[place])
        if entry.get("replication_key", self.replication_key) != self.replication_key:
            return None  # it followed another column: worthless for this one
        return {name: value for name, value in entry.items() if name not in _WHOSE}

    def put(self, context: Mapping[str, str], bookmark: Mapping[str, Any]) -> None:
        """Remember a source, in the place of what was remembered before.

        In one step: a signal in the midst of it finds the old bookmark or the new one.
        """
        key = _key(context)
        entry = {
            "context": dict(context),
            "replication_key": self.replication_key,
            **bookmark,
        }
        with self._lock:
            place = self._places.get(key)
            self._changed(key, entry)
            if place is not None:
                self._entries[place] = entry
                return
            self._state["version"] = VERSION
            self._state["partitions"] = self._entries
            self._places[key] = len(self._entries)
            self._entries.append(entry)

    def note(self, name: str, value: str | None) -> None:
        """Remember something of the stream as a whole, beside its sources."""
        if value is not None and self._state.get(name) != value:
            self._state[name] = value
            noted = {n: v for n, v in self._state.items() if n != "partitions"}
            self._changed((), noted)

    def keep_only(self, provider: str, contexts: Iterable[Mapping[str, str]]) -> None:
        """Forget this provider's sources that are not among these."""
        keys = {_key(context) for context in contexts}
        mine = ("provider", provider)
        with self._lock:
            gone = {key for key in self._places if mine in key} - keys
            for key in gone:
                del self._places[key]
                self._changed(key, None)
            if gone:
                kept = [self._entries[place] for place in self._places.values()]
                self._state["partitions"] = kept
                self._index(kept)


def _key(context: Mapping[str, str]) -> Key:
    """Return a context's key, of any order: whoever stores STATE may sort its names."""
    return tuple(sorted(zip(context, map(str, context.values()), strict=True)))


class _Whose(Struct, gc=False):
    """As much of an entry as is decoded to find it."""

    context: dict[str, Any]


_WHOSE_ONLY = msgspec.json.Decoder(_Whose)


def _context(entry: object) -> dict[str, Any]:
    """Return whose entry it is.

    Raises:
        ValueError: when it does not say.
    """
    if isinstance(entry, Raw):
        return _WHOSE_ONLY.decode(entry).context
    context = entry.get("context") if isinstance(entry, dict) else None
    if not isinstance(context, dict):
        raise ValueError("an entry without its context")  # noqa: TRY004 - STATE's fault
    return context


def opened(entry: Entry) -> dict[str, Any]:
    """Return all that STATE holds of a source, decoded."""
    if isinstance(entry, dict):
        return entry
    try:
        found: dict[str, Any] = msgspec.json.decode(entry)
    except ValueError:  # a number beyond all reason
        found = json.loads(bytes(entry), parse_int=str)
    return found


class _State(Struct, gc=False):
    """STATE as ours is: by stream, by name, what is decoded later."""

    bookmarks: dict[str, dict[str, Raw]]


def encoded(text: bytes) -> dict[str, Any] | None:
    """Return STATE whose sources' entries are left encoded, each on one line.

    None if it has another form than ours, is not all UTF-8, or no JSON at all.
    """
    try:
        # What is left encoded is not looked at, and would go out as it is.
        str(text, "utf-8")
        streams = msgspec.json.decode(msgspec.json.format(text, indent=-1), type=_State)
        return {
            "bookmarks": {
                name: {
                    key: msgspec.json.decode(
                        value, type=list[Raw] if key == "partitions" else Any
                    )
                    for key, value in stream.items()
                }
                for name, stream in streams.bookmarks.items()
            }
        }
    except (ValueError, RecursionError):
        return None


def readable(state: Mapping[str, Any], upgrade: Upgrade) -> dict[str, Any]:
    """Return a state as it was handed back, without what no bookmark can be read from.

    All of it is of this version then: no state holds bookmarks in two forms.

    Raises:
        ConfigError: when a newer version of this tap wrote it.
    """
    bookmarks = state.get("bookmarks")
    streams = bookmarks if isinstance(bookmarks, dict) else {}
    return {
        "bookmarks": {
            name: _readable(name, found, upgrade)
            for name, found in streams.items()
            if isinstance(found, dict)
        }
    }


def _readable(
    stream: str, found: Mapping[str, Any], upgrade: Upgrade
) -> dict[str, Any]:
    version = found.get("version", 1)
    if not isinstance(version, int) or version > VERSION:
        problem = f"has version {version} for {stream}, this tap knows up to {VERSION}"
        advice = "upgrade the tap, or start without that state"
        setting = "state"
        raise ConfigError(setting, f"{problem}: {advice}")
    if "partitions" not in found:
        return dict(found)
    entries = found["partitions"] if isinstance(found["partitions"], list) else []
    kept = [entry for entry in entries if _is_somebodys(entry)]
    if version < VERSION:
        kept = [_upgraded(stream, opened(entry), upgrade) for entry in kept]
    return {**found, "version": VERSION, "partitions": kept}


def _is_somebodys(entry: object) -> bool:
    try:
        _context(entry)
    except ValueError:
        return False
    return True


def _upgraded(
    stream: str, entry: Mapping[str, Any], upgrade: Upgrade
) -> dict[str, Any]:
    whose = {name: entry[name] for name in _WHOSE if name in entry}
    bookmark = {name: value for name, value in entry.items() if name not in _WHOSE}
    return {**whose, **upgrade(stream, entry["context"], bookmark)}


class StateOutlet(StateWriter):
    """Sends STATE: always when told to, and in measure when offered.

    An offered STATE goes out at most every `interval` seconds, and only as long as all
    STATE together stays within `STATE_SHARE` of the records' bytes, or after
    `LONGEST_INTERVAL`. An interval of 0 sends every one.
    Equal STATE is never sent twice.
    """

    def __init__(
        self,
        writer: GenericSingerWriter[Any, Any],
        interval: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send through `writer`; the first offer is due after one interval."""
        super().__init__(writer)
        self.interval = interval
        self._pages = cast("PageWriter", writer)
        self._clock = clock
        self._last_sent = clock()
        self._last_digest = b""
        self._last_size = 0
        self._bytes = 0

    @override
    def write_state(self, state: Any) -> None:
        """Send the STATE now, unless it is the one that was sent last."""
        body = msgspec.json.encode(state)
        digest = hashlib.blake2b(body, digest_size=16).digest()
        self._last_sent = self._clock()
        self._last_size = size = len(body)
        del body  # of many sources it is large, and the writer makes another
        if digest == self._last_digest:
            return
        self._message_writer.write_message(StateMessage(value=state))
        self._last_digest = digest
        self._bytes += size

    def offer(self, state: Any) -> None:  # noqa: ANN401
        """Send the STATE if one is due."""
        if self._is_due():
            self.write_state(state)

    def _is_due(self) -> bool:
        elapsed = self._clock() - self._last_sent
        if self.interval == 0 or elapsed >= LONGEST_INTERVAL:
            return True
        allowed = STATE_SHARE * self._pages.record_bytes
        return elapsed >= self.interval and self._bytes + self._last_size <= allowed
