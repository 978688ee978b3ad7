"""The Singer tap: settings and providers become streams."""

from __future__ import annotations

import _thread
import gc
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import datetime, timezone
from functools import cached_property
from types import FrameType
from typing import IO, Any, ClassVar, NoReturn

import click
from singer_sdk import Stream, Tap
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import load_json
from singer_sdk.helpers.capabilities import (
    CapabilitiesEnum,
    PluginCapabilities,
    TapCapabilities,
)
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.tap_base import CliTestOptionValue
from typing_extensions import override

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.clock import Clock
from tap_utility_intervals.floor.outcomes import Report
from tap_utility_intervals.floor.records import CoverageRecord
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.providers.base import Provider, Run, Session
from tap_utility_intervals.settings import shared as config
from tap_utility_intervals.singer.state import StateOutlet, readable
from tap_utility_intervals.singer.writer import SingerWriter, Terminated
from tap_utility_intervals.unified import READ_AT, Coverage, Intervals, Meters, Usage


class TapUtilityIntervals(Tap):
    """Interval, meter and usage data from UtilityAPI and Nectar."""

    name = "tap-utility-intervals"
    package_name = "tap-utility-intervals"
    message_writer_class = SingerWriter

    # BATCH is left out: the SDK's would write deselected columns into its files.
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @classproperty
    def own_settings(cls) -> dict[str, config.JSONSchema]:  # noqa: N805
        """Name to JSON Schema, without what the SDK adds for every tap."""
        parts = (*(provider.settings for provider in PROVIDERS), config.SETTINGS)
        return {name: schema for part in parts for name, schema in part.items()}

    @classproperty
    @override
    def config_jsonschema(cls) -> dict[str, Any]:  # noqa: N805
        """The settings as the SDK wants them; it may add its own to what it got."""
        return {"type": "object", "properties": dict(cls.own_settings)}

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's arguments
        """Prepare the tap; nothing is asked of a provider yet."""
        self.started = datetime.now(timezone.utc)
        self.clock = Clock()
        self.covered: list[CoverageRecord] = []
        super().__init__(**kwargs)
        self.report = Report(self.logger)
        interval = self.config.get("state_interval_seconds", 10)
        self._state_writer = StateOutlet(self.message_writer, interval)

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
        settings = config.Settings.parse(self.config)
        selected = {name for name, stream in self.streams.items() if stream.selected}
        run = Run(
            self.config, settings, self.report, self.started, selected, self.clock
        )
        return [provider.connect(run) for provider in self.providers]

    @override
    def setup_mapper(self) -> None:
        """Make the stream maps, also those of streams that are not selected.

        The SDK gives such a stream no columns, and then fails for want of its key.
        """
        super(Tap, self).setup_mapper()
        known = deepcopy(self.catalog)
        for entry in known.streams:
            entry.metadata.root.selected = True
        self.mapper.register_raw_streams_from_catalog(known)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(readable(state))
        for stream in self.state.get("bookmarks", {}).values():
            self.clock.follow(stream.get(READ_AT))

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        self._config = config.tidied(self._config, schema["properties"])
        found = config.problems(self._config, schema)
        try:
            config.refuse_unknown(self._config, schema["properties"])
            if not found:
                self._check_settings()
        except errors.ConfigError as error:
            found = [str(error), *found]
        if found and raise_errors:
            raise ConfigValidationError(found[0], errors=found, schema=schema)
        return found

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        """The settings that environment variables hold, an empty one being unset."""
        schema = cls.config_jsonschema
        cls.append_builtin_config(schema)
        known = schema["properties"]
        texts = parse_environment_config(
            {"properties": {name: {"type": "string"} for name in known}},
            cls._env_var_prefix,
        )
        return {
            name: config.from_text(text, known[name])
            for name, text in texts.items()
            if text
        }

    def _check_settings(self) -> None:
        settings = config.Settings.parse(self.config)
        if not self.providers:
            either = " or ".join(p.credential for p in PROVIDERS)
            raise errors.ConfigError(
                either, "must be set: no provider has a credential"
            )
        for provider in self.providers:
            provider.check(self.config, settings)

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Ask the writing thread to stop between two lines, the others at once."""
        # In a thread: the one that was interrupted may hold the locks this needs.
        _thread.start_new_thread(self._close_sessions, ())
        writer = self.message_writer
        if isinstance(writer, SingerWriter):
            writer.terminate(signum)
        else:
            raise Terminated(signum)

    @override
    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: Any = None,
        state: IO[str] | None = None,
        catalog: IO[str] | None = None,
    ) -> None:
        """Run the tap: as the SDK does, with an exit code that tells what happened."""
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        try:
            tap = cls(
                config=config.config if config else None,
                state=_load("state", state),
                catalog=_load("catalog", catalog),
                parse_env_config=bool(config and config.parse_env),
            )
        except errors.TapError as error:
            cls.logger.error("%s", error)  # noqa: TRY400 - the sentence is enough
            sys.exit(1)
        # Millions of rows come and go without a cycle among them: look for one seldom.
        gc.freeze()
        gc.set_threshold(20_000, 50, 100)
        tap.run_to_the_end()

    @override
    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read the files of `--config`."""
        try:
            return super().cb_config(ctx, param, value)
        except (OSError, ValueError, TypeError) as error:
            files = " ".join(value)
            cls.logger.error("Cannot read the configuration %s: %s", files, error)  # noqa: TRY400
            ctx.exit(1)

    @override
    @classmethod
    def cb_test(cls, ctx: click.Context, param: click.Option, value: str) -> None:
        """Sync one record of each stream; exit with 1 if a provider refuses."""
        given: _ConfigInput = ctx.params.get("config") or _ConfigInput()
        try:
            if value != CliTestOptionValue.All.value:
                super().cb_test(ctx, param, value)
                return
            tap = cls(config=given.config, parse_env_config=given.parse_env)
            tap.run_connection_test()
        except ConfigValidationError as refusal:
            for sentence in refusal.errors:
                cls.logger.error(sentence)  # noqa: TRY400
            ctx.exit(1)
        tap.report.summarise()
        tap._leave(1 if tap.report.failed else 0)

    def run_to_the_end(self) -> NoReturn:
        """Sync everything, then exit: 0 if all is well, 1 if not, 128 + n on signal n.

        Whatever ends the run, the last STATE goes out: bookmarks cover only what was
        written, so they are true at any moment.
        """
        try:
            self.sync_all()
            self.report.summarise()
        except Terminated as terminated:
            for signum in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signum, signal.SIG_IGN)
            self.logger.warning("Asked to stop; the state so far is written.")
            self._write_last_state()
            self._leave(128 + terminated.signum)
        except BrokenPipeError:
            self._forget_target()
            self._leave(1)
        except errors.TapError as error:
            self.logger.error("%s", error)  # noqa: TRY400 - the sentence is enough
            self._write_last_state()
            self._leave(1)
        except BaseException:
            self._write_last_state()
            raise
        self._leave(1 if self.report.failed else 0)

    def _write_last_state(self) -> None:
        try:
            self._state_writer.write_state(self.state)
        except BrokenPipeError:
            self._forget_target()

    def _forget_target(self) -> None:
        """Nobody reads on: let nothing try to write again, not even the interpreter."""
        self.logger.error("The target went away; run again to resume.")
        with suppress(OSError):  # a test's standard output has no number
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def _leave(self, code: int) -> NoReturn:
        self._close_sessions()
        sys.exit(code)

    def _close_sessions(self) -> None:
        for session in self.__dict__.get("sessions", ()):
            session.close()


def _load(setting: str, file: IO[str] | None) -> dict[str, Any] | None:
    """The JSON object in a file; an empty file holds none.

    Raises:
        ConfigError: when it is something else.
    """
    text = file.read().strip() if file else ""
    if not text:
        return None
    try:
        found = load_json(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        problem = "is not a JSON object"
        raise errors.ConfigError(setting, problem)
    return found
