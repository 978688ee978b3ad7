"""Every error says what to do, and nothing that may not be shown."""

from __future__ import annotations

import pytest

from tap_utility_intervals.floor import errors
from tap_utility_intervals.floor.errors import ConfigError, ProviderError, TapError

KINDS = [
    *(errors.PaymentRequired, errors.Gone, errors.BadRequest, errors.TooWide),
    *(errors.Unavailable, errors.BadAnswer, errors.UnsafeLink, errors.TooLarge),
]


def test_the_tree_in_the_docstring_names_every_error() -> None:
    named = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, TapError)
    }
    assert all(name in (errors.__doc__ or "") for name in named)
    assert len(named) == 15


def test_wrong_setting_is_named_with_an_example() -> None:
    error = ConfigError("window_days", "must be at least 1", "30")
    assert str(error) == (
        'Setting window_days must be at least 1, for example: "window_days": 30.'
    )
    assert str(ConfigError("x", "is not known")) == "Setting x is not known."
    assert (error.setting, error.example) == ("window_days", "30")


def test_refused_credential_names_the_setting() -> None:
    error = errors.Unauthorized("nectar", "/companies", setting="nectar_api_key")
    assert error.status == 401
    assert str(error) == (
        "nectar refused the credential (HTTP 401 on /companies): check the setting "
        "nectar_api_key, or renew it at the provider."
    )


@pytest.mark.parametrize("kind", KINDS)
def test_provider_error_is_one_sentence_with_status_path_and_source(
    kind: type[ProviderError],
) -> None:
    error = kind("utilityapi", "/meters/123", status=418, source="meter 123")
    text = str(error)
    assert text.startswith("utilityapi ")
    assert "(HTTP 418 on /meters/123, meter 123): " in text
    assert text.endswith(".")
    assert "\n" not in text
    assert isinstance(error, TapError)
    found = (error.provider, error.endpoint, error.status, error.source)
    assert found == ("utilityapi", "/meters/123", 418, "meter 123")


@pytest.mark.parametrize(
    ("endpoint", "path"),
    [
        ("https://user:secret@api.example/v2/bills?access_token=secret", "/v2/bills"),
        ("/bills?meters=1#secret", "/bills"),
        ("https://api.example?access_token=secret", "/"),
        ("/meters/1\r\nSet-Cookie: a", "/meters/1 Set-Cookie: a"),
        ("a link to another origin", "a link to another origin"),
    ],
)
def test_endpoint_loses_host_and_query(endpoint: str, path: str) -> None:
    error = errors.Unavailable("utilityapi", endpoint)
    assert error.endpoint == path
    assert str(error) == (
        f"utilityapi stayed unavailable through all retries ({path}): "
        "run it again later."
    )


def test_problem_replaces_what_the_class_says() -> None:
    problem = "could not be reached\n(ReadTimeout)"
    error = errors.Unavailable("nectar", "/ping", problem=problem)
    assert str(error).startswith("nectar could not be reached (ReadTimeout) (/ping): ")


def test_long_text_is_cut() -> None:
    error = errors.Gone("nectar", "/x", source="y" * 5000)
    assert len(str(error)) < 400
