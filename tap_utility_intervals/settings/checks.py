"""Checking settings before the first request. Pure: nothing is asked, said or changed.

Every error is a sentence that names the setting, says what is wrong, gives an example
and shows no value.
"""

from __future__ import annotations

import difflib
import ipaddress
import json
import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Protocol
from urllib.parse import urlsplit

from jsonschema import Draft7Validator, ValidationError

from tap_utility_intervals.floor.errors import ConfigError
from tap_utility_intervals.settings.shared import (
    REWRITING,
    JSONSchema,
    Settings,
    defaults,
)


class Checked(Protocol):
    """What is needed of a provider."""

    @property
    def credential(self) -> str:
        """The setting that turns it on."""

    @property
    def check(self) -> Callable[[Mapping[str, Any], Settings], object]:
        """Raises `ConfigError` for a setting that cannot be used."""


def check(
    config: Mapping[str, Any],
    known: Mapping[str, JSONSchema],
    providers: Sequence[Checked],
) -> list[str]:
    """What is wrong with a configuration that was `tidied`: a sentence each.

    Args:
        config: the settings by name.
        known: the schemas of all settings that there are.
        providers: all that there are; those with a credential are checked.
    """
    found = problems(config, {"properties": known})
    try:
        refuse_unknown(config, known)
        if not found:
            _check_values(config, providers)
    except ConfigError as error:
        return [str(error), *found]
    return found


def _check_values(config: Mapping[str, Any], providers: Sequence[Checked]) -> None:
    settings = Settings.parse(config)
    for setting in REWRITING:
        if config.get("batch_config") and config.get(setting):
            raise ConfigError(setting, "changes no Arrow files: remove batch_config")
    used = [provider for provider in providers if config.get(provider.credential)]
    if not used:
        either = " or ".join(provider.credential for provider in providers)
        problem = (
            "must be set, for no provider has a credential; "
            "`utility-intervals doctor` shows what one reaches"
        )
        raise ConfigError(either, problem)
    for provider in used:
        provider.check(config, settings)
        if settings.credential_name == config[provider.credential]:
            # It stands in the warehouse.
            problem = f"must be a name of your own, not {provider.credential}"
            raise ConfigError("credential_name", problem, '"acme-west"')


def base_url(setting: str, value: str, *, allow_insecure_http: bool) -> str:
    """Check a provider's address: https, or http on this machine only.

    Raises:
        ConfigError: when it has no scheme or host, carries a user name or a query,
            or would send the credential in the clear to another machine.
    """
    example = '"https://example.com/api"'
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConfigError(setting, "is not an address", example) from None
    if not value.isprintable() or " " in value:
        raise ConfigError(setting, "holds a space or a line break", example)
    if parts.scheme not in {"http", "https"} or not host:
        raise ConfigError(setting, "needs a scheme (https://) and a host", example)
    if "@" in parts.netloc or parts.query or parts.fragment:
        problem = "must be a bare address, without user name, query or fragment"
        raise ConfigError(setting, problem, example)
    if parts.scheme == "http" and not (allow_insecure_http or is_loopback(host)):
        problem = (
            "would send the credential unencrypted; "
            "use https or set allow_insecure_http"
        )
        raise ConfigError(setting, problem, example)
    return value.rstrip("/")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_unknown(config: Mapping[str, Any], known: Mapping[str, Any]) -> None:
    """Refuse a setting that nobody reads: most often a slip of the pen.

    Raises:
        ConfigError: naming the setting and the nearest one that exists.
    """
    for name in config:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "--about lists them all"
            raise ConfigError(name, f"is not a setting of this tap; {hint}")


def credential(setting: str, value: str) -> str:
    """Check that a credential can be sent at all; its text is never shown.

    Raises:
        ConfigError: when it holds characters that no header can carry.
    """
    if not value.isascii() or not value.isprintable() or " " in value:
        problem = "holds a space, a line break or a letter that no credential has"
        raise ConfigError(setting, problem)
    return value


KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list of texts",
    "object": "an object",
}
"""How the types of JSON Schema are called in a sentence."""

WORDS = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
"""How an environment variable spells a truth value."""


def problems(config: Mapping[str, Any], schema: JSONSchema) -> list[str]:
    """What is wrong with types and bounds: a sentence each, that shows no value."""
    found = (
        str(_problem(error, schema["properties"]))
        for error in Draft7Validator(schema).iter_errors(config)
    )
    return list(dict.fromkeys(found))  # of a list one sentence, not one an item


def _problem(error: ValidationError, known: Mapping[str, JSONSchema]) -> ConfigError:
    setting = str(error.absolute_path[0]) if error.absolute_path else "file"
    schema = known.get(setting, {})
    bound = error.validator_value
    wrong = {
        "minimum": f"must be at least {bound}",
        "exclusiveMinimum": f"must be more than {bound}",
        "maximum": f"must be at most {bound}",
        "enum": f"must be one of {bound}",
        "pattern": f"must match {bound}",
        "required": f"must hold {bound}",
        "additionalProperties": "holds something of which nobody knows",
    }
    kinds = " or ".join(KINDS[kind] for kind in kinds_of(schema) if kind in KINDS)
    fits = f"must be {kinds}" if kinds else "is not as --about describes it"
    problem = wrong.get(str(error.validator), fits)
    return ConfigError(setting, problem, example_of(schema))


def example_of(schema: JSONSchema) -> str | None:
    """A value that would do, as JSON; None when the schema has none to show."""
    examples = schema.get("examples") or [schema.get("default")]
    return None if examples[0] is None else json.dumps(examples[0])


def kinds_of(schema: JSONSchema) -> list[str]:
    """The JSON types that a schema allows."""
    kinds = schema.get("type", [])
    return [kinds] if isinstance(kinds, str) else list(kinds)


def tidied(
    config: Mapping[str, Any], known: Mapping[str, JSONSchema]
) -> dict[str, Any]:
    """A configuration as people write it, in the types that its schema names.

    What is null or an empty text is unset; 8.0 is 8; ids may be numbers, or one text
    with commas between them; "0.5" is 0.5 where fractions are allowed, for Meltano can
    hand them on as texts only.
    """
    tidy = {name: _tidy(value, known.get(name, {})) for name, value in config.items()}
    return defaults(known) | {
        n: value for n, value in tidy.items() if value is not None
    }


def _tidy(value: Any, schema: JSONSchema) -> Any:  # noqa: ANN401 - JSON
    kinds = kinds_of(schema)
    if isinstance(value, str) and not value.strip():
        return None
    if "array" in kinds and schema.get("items", {}).get("type") == "string":
        return _texts(value)
    if isinstance(value, str) and "number" in kinds:
        value = from_text(value, schema)
    return _plain_number(value, kinds)


def _texts(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A list of texts; what is none, or has none in it, as it is: it is refused."""
    items = value.split(",") if isinstance(value, str) else value
    if _is_id(items):
        items = [items]
    if not isinstance(items, list) or not items or not all(map(_is_id, items)):
        return value
    texts = [str(_plain_number(item, ["integer"])).strip() for item in items]
    return [text for text in texts if text] or ","


def _is_id(value: object) -> bool:
    return isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool)


def _plain_number(value: Any, kinds: Sequence[str]) -> Any:  # noqa: ANN401 - JSON
    """The SDK reads 1.5 as Decimal; JSON knows no difference between 8 and 8.0."""
    if not isinstance(value, (float, Decimal)) or not {"integer", "number"} & {*kinds}:
        return value
    number = float(value)
    if not math.isfinite(number):
        return str(value)  # no number after all: `problems` says so
    return int(number) if "integer" in kinds and number.is_integer() else number


def from_text(text: str, schema: JSONSchema) -> Any:  # noqa: ANN401 - JSON
    """A value as an environment variable holds it.

    What does not fit stays the text it is, so that `problems` can name the setting.
    """
    kinds = kinds_of(schema)
    if "string" in kinds:
        return text
    if "boolean" in kinds:
        return WORDS.get(text.strip().lower(), text)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text
