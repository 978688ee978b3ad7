"""Loading: what is read goes into a store, one commit after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tap_utility_intervals import runs
from tap_utility_intervals.arrow.reading import ArrowTap, Batch, Item, Silence
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.stdout import Terminated
from tap_utility_intervals.store.base import (
    Place,
    Store,
    StoreError,
    is_of,
    state_of,
    table_of,
)
from tap_utility_intervals.store.commits import Commits


def load(
    config: Mapping[str, Any],
    store: Store,
    streams: Sequence[str] | None = None,
    *,
    full_refresh: bool = False,
) -> int:
    """Load what is new into a store; the exit code is the tap's.

    Args:
        config: the settings, as in the tap's configuration file.
        store: where to; other loads into it are kept out.
        streams: names; without any `meters`, `intervals`, `usage` and `coverage`.
        full_refresh: read everything, as if for the first time. Nothing is dropped.

    Raises:
        ConfigError: a setting would have no effect, or there is no such stream.
        ConfigValidationError: a setting cannot be used.
        StoreError: the store cannot be used, or another load has it.
    """
    with store.alone():
        whose = config.get("credential_name") or None
        kept = {p: t for p, t in store.bookmarks().items() if is_of(p, whose)}
        # What is noted of a stream as a whole is no bookmark: clocks must pass it.
        used = {p: text for p, text in kept.items() if not (full_refresh and p[1])}
        tap = ArrowTap.of(config, state_of(used))
        tap.select(streams)
        loading = Loading(tap, store, whose)
        loading.forget([place for place in kept if place not in used])
        return loading.run()


class Loading:
    """One load: commits, and how it ends."""

    def __init__(self, tap: ArrowTap, store: Store, whose: str | None = None) -> None:
        """Load what `tap` reads into `store`, with bookmarks of that credential."""
        self._whose = whose
        self._source = tap
        lines = cast("Silence", tap.message_writer).lines
        self._commits = Commits(store, lines)
        for name, stream in tap.streams.items():
            if stream.selected:
                self._commits.pending.expect(table_of(name, stream.primary_keys))

    def forget(self, places: Sequence[Place]) -> None:
        """Let the first commit remove these bookmarks, unless it has new ones."""
        self._commits.pending.bookmarks.update(dict.fromkeys(places))

    def run(self) -> int:
        """Load everything; the exit code is the tap's: 0, 1, or 128 + n on signal n.

        Whatever ends it, what was read is stored, with the bookmarks that cover it.
        """
        tap, code = self._source, runs.ILL
        try:
            code = self._load()
        except StoreError as error:
            tap.logger.error("%s", error)  # noqa: TRY400 - the sentence is enough
            return code
        finally:
            tap.close()
            tap.write_metrics(code)
        self._commits.tell(tap.logger)
        return code

    def _load(self) -> int:
        tap = self._source
        try:
            for item in tap.items():
                self._take(item)
            self._commits.commit()
            tap.report.summarise()
        except Terminated as terminated:
            self._commits.commit()
            tap.logger.warning("Asked to stop; what was read so far is stored.")
            return 128 + terminated.signum
        except StoreError:
            raise
        except TapError as error:
            self._commits.commit()
            tap.logger.error("%s", error)  # noqa: TRY400 - the sentence is enough
            return runs.ILL
        except BaseException:
            self._commits.commit()
            raise
        return runs.exit_code(tap.report)

    def _take(self, item: Item) -> None:
        if not isinstance(item, Batch):
            self._commits.pending.note(item.stream, item.changes, self._whose)
            return
        if self._commits.are_due:  # with the bookmarks that followed the rows before
            self._commits.commit()
        key = self._source.streams[item.stream].primary_keys
        self._commits.pending.add(table_of(item.stream, key), item.rows)
