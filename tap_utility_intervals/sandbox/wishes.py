"""What people send to `/_sandbox/` as JSON, held against what there is to set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

NAMES = {
    type(None): "null",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
}


def settings(kind: type[DataclassInstance], wish: object) -> dict[str, Any]:
    """The members of a JSON object, each of which is a field of the dataclass.

    Raises:
        ValueError: in one sentence, for a wrong name or value.
    """
    known = [field.name for field in fields(kind)]
    if not isinstance(wish, dict):
        text = f"send an object with some of: {', '.join(known)}"
        raise ValueError(text)  # noqa: TRY004 - what was sent is wrong, no argument
    if unknown := [name for name in wish if name not in known]:
        text = f"unknown: {', '.join(unknown)}; known: {', '.join(known)}"
        raise ValueError(text)
    hints = get_type_hints(kind)
    for name, value in wish.items():
        if not _fits(value, hints[name]):
            text = f"{name} {value!r}: {_wanted(hints[name])}"
            raise ValueError(text)
    return wish


def _fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - it is a type's hint
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return value in inner
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in inner)
    if origin is None:
        return hint is object or type(value) in (
            (int, float) if hint is float else (hint,)
        )
    if issubclass(origin, Mapping):
        return isinstance(value, dict) and all(
            _fits(v, inner[1]) for v in value.values()
        )
    return isinstance(value, list) and all(_fits(item, inner[0]) for item in value)


def _wanted(hint: Any) -> str:  # noqa: ANN401
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return f"one of {', '.join(inner)}"
    if isinstance(hint, UnionType):
        return " or ".join(map(_wanted, inner))
    if origin is None:
        return NAMES[hint]
    if issubclass(origin, Mapping):
        return "an object" + ("" if inner[1] is object else " of texts")
    return "a list of texts"
