"""Answers that are nearly valid: a tree of JSON with something wrong in a few places.

Objects are lists of pairs, so that a key can come twice, and a leaf may be any text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Path = tuple[int, ...]


@dataclass
class Leaf:
    """A scalar, or whatever stands where one should."""

    text: str


@dataclass
class Node:
    """An object, whose children have names, or an array."""

    names: list[str] | None
    children: list[Tree] = field(default_factory=list)


Tree = Node | Leaf


def parsed(body: bytes) -> Tree:
    """The tree of valid JSON; numbers keep their text."""
    return _tree(json.loads(body, parse_float=_Number, parse_int=_Number))


class _Number(str):
    __slots__ = ()


def _tree(value: Any) -> Tree:
    if isinstance(value, dict):
        return Node([*map(json.dumps, value)], [*map(_tree, value.values())])
    if isinstance(value, list):
        return Node(None, [*map(_tree, value)])
    return Leaf(str(value) if isinstance(value, _Number) else json.dumps(value))


def rendered(tree: Tree) -> str:
    """The JSON of a tree."""
    if isinstance(tree, Leaf):
        return tree.text
    parts = map(rendered, tree.children)
    if tree.names is None:
        return f"[{','.join(parts)}]"
    pairs = zip(tree.names, parts, strict=True)
    return "{" + ",".join(f"{name}:{part}" for name, part in pairs) + "}"


def places(tree: Tree, below: Path = ()) -> Iterator[Path]:
    """Every place in a tree but its root."""
    if isinstance(tree, Node):
        for n, child in enumerate(tree.children):
            yield (*below, n)
            yield from places(child, (*below, n))


def at(tree: Tree, path: Path) -> Node:
    """The node that holds a place."""
    for n in path[:-1]:
        assert isinstance(tree, Node)
        tree = tree.children[n]
    assert isinstance(tree, Node)
    return tree


NUMBERS = (
    *("0", "-0", "1e5", "1E-400", "-1e99999999999999999999", "0.10", "1.0", "-1"),
    *("9223372036854775808", "1" + "0" * 310, "0." + "1" * 400, "NaN", "-Infinity"),
    *("2147483648", "1e308", "1E+2", "00", "1.", "--1"),
)
DATES = (
    *("2026-05-27", "2026-02-30", "2026-05-27T07:45:00", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59.999999-23:59", "2026-05-27T24:00:00Z", "1779854400"),
    *(
        "2026-05-27T07:45:00.1234567890Z",
        "2026-05-27T07:45:60Z",
        "٢٠٢٦-05-27T00:00:00Z",
    ),
    *("2026-05-27T00:00:00+24:00", "2026-05-27 00:00Z", "-0001-01-01T00:00:00Z"),
    *("9999-12-31T23:00:00Z", "2026-05-27T00:00:00-00:00", "0001-01-01T00:00:00Z"),
)
TEXTS = (
    *("", " ", "\0", "null", "1,234.5", "é", "\u2028", "😀", "true", "a" * 5000, "/"),
    *("٣", "²", "_", "0", "kWh", "PENDING", "[", "}", "%2F..", "\\", "\ufeff", "1_000"),
)
OTHERS = (
    *("null", "true", "false", "[]", "{}", "[[]]", '{"":""}', "[null]", '{"id":null}'),
    *('"\\ud800"', '"\\udc00\\ud800"', '{"\\ud800":1}', '"\\u0000"', "[1,[2,[3]]]"),
    *("[" * 90 + "]" * 90, '{"a":' * 120 + "1" + "}" * 120, "[" * 2000 + "]" * 2000),
    *('[{"name":"METER","value":{}}]', '[{"name":1,"value":1e999999999999999999}]'),
    *("undefined", "'", '"\n"', "[1,]", '[["2026-05-27T00:00:00Z"]]'),
)
leaves = st.one_of(
    st.sampled_from(NUMBERS),
    st.sampled_from(OTHERS),
    st.sampled_from(DATES).map(json.dumps),
    st.sampled_from(TEXTS).map(json.dumps),
    st.text(max_size=8).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.integers().map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
).map(Leaf)

KINDS = (
    *("replace", "replace", "replace", "replace", "drop", "double", "twice", "rename"),
    *("swap", "move", "wrap", "empty", "repeat"),
)


def _is_sound(leaf: Leaf) -> bool:
    try:
        json.loads(leaf.text)
    except (ValueError, RecursionError):
        return False
    return leaf.text.count("[") + leaf.text.count("{") < 100


sound_leaves = leaves.filter(_is_sound)
"""Those that are JSON and not too deep: they must cost nothing but themselves."""


@st.composite
def mutated(
    draw: st.DrawFn,
    body: bytes,
    below: Path = (),
    leaves: st.SearchStrategy[Leaf] = leaves,
) -> str:
    """The body with one to four things wrong, all below some place of its tree."""
    tree = parsed(body)
    for _ in range(draw(st.integers(1, 4))):
        inside = [p for p in places(tree) if p[: len(below)] == below]
        inside = [p for p in inside if len(p) > len(below)]
        if not inside:
            break
        _mutate(draw, tree, draw(st.sampled_from(inside)), inside, leaves)
    return rendered(tree)


def _mutate(
    draw: st.DrawFn,
    tree: Tree,
    path: Path,
    places: list[Path],
    leaves: st.SearchStrategy[Leaf],
) -> None:
    node, n = at(tree, path), path[-1]
    kind = draw(st.sampled_from(KINDS))
    if kind == "replace":
        node.children[n] = draw(leaves)
    elif kind in {"drop", "twice", "double", "repeat"}:
        times = 40 if kind == "repeat" and node.names is None else 1
        put = {"drop": [], "twice": [draw(leaves), node.children[n]]}
        _put(node, n, put.get(kind, [node.children[n]] * (times + 1)))
    elif kind in {"swap", "move"}:
        _exchange(tree, path, draw(st.sampled_from(places)), both=kind == "swap")
    elif node.names is not None and kind == "rename":
        odd = [*node.names, '"extra"', '""', '"\\ud800"']
        node.names[n] = draw(st.sampled_from(odd))
    else:
        child = node.children[n]
        wrapped: list[Tree] = [Node(None, [child]), Node(['"value"'], [child])]
        empty: list[Tree] = [Node(None), Node([])]
        node.children[n] = draw(st.sampled_from(wrapped if kind == "wrap" else empty))


def _put(node: Node, n: int, children: list[Tree]) -> None:
    """Put children in the place of one, under its name."""
    node.children[n : n + 1] = children
    if node.names is not None:
        node.names[n : n + 1] = [node.names[n]] * len(children)


def _exchange(tree: Tree, path: Path, other: Path, *, both: bool) -> None:
    """Put what is at one place to another, and perhaps the other way round, too."""
    node, holder = at(tree, path), at(tree, other)
    one, two = node.children[path[-1]], holder.children[other[-1]]
    if not _holds(one, two) and not _holds(two, one):
        holder.children[other[-1]] = one
        if both:
            node.children[path[-1]] = two


def _holds(tree: Tree, other: Tree) -> bool:
    return tree is other or (
        isinstance(tree, Node) and any(_holds(child, other) for child in tree.children)
    )


@st.composite
def garbled(draw: st.DrawFn, text: str) -> bytes:
    """The bytes of a text, mostly whole; else cut, joined or with odd ones."""
    body = text.encode("utf-8", "surrogatepass")
    how = draw(st.sampled_from(["", "", "", "", "cut", "join", "odd", "encode"]))
    place = draw(st.integers(0, max(len(body) - 1, 0)))
    if how == "cut":
        return body[:place]
    if how == "join":
        return body + body[place:]
    if how == "odd":
        odd = draw(st.sampled_from([b"\xff", b"\x00", b"\xed\xa0\x80", b'"', b"\\"]))
        return body[:place] + odd + body[place + draw(st.integers(0, 1)) :]
    if how == "encode":
        kind = draw(st.sampled_from(["utf-16", "utf-8-sig", "utf-32-le"]))
        return text.encode(kind, "surrogatepass")
    return body
