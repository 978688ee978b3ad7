"""The Singer tap: settings and providers become streams."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from functools import cached_property
from importlib import import_module
from typing import IO, Any, ClassVar, NoReturn

import click
from singer_sdk import Stream
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers.capabilities import (
    CapabilitiesEnum,
    PluginCapabilities,
    TapCapabilities,
)
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_utility_intervals import metrics, runs
from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.garbage import collect_garbage_seldom
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import CoverageRecord
from tap_utility_intervals.floor.tally import Tally
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Bookmark, Provider, Run, Session
from tap_utility_intervals.settings import checks
from tap_utility_intervals.settings.shared import JSONSchema, Settings
from tap_utility_intervals.singer.hooks import HookedTap, classproperty, given_config
from tap_utility_intervals.singer.state import encoded, opened, readable
from tap_utility_intervals.stdout import OutputGone, Terminated
from tap_utility_intervals.unified import READ_AT, Coverage, Intervals, Meters, Usage

BATCHES = "batch_config"
"""The setting that asks for Arrow files."""

DOCTOR = " `utility-intervals doctor` checks it."

ALL_SELECTED = (
    "All streams are selected, the providers' own with their names and e-mails "
    "included: Meltano does so by default. For the unified streams alone: "
    "`select: [meters.*, intervals.*, usage.*, coverage.*]`."
)


class TapUtilityIntervals(HookedTap):
    """Interval, meter and usage data from UtilityAPI and Nectar."""

    name = "tap-utility-intervals"
    package_name = "tap-utility-intervals"

    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.BATCH,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @classproperty
    @override
    def config_jsonschema(cls) -> dict[str, Any]:  # noqa: N805
        """The settings as the SDK wants them; it may add its own to what it got."""
        return {"type": "object", "properties": runs.own_settings()}

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's arguments
        """Prepare the tap; nothing is asked of a provider yet."""
        self.started = datetime.now(timezone.utc)
        self.clock = Clock()
        self.covered: list[CoverageRecord] = []
        self.shares = 1
        self.tally = Tally()
        super().__init__(**kwargs)
        self.report = Report(self.logger)
        self.report.tolerated = self.config.get("max_failed_sources", 0)
        if path := self.config.get(metrics.SETTING):
            metrics.usable(path)
            self.tally.is_watched = True
        if (batches := self.config.get(BATCHES)) and not kwargs.get("message_writer"):
            self.write_through(self._batch_writer(batches["storage"]))

    def _batch_writer(self, storage: Mapping[str, Any]) -> Any:  # noqa: ANN401
        """What writes Arrow files; by its name, for it lies above and needs an extra.

        Raises:
            ConfigError: the extra is not installed, or no file can be made there.
        """
        try:
            files = import_module("tap_utility_intervals.arrow.files")
        except ImportError as error:
            advice = "pip install 'tap-utility-intervals[arrow]'"
            raise errors.ConfigError(BATCHES, f"needs {error.name}: {advice}") from None
        return files.BatchWriter(storage, self.report.warn)

    @override
    def discover_streams(self) -> Sequence[Stream]:
        providers = self.providers or PROVIDERS
        own = [stream for provider in providers for stream in provider.streams]
        unified: list[type[Stream]] = [Meters, Intervals, Usage, Coverage]
        return [stream(self) for stream in (*unified, *own)]

    @property
    @override
    def streams(self) -> dict[str, Stream]:
        """All streams by name, but `coverage` last: it speaks of what was written."""
        found = super().streams
        if next(reversed(found)) != Coverage.name:
            found[Coverage.name] = found.pop(Coverage.name)
        return found

    @property
    def providers(self) -> list[Provider]:
        """The providers whose credential is set."""
        return [p for p in PROVIDERS if self.config.get(p.credential)]

    @cached_property
    def sessions(self) -> Sequence[Session]:
        """The providers that are on, connected once for all streams of this run."""
        settings = Settings.parse(self.config)
        selected = {name for name, stream in self.streams.items() if stream.selected}
        run = Run(
            self.config,
            settings,
            self.report,
            self.started,
            selected,
            self.clock,
            self.shares,
        )
        return [provider.connect(run) for provider in self.providers]

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        # The SDK's would forget the streams that have no bookmarks.
        if streams := readable(state, _upgraded)["bookmarks"]:
            self.state["bookmarks"] = streams
        for stream in streams.values():
            self.clock.follow(stream.get(READ_AT))

    @classmethod
    @override
    def checked(cls, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        known = cls.known_settings()
        config = checks.tidied(given, known)
        return config, checks.check(config, known, PROVIDERS)

    @classmethod
    @override
    def read_config(cls, path: str) -> dict[str, Any]:
        return runs.json_object(f"config in {path}", runs.json_file("config", path))

    @classmethod
    @override
    def read_setting(cls, text: str, schema: JSONSchema) -> Any:
        return checks.from_text(text, schema)

    @override
    def close(self) -> None:
        for session in self.__dict__.get("sessions", ()):
            session.close()

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: object = None,
        state: str | None = None,
        catalog: IO[str] | None = None,
        metrics: str | None = None,
    ) -> None:
        """Run the tap: as the SDK does, with an exit code that tells what happened."""
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        with cls._told():
            tap = cls(
                state=_kept(state, cls.logger.info),
                catalog=_load("catalog", catalog),
                **given_config(config, metrics_file=metrics),
            )
        if catalog and all(stream.selected for stream in tap.streams.values()):
            tap.logger.warning(ALL_SELECTED)
        collect_garbage_seldom()
        tap.run_to_the_end()

    @classmethod
    @contextmanager
    def _told(cls) -> Iterator[None]:
        """Turn what cannot be used into a sentence each, the last thing said."""
        try:
            yield
        except ConfigValidationError as refusal:
            sentences = refusal.errors
        except errors.TapError as error:
            sentences = [str(error)]
        else:
            return
        for sentence in sentences:
            cls.logger.error("%s", sentence)
        sys.exit(runs.ILL)

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Sync one record of each stream; exit with 1 if a provider refuses."""
        if value != CliTestOptionValue.All.value:
            with cls._told():
                super().cb_test(ctx, param, value)
            return
        with cls._told():
            tap = cls(**given_config(ctx.params.get("config")))
        tap.run_to_the_end(tap.run_connection_test)

    @override
    def run_discovery(self) -> str:
        """Write the catalog, whole or not at all."""
        text = self.catalog_json_text
        try:
            self.writer.lines.write([f"{text}\n".encode()])
        except OutputGone as gone:
            self._leave(runs.ILL, gone)
        return text

    def run_to_the_end(self, work: Callable[[], object] | None = None) -> NoReturn:
        """Sync everything, then exit: 0 if all is well, 1 if not, 128 + n on signal n.

        Whatever ends the run, the last STATE goes out: bookmarks cover only what was
        written, so they are true at any moment.

        Args:
            work: what to do instead.
        """
        try:
            (work or self.sync_all)()
            self.write_last_state()
            self.report.summarise(DOCTOR)
        except Terminated as terminated:
            self.logger.warning("Asked to stop; the state so far is written.")
            self._end(128 + terminated.signum)
        except OutputGone as gone:
            self._leave(runs.ILL, gone)
        except errors.TapError as error:
            self._end(runs.ILL, error)
        except BaseException:
            with suppress(OutputGone):
                self.write_last_state()
            self.write_metrics(runs.ILL)
            raise
        self._leave(runs.exit_code(self.report))

    def _end(self, code: int, error: Exception | None = None) -> NoReturn:
        """Write the last STATE and leave."""
        try:
            self.write_last_state()
        except OutputGone as gone:
            self._leave(code, error or gone)
        self._leave(code, error)

    def _leave(self, code: int, error: Exception | None = None) -> NoReturn:
        if error is not None:
            self.logger.error("%s", error)
        self.close()
        self.write_metrics(code)
        sys.exit(code)

    def write_metrics(self, code: int) -> None:
        """Write what the run did, if a file is wanted; failing at it ends no run."""
        path = self.config.get(metrics.SETTING)
        if not path:
            return
        traffic = {one.name: one.traffic for one in self.__dict__.get("sessions", ())}
        bookmarks = self.state.get("bookmarks", {}).get(Intervals.name, {})
        ran = metrics.Ran(
            self.started,
            code,
            self.config.get("credential_name"),
            [provider.name for provider in self.providers],
            self.report,
            self.tally,
            traffic,
            map(opened, bookmarks.get("partitions", [])),
        )
        try:
            metrics.write(path, ran)
        except OSError as error:
            self.logger.error("%s cannot be written: %s", path, error.strerror)  # noqa: TRY400


def _upgraded(stream: str, context: Mapping[str, str], bookmark: Bookmark) -> Bookmark:
    """A bookmark of an earlier STATE version as its provider has them now."""
    for provider in PROVIDERS:
        if provider.name == context.get("provider"):
            return provider.upgrade(stream, bookmark)
    return bookmark


def _kept(path: str | None, tell: Callable[[str], object]) -> dict[str, Any] | None:
    """The STATE in a file, if there is one; `-` is standard input.

    Raises:
        ConfigError: when it is something else.
    """
    if path is None:
        return None
    if path == "-":
        found = _state("state", sys.stdin.read().encode())
    else:
        found = runs.state_file(path, tell, _state)
    return None if found is None else runs.json_object("state", found)


def _state(what: str, text: bytes) -> Any:  # noqa: ANN401 - JSON
    """STATE as it is used; one of another form as JSON, for a sentence about it."""
    found = encoded(text)
    return runs.json_text(what, text) if found is None else found


def _load(setting: str, file: IO[str] | None) -> dict[str, Any] | None:
    """The JSON object in a file; an empty file holds none.

    Raises:
        ConfigError: when it is something else.
    """
    found = runs.json_text(setting, file.read()) if file else None
    return None if found is None else runs.json_object(setting, found)
