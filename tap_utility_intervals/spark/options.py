"""What `spark.read` was told, checked before anything is asked of a provider."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from tap_utility_intervals import runs
from tap_utility_intervals.floor.errors import TapError
from tap_utility_intervals.providers import PROVIDERS
from tap_utility_intervals.tap import TapUtilityIntervals

ALONE = ""
"""The name of the credentials in `config`, which need none."""

PARTITIONS = 4
"""At most so many for each credential, unless `partitions` says otherwise."""

READING = frozenset({"config", "credentials"})
PLANNED = READING | {"bookmarks", "plan", "partitions"}
EFFECTIVE = {
    "meters": READING,
    "intervals": PLANNED,
    "usage": PLANNED,
    "coverage": frozenset({"plan"}),
}
"""The options that mean something to a stream, beside `stream` itself."""


class OptionError(TapError):
    """An option of the Spark source is missing or wrong."""

    def __init__(self, option: str, problem: str) -> None:
        """Say it in one sentence, which shows no value that may be a secret."""
        super().__init__(f"Option {option} {problem}.")


@dataclass(frozen=True)
class Options:
    """The options, checked."""

    stream: str
    configs: Mapping[str, dict[str, Any]] = field(repr=False)
    """The settings by the name of their credentials; hold secrets."""
    bookmarks: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What `commit` gave after the plan before."""
    plan: Path | None = None
    partitions: int = PARTITIONS

    @classmethod
    def parse(cls, given: Mapping[str, str]) -> Options:
        """Read the options; names count whatever their case.

        Raises:
            OptionError: one is unknown, has no effect, or cannot be used.
            ConfigError: a file that one names cannot be read.
        """
        said = {name.lower(): value for name, value in given.items()}
        stream = said.pop("stream", "")
        if stream not in EFFECTIVE:
            raise OptionError("stream", f"must be one of {', '.join(EFFECTIVE)}")
        for name in said:
            _refuse_idle(name, stream)
        plan = _folder(said["plan"]) if "plan" in said else None
        if stream == "coverage":
            if plan is None:
                problem = "must name the folder that `intervals` was read with"
                raise OptionError("plan", problem)
            return cls(stream, {}, plan=plan)
        if plan is None and "bookmarks" in said:
            raise OptionError(
                "bookmarks", "needs `plan`, which the next ones come from"
            )
        return cls(
            stream,
            _configs(said),
            _json("bookmarks", said["bookmarks"]) if "bookmarks" in said else {},
            plan,
            _count(said.get("partitions")),
        )

    def known(self, name: str) -> dict[str, Any] | None:
        """The bookmarks of some credentials; None if there are none yet."""
        return self.bookmarks if name == ALONE else self.bookmarks.get(name)  # type: ignore[return-value]

    @property
    def digest(self) -> str:
        """What a plan was made of, in a word: without secrets, for it is stored."""
        secret = {provider.credential for provider in PROVIDERS}
        settings = {
            name: {n: v for n, v in config.items() if n not in secret}
            for name, config in self.configs.items()
        }
        text = msgspec.json.encode(
            [settings, self.bookmarks, self.partitions], order="sorted"
        )
        return hashlib.blake2b(text, digest_size=8).hexdigest()


def _refuse_idle(name: str, stream: str) -> None:
    """Raise `OptionError` for what nobody reads."""
    if name in EFFECTIVE[stream]:
        return
    if name in PLANNED:
        raise OptionError(name, f"has no effect on {stream}: leave it out")
    near = difflib.get_close_matches(name, ["stream", *PLANNED], n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {_listed()}"
    raise OptionError(name, f"is unknown; {hint}".rstrip("."))


def _listed() -> str:
    return ", ".join(["stream", *sorted(PLANNED)])


def _configs(said: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    if ("config" in said) == ("credentials" in said):
        raise OptionError("config", "or else `credentials` must be given")
    if "config" in said:
        text = said["config"]
        if _is_json(text):
            return {ALONE: _json("config", text)}
        return {ALONE: TapUtilityIntervals.given(text.split(","))}
    named = _json("credentials", said["credentials"])
    if not named or not all(isinstance(one, dict) and n for n, one in named.items()):
        problem = 'must hold settings by name: {"north": {…}, "south": {…}}'
        raise OptionError("credentials", problem)
    return named


def _json(option: str, given: str) -> dict[str, Any]:
    """The JSON object that an option holds, or that lies where it says."""
    if _is_json(given):
        found = runs.json_text(f"option {option}", given)
    else:
        found = runs.json_file(f"option {option}", given)
    return runs.json_object(f"option {option}", found)


def _is_json(text: str) -> bool:
    return text.lstrip().startswith("{")


def _folder(given: str) -> Path:
    if ":" in given:
        problem = "must be a folder as programs see it, such as /Volumes/main/plans/1"
        raise OptionError("plan", problem)
    return Path(given).absolute()  # executors work elsewhere


def _count(given: str | None) -> int:
    if given is None:
        return PARTITIONS
    if not given.isdecimal() or not int(given):
        raise OptionError("partitions", "must be a number, at least 1")
    return int(given)
