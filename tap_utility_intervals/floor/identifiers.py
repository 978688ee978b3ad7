"""Identifiers of meters and service points, in the one form that compares. Pure."""

from __future__ import annotations

from collections.abc import Iterable

_DROPPED = str.maketrans("", "", "-_,/")


def canonical(value: str) -> str:
    """Return an identifier as Nectar's own identifier search compares it.

    `" 00-12_ab/3 "` is `12AB3`: dashes, every kind of space, underscores, commas,
    slashes and leading zeros go, letters are upper case
    (https://docs.nectarclimate.com, filtering).
    """
    return "".join(value.split()).translate(_DROPPED).lstrip("0").upper()


def service_point_key(utility: str | None, identifiers: Iterable[str]) -> str | None:
    """Return the key of a physical service, the same under every grant to read it.

    Args:
        utility: the company that owns the meter.
        identifiers: what names the service there, as sent; several are joined by `+`.

    Returns:
        `{utility}:{canonical identifiers}`; None without either.
    """
    names = sorted({name for one in identifiers if (name := canonical(one))})
    return f"{utility}:{'+'.join(names)}" if utility and names else None
