"""Bookmarks found at once, and STATE messages sent in measure.

The layout is the SDK's: `{"bookmarks": {stream: {"partitions": [{"context": …,
"replication_key": …, "replication_key_value": …, …}]}}}`. The SDK looks a partition up
by walking the list for every record, and copies and compares the whole state at every
write; neither bears tens of thousands of meters.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import msgspec
from singer_sdk.helpers._state import StateWriter
from singer_sdk.singerlib import StateMessage
from typing_extensions import override

from tap_utility_intervals.errors import ConfigError

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding import GenericSingerWriter

    from tap_utility_intervals.writer import PageWriter

VERSION = 1
"""Of what a bookmark holds beyond the SDK's own keys."""

STATE_SHARE = 0.05
"""STATE may make up so much of what is written, beside the records."""

LONGEST_INTERVAL = 300.0
"""Seconds after which a STATE is due whatever it weighs."""


class Bookmarks:
    """The bookmarks of one stream's sources, each found by its context in O(1)."""

    def __init__(self, stream_state: dict[str, Any], replication_key: str) -> None:
        """Index the partitions of `stream_state`, which stays the place they live in.

        Raises:
            ConfigError: when a newer version of this tap wrote the state.
        """
        found = stream_state.get("version", VERSION)
        if not isinstance(found, int) or found > VERSION:
            problem = f"has version {found}, newer than this tap's {VERSION}"
            example = "upgrade the tap, or start without that state"
            setting = "state"
            raise ConfigError(setting, problem, example)
        self.replication_key = replication_key
        self._state = stream_state
        self._entries: dict[tuple[str, ...], dict[str, Any]] = {}
        for entry in stream_state.get("partitions", []):
            self._entries[_key(entry.get("context", {}))] = entry

    def __len__(self) -> int:
        """How many sources have a bookmark."""
        return len(self._entries)

    def get(self, context: Mapping[str, str]) -> dict[str, Any] | None:
        """A copy of what is remembered of a source, or None if it was never read."""
        entry = self._entries.get(_key(context))
        if entry is None:
            return None
        if entry.get("replication_key", self.replication_key) != self.replication_key:
            return None  # it followed another column: worthless for this one
        return {
            name: value
            for name, value in entry.items()
            if name not in {"context", "replication_key"}
        }

    def put(self, context: Mapping[str, str], bookmark: Mapping[str, Any]) -> None:
        """Remember a source, in the place of what was remembered before."""
        key = _key(context)
        entry = self._entries.get(key)
        if entry is None:
            self._state["version"] = VERSION
            entry = self._entries[key] = {}
            self._state.setdefault("partitions", []).append(entry)
        entry.clear()
        entry["context"] = dict(context)
        entry["replication_key"] = self.replication_key
        entry.update(bookmark)

    def keep_only(self, provider: str, contexts: Iterable[Mapping[str, str]]) -> None:
        """Forget this provider's sources that are not among these."""
        keys = {_key(context) for context in contexts}
        kept = {
            key: entry
            for key, entry in self._entries.items()
            if key in keys or entry.get("context", {}).get("provider") != provider
        }
        if len(kept) != len(self._entries):
            self._entries = kept
            self._state["partitions"] = list(kept.values())


def _key(context: Mapping[str, str]) -> tuple[str, ...]:
    """A context's values by name: whoever stores STATE may sort its keys."""
    return tuple(str(context[name]) for name in sorted(context))


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
        self.sent = 0
        self._pages = cast("PageWriter", writer)
        self._clock = clock
        self._last_sent = clock()
        self._last_digest = b""
        self._last_size = 0
        self._bytes = 0

    @override
    def write_state(self, state: Any) -> None:
        """Send the STATE now, unless it is the one that was sent last."""
        encoded = msgspec.json.encode(state)
        digest = hashlib.blake2b(encoded, digest_size=16).digest()
        self._last_sent = self._clock()
        self._last_size = len(encoded)
        if digest == self._last_digest:
            return
        self._message_writer.write_message(StateMessage(value=state))
        self._last_digest = digest
        self._bytes += len(encoded)
        self.sent += 1

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
