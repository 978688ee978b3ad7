"""The `/_sandbox/` endpoints: clock, request log, faults, truth and summary."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_utility_intervals.sandbox.faults import Fault
from tap_utility_intervals.sandbox.wire import Answer, Request, answer
from tap_utility_intervals.sandbox.wishes import settings

if TYPE_CHECKING:
    from tap_utility_intervals.sandbox.service import Service

PREFIX = "/_sandbox/"
LOOPBACK = ("127.0.0.1", "localhost")
JSON = "application/json"


def control(sandbox: Service, request: Request) -> Answer:
    """Answer a control request; they need no credential and are not logged."""
    handlers = {
        "clock": _clock,
        "requests": _requests,
        "faults": _faults,
        "options": _options,
        "truth": _truth,
        "summary": _summary,
    }
    name = request.path[len(PREFIX) :].strip("/")
    if name not in handlers:
        return answer({"error": f"one of {sorted(handlers)}"}, 404)
    if strange := _strange(request):
        return answer({"error": strange}, 403)
    try:
        return handlers[name](sandbox, request)
    except ValueError as error:
        return answer({"error": str(error)}, 400)


def _strange(request: Request) -> str | None:
    """Tell why a request may come from a page that a browser shows, if it may.

    A form of any page may POST to loopback, and a name may come to mean loopback: so
    what changes something must say that it is JSON, which a form cannot, and every
    request must name loopback and come from no other origin.
    """
    host = urlsplit(request.origin).hostname or ""
    if host not in LOOPBACK:
        return f"Host {host}: only {', '.join(LOOPBACK)} are answered here."
    origin = request.headers.get("origin")
    if origin is not None and origin != request.origin:
        return f"Origin {origin}: requests of other pages are refused."
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if request.method not in {"GET", "HEAD", "DELETE"} and kind != JSON:
        return f"Send Content-Type: {JSON}, as `curl --json` does."
    return None


def summary(sandbox: Service) -> dict[str, object]:
    """How much every provider offers now, by meter and in all."""
    shown: dict[str, object] = {"now": sandbox.world.now.isoformat()}
    for name, provider in sandbox.providers.items():
        meters = list(provider.meters(sandbox.world))
        shown[name] = {
            "meters": len(meters),
            "readings": sum(meter.readings for meter in meters),
            "datapoints": sum(meter.datapoints for meter in meters),
            "bills": sum(meter.bills for meter in meters),
            "by_meter": [_json(meter) for meter in meters],
        }
    return shown


def _summary(sandbox: Service, _request: Request) -> Answer:
    return answer(summary(sandbox))


def _clock(sandbox: Service, request: Request) -> Answer:
    world = sandbox.world
    if request.method == "POST":
        wish = Move(**settings(Move, _sent(request) or None))
        world.move(wish.after(world.now))
    return answer({"now": world.now.isoformat()})


@dataclass(frozen=True)
class Move:
    """Where the clock is to stand: at an instant, or so much later than it does."""

    now: str = ""
    advance_days: float = 0
    advance_seconds: float = 0

    def after(self, now: datetime) -> datetime:
        """Where that is, from where it stands.

        Raises:
            ValueError: when that is no instant.
        """
        try:
            if self.now:
                now = datetime.fromisoformat(re.sub("[Zz]$", "+00:00", self.now))
                now = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
            now += timedelta(self.advance_days, self.advance_seconds)
            return now.astimezone(timezone.utc)
        except (ValueError, OverflowError) as error:
            text = f"the clock cannot be set there: {error}"
            raise ValueError(text) from None


def _sent(request: Request) -> object:
    """The JSON of a request.

    Raises:
        ValueError: when it is none.
    """
    try:
        return json.loads(request.body)
    except ValueError:
        text = 'send JSON, such as {"advance_days": 1}'
        raise ValueError(text) from None


def _requests(sandbox: Service, request: Request) -> Answer:
    if request.method == "DELETE":
        sandbox.forget_requests()
    shown = [asdict(entry) for entry in list(sandbox.requests)]
    return answer({"requests": shown, "max_in_flight": dict(sandbox.max_in_flight)})


def _faults(sandbox: Service, request: Request) -> Answer:
    if request.method == "DELETE":
        sandbox.faults.clear()
    if request.method == "POST":
        wish = _sent(request)
        wishes = wish if isinstance(wish, list) else [wish]
        for fault in [Fault(**settings(Fault, one)) for one in wishes]:
            sandbox.faults.add(fault)
    return answer({"faults": sandbox.faults.shown()})


def _options(sandbox: Service, request: Request) -> Answer:
    """How the providers behave where documents are silent: shown, or set."""
    known = {
        name: options
        for name in sandbox.providers
        if (options := getattr(sandbox.world, f"{name}_options", None)) is not None
    }
    if request.method == "POST":
        wish = _sent(request)
        if not isinstance(wish, dict) or not wish.keys() <= known.keys():
            text = f"send an object with some of: {', '.join(known)}"
            raise ValueError(text)
        chosen = {name: settings(type(known[name]), one) for name, one in wish.items()}
        for name, one in chosen.items():
            for option, value in one.items():
                setattr(known[name], option, value)
        sandbox.world.changed()
    return answer({name: asdict(options) for name, options in known.items()})


def _truth(sandbox: Service, request: Request) -> Answer:
    """JSON lines; `what` is readings (default), meters or bills; `provider` narrows."""
    what, wanted = request.get("what") or "readings", request.get("provider")
    known = sandbox.providers
    if what not in ("readings", "meters", "bills") or wanted not in (None, *known):
        text = f"what: readings, meters or bills; provider: {' or '.join(known)}"
        raise ValueError(text)
    lines = [
        json.dumps(_json(item)) + "\n"
        for name, provider in known.items()
        if wanted in (None, name)
        for item in getattr(provider, what)(sandbox.world)
    ]
    return Answer(200, ["".join(lines).encode()], content_type="application/x-ndjson")


def _json(item: object) -> dict[str, object]:
    shown: dict[str, object] = {}
    for field in fields(item):  # type: ignore[arg-type]
        value = getattr(item, field.name)
        if isinstance(value, datetime):
            value = value.isoformat()
        elif field.name == "coverage":
            value = [[start.isoformat(), end.isoformat()] for start, end in value]
        shown[field.name] = value
    return shown
