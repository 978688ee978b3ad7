"""Rows of `intervals` that are alike, held column by column; rendered in one go.

A million rows a second come of this: what rows have in common is encoded once, and
joined with what differs (`docs/decisions/0016-blocks.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from itertools import cycle
from typing import Any, overload

import msgspec
from msgspec import Raw
from typing_extensions import override

from tap_utility_intervals.floor.records import IntervalRecord

ENCODER = msgspec.json.Encoder(decimal_format="number")

_GAP = Raw(b"\0")
"""Stands where rows differ; JSON holds no such byte anywhere."""


class RowBlock(Sequence[IntervalRecord]):
    """A sequence of rows that are made only when somebody asks for them one by one."""

    def __init__(
        self,
        forms: Sequence[IntervalRecord],
        values: Mapping[str, Sequence[Any]],
        numbers: Mapping[str, Sequence[str]],
        columns: AbstractSet[str] = frozenset(IntervalRecord.__struct_fields__),
    ) -> None:
        """Put rows together.

        Args:
            forms: rows that take turns; what the columns below hold is open in them.
            values: columns with a value for each row, or one for each turn of all
                forms (such as the start of a reading with several channels).
            numbers: columns with the JSON text of a number, or `null`, for each row.
            columns: the columns of the rendered lines.
        """
        self.forms = forms
        self.values = values
        self.numbers = numbers
        self.columns = columns
        self._size = len(next(iter(numbers.values())))

    @override
    def __len__(self) -> int:
        return self._size

    @override
    def __iter__(self) -> Iterator[IntervalRecord]:
        """Make the rows, with all columns."""
        columns = {name: self._each(values) for name, values in self.values.items()}
        for name, texts in self.numbers.items():
            columns[name] = [None if t == "null" else Raw(t.encode()) for t in texts]
        for form, *values in zip(cycle(self.forms), *columns.values(), strict=False):
            row = copy(form)
            for name, value in zip(columns, values, strict=True):
                setattr(row, name, value)
            yield row

    @overload
    def __getitem__(self, place: int) -> IntervalRecord: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[IntervalRecord]: ...

    @override
    def __getitem__(
        self, place: int | slice
    ) -> IntervalRecord | Sequence[IntervalRecord]:
        """Make all rows, and return some; a writer never needs this."""
        return list(self)[place]

    def narrowed(self, columns: AbstractSet[str]) -> RowBlock:
        """The same rows, rendered with these columns only."""
        return RowBlock(self.forms, self.values, self.numbers, columns)

    def lines(self, before: str, after: str, at_once: int) -> Iterator[str]:
        """All rows as JSON, each between two texts; so many together."""
        names = [n for n in IntervalRecord.__struct_fields__ if n in self.columns]
        gaps = [name for name in names if name in self.values or name in self.numbers]
        pieces = [self._pieces(form, names, gaps) for form in self.forms]
        for some in pieces:
            some[0] = before + some[0]
            some[-1] += after
        turns = len(self) // len(self.forms)
        step = 2 * len(gaps) + 1
        # Piece, value, piece, value, …, piece: row after row.
        parts = [""] * (step * len(self))
        for place in range(len(gaps) + 1):
            parts[2 * place :: step] = [some[place] for some in pieces] * turns
        for place, name in enumerate(gaps):
            parts[2 * place + 1 :: step] = self._texts(name)
        for begin in range(0, len(parts), step * at_once):
            yield "".join(parts[begin : begin + step * at_once])

    @staticmethod
    def _pieces(
        form: IntervalRecord, names: Sequence[str], gaps: Sequence[str]
    ) -> list[str]:
        """The JSON of a form, cut where its columns are open."""
        shown = {name: getattr(form, name) for name in names}
        shown |= dict.fromkeys(gaps, _GAP)
        return ENCODER.encode(shown).decode().split("\0")

    def _texts(self, name: str) -> Sequence[str]:
        if name in self.numbers:
            return self.numbers[name]
        # One line a value; JSON escapes newlines.
        lines = ENCODER.encode_lines(self.values[name]).decode()
        return self._each(lines.split("\n")[:-1])

    def _each(self, values: Sequence[Any]) -> Sequence[Any]:
        """A value for each row, of one for each turn."""
        if len(values) == len(self):
            return values
        found = [None] * len(self)
        for place in range(len(self.forms)):
            found[place :: len(self.forms)] = values
        return found
