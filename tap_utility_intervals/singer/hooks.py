"""The SDK's tap, whose private hooks become methods that a tap may well override."""

from __future__ import annotations

import _thread
import os
from abc import abstractmethod
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from types import FrameType
from typing import Any, cast

import click
from dotenv import dotenv_values
from singer_sdk import Tap
from singer_sdk.exceptions import ConfigValidationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.plugin_base import _ConfigInput
from singer_sdk.singerlib.encoding import GenericSingerWriter
from typing_extensions import override

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.settings.shared import JSONSchema
from tap_utility_intervals.singer import about  # noqa: F401 - it registers itself
from tap_utility_intervals.singer.state import StateOutlet
from tap_utility_intervals.singer.writer import PageWriter, SingerWriter
from tap_utility_intervals.stdout import Terminated, explained

__all__ = ["HookedTap", "classproperty", "given_config"]


metrics_option = click.Option(
    ["--metrics"],
    metavar="FILE",
    help="Write what the run did: JSON, or Prometheus' text form for a name in .prom.",
)


class HookedTap(Tap):
    """A tap that validates, stops and reads its environment in its own way."""

    message_writer_class = SingerWriter

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401 - the SDK's arguments
        """Prepare the tap; nothing is asked of a provider yet."""
        super().__init__(**kwargs)
        self.write_through(self.message_writer)

    def write_through(self, writer: GenericSingerWriter[Any, Any]) -> None:
        """Let a writer have all messages, the STATE among them."""
        self.message_writer = writer
        interval = self.config.get("state_interval_seconds", 10)
        self._state_writer = StateOutlet(writer, interval)

    @classmethod
    @abstractmethod
    def read_setting(cls, text: str, schema: JSONSchema) -> Any:  # noqa: ANN401 - JSON
        """A setting's value as an environment variable holds it."""

    @classmethod
    @abstractmethod
    def read_config(cls, path: str) -> dict[str, Any]:
        """The settings in a file.

        Raises:
            ConfigError: naming the file.
        """

    @classmethod
    @abstractmethod
    def checked(cls, given: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The settings as they are used, and a sentence for each that cannot be."""

    @abstractmethod
    def close(self) -> None:
        """Let go of all connections; may be called twice, and from a signal handler."""

    @property
    def writer(self) -> PageWriter:
        """What writes messages, a page of records at a time."""
        return cast("PageWriter", self.message_writer)

    @classmethod
    def known_settings(cls) -> dict[str, JSONSchema]:
        """Name to JSON Schema, with what the SDK adds for every tap."""
        schema = cls.config_jsonschema
        cls.append_builtin_config(schema)
        found: dict[str, JSONSchema] = schema["properties"]
        return found

    @classmethod
    def environment(cls) -> dict[str, Any]:
        """The settings that environment variables hold, an empty one being unset.

        What they do not hold is looked for in `.env`, here: the SDK looks for one in
        the folders above its own module.

        Raises:
            ConfigError: when there is a `.env` that cannot be read.
        """
        try:
            here = dotenv_values(Path(".env"))
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8"
            raise ConfigError("config", f"cannot be read from .env ({why})") from None
        return {
            name: cls.read_setting(text, schema)
            for name, schema in cls.known_settings().items()
            for variable in [cls._env_var_prefix + name.upper()]
            if (text := os.environ.get(variable) or here.get(variable))
        }

    @classmethod
    def given(cls, sources: Sequence[str]) -> dict[str, Any]:
        """The settings of `--config`, later files over earlier ones, ENV over all.

        Raises:
            ConfigError: naming what cannot be read.
        """
        config: dict[str, Any] = {}
        for path in sources:
            config |= {} if path == "ENV" else cls.read_config(path)
        return config | (cls.environment() if "ENV" in sources else {})

    @classproperty
    @override
    def _env_var_config(cls) -> dict[str, Any]:  # noqa: N805
        found: dict[str, Any] = cls.environment()
        return found

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        self._config, found = self.checked(self._config)
        if found and raise_errors:
            schema = {"properties": self.known_settings()}
            raise ConfigValidationError(found[0], errors=found, schema=schema)
        return found

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        """The SDK's command, but for a state file that a first run does not have."""
        command = super().get_singer_command()
        (state,) = (one for one in command.params if one.name == "state")
        state.type = click.Path(dir_okay=False, allow_dash=True)
        command.params.append(metrics_option)
        command.main = explained()(command.main)  # type: ignore[method-assign]
        return command

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
    def _reset_state_progress_markers(self) -> None:
        """Nothing: no stream here leaves any, and few bookmarks are ever decoded."""

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        """Ask the writing thread to stop between two lines, the others at once."""
        # In a thread: the one that was interrupted may hold the locks this needs.
        _thread.start_new_thread(self.close, ())
        writer = self.__dict__.get("message_writer")
        if writer is None:  # the SDK takes the signals before it makes one
            raise Terminated(signum)
        writer.lines.on_signal(signum, frame)

    def write_last_state(self) -> None:
        """Write the bookmarks as they are, unless that was done.

        Raises:
            OutputGone: nobody would read it.
        """
        self._state_writer.write_state(self.state)

    @override
    @classmethod
    def cb_config(
        cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]
    ) -> _ConfigInput:
        """Read what `--config` names; what cannot be read ends the command."""
        try:
            return _ConfigInput(cls.given(value))
        except ConfigError as error:
            cls.logger.error("%s", error)  # noqa: TRY400 - the sentence is enough
            ctx.exit(1)


def given_config(given: object, **settings: object) -> dict[str, Any]:
    """What `--config` gave, as the tap's arguments, and what other options set."""
    config = given.config if isinstance(given, _ConfigInput) else {}
    parse_env = isinstance(given, _ConfigInput) and given.parse_env
    options = {name: value for name, value in settings.items() if value is not None}
    return {"config": {**config, **options}, "parse_env_config": parse_env}
