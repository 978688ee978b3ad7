"""Nearly valid answers: only declared errors, no endless reading, no lost neighbour."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.hostile.fuzz.delivering import (
    ENTRIES,
    deliver,
    valid,
)
from tests.hostile.fuzz.mutating import garbled, mutated
from tests.hostile.fuzz.replaying import check

few, many = (
    settings(
        derandomize=True,
        deadline=None,
        max_examples=examples,
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    for examples in (40, 400)
)


def anything_ends_as_declared(entry: str, data: st.DataObject) -> None:
    body = data.draw(mutated(valid(entry)).flatmap(garbled))
    check(deliver(entry, body))


@pytest.mark.parametrize("entry", ENTRIES)
@few
@given(data=st.data())
def test_anything_ends_as_declared(entry: str, data: st.DataObject) -> None:
    anything_ends_as_declared(entry, data)


@pytest.mark.slow
@pytest.mark.parametrize("entry", ENTRIES)
@many
@given(data=st.data())
def test_very_many_things_end_as_declared(entry: str, data: st.DataObject) -> None:
    anything_ends_as_declared(entry, data)
