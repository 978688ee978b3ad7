"""What a fault makes of a request before it is answered, and of an answer after."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.faults import Fault
    from tap_utility_intervals.sandbox.wire import Request

Json = dict[str, object]


def request_of(fault: Fault, request: Request) -> Request:
    """Give the request as the API reads it: without some parameters, or moved ones."""
    if fault.kind == "ignore":
        query = {n: v for n, v in request.query.items() if n not in fault.parameters}
    else:
        query = {
            name: [_shifted(text, fault.seconds) for text in values]
            if name in fault.parameters
            else values
            for name, values in request.query.items()
        }
    return replace(request, query=query, sent=request.query)


def object_of(fault: Fault, whole: Json, itself: str) -> Json:
    """Give the answer with other members, or without some of a list."""
    if fault.kind == "thin":
        above, _, name = fault.each.rpartition(".")
        for holder in _each(whole, above):
            items = holder.get(name)
            holder[name] = items[:: fault.every] if isinstance(items, list) else items
        return whole
    for one in _each(whole, fault.each):
        for name, value in fault.members.items():
            if value == "+1":
                one[name] = int(str(one.get(name))) + 1
            else:
                one[name] = itself if value == "{self}" else value
        for name in fault.lacking:
            one.pop(name, None)
    return whole


def _each(whole: Json, path: str) -> list[Json]:
    """Find the objects at a path: `meters`, or `intervals.readings`."""
    found: list[Json] = [whole]
    for name in filter(None, path.split(".")):
        lists = [one.get(name) for one in found]
        found = [i for items in lists if isinstance(items, list) for i in items]
    return found


def _shifted(text: str, seconds: float) -> str:
    """Move an instant; a plain date stays, and so does what is no date at all."""
    try:
        moment = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", text))
    except ValueError:
        return text
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return text
    return (moment + timedelta(seconds=seconds)).isoformat()
