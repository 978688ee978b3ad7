"""`utility-intervals sandbox`: serve a scenario on this machine until stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.control import summary
from tap_utility_intervals.sandbox.scenarios import SCENARIOS, bench_world
from tap_utility_intervals.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_utility_intervals.sandbox.world import World

MOST_METERS = 100_000
MORE = """\
While it runs, its clock moves and its faults come on demand:
  curl --json '{"advance_days": 1}' http://127.0.0.1:8765/_sandbox/clock
  curl --json '{"status": 503, "path": "/intervals$"}' \\
    http://127.0.0.1:8765/_sandbox/faults
  curl -X DELETE http://127.0.0.1:8765/_sandbox/faults
Kinds of faults, and options of the providers: docs/commands.md, and
/_sandbox/options shows them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    world = _world(options)
    try:
        sandbox = Sandbox(world, port=options.port)
    except (OSError, OverflowError) as error:
        parser.exit(
            2,
            f"Port {options.port} of 127.0.0.1 cannot be had ({error}): name another "
            "with --port, or 0 for a free one.\n",
        )
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with sandbox:
            print(banner(sandbox), flush=True)  # noqa: T201 - this is the command
            stop.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0


def _world(options: argparse.Namespace) -> World:
    if options.meters:
        world = bench_world(meters=options.meters, days=7, minutes=60, channels=1)
        if options.today:
            world.move(options.today)
        return world
    settings = {"seed": options.seed}
    if options.today:
        settings["now"] = options.today.isoformat()
    return SCENARIOS[options.scenario](**settings)


def _today(text: str) -> datetime:
    """Noon of a date."""
    day = date.fromisoformat(text)
    return datetime(day.year, day.month, day.day, 12, tzinfo=timezone.utc)


def _meters(text: str) -> int:
    """A number of meters.

    Raises:
        ValueError: when it is none.
    """
    if not 1 <= int(text) <= MOST_METERS:
        raise ValueError
    return int(text)


def banner(sandbox: Sandbox) -> str:
    """Say what a person needs to point a tap at this sandbox."""
    shown = summary(sandbox)
    counts = [
        f"{provider}: {shown[provider]['meters']} meters, "  # type: ignore[index]
        f"{shown[provider]['readings']} readings, {shown[provider]['bills']} bills"  # type: ignore[index]
        for provider in sandbox.providers
    ]
    controls = "clock,faults,options,requests,summary,truth"
    titles = " and ".join(one.title for one in sandbox.providers.values())
    return "\n".join(
        (
            f"Sandbox of {titles}; its clock stands at {shown['now']}",
            *(f"  {line}" for line in counts),
            *(
                f"  {one.title:<11} {sandbox.url_of(name)}  "
                f"credential {sandbox.credentials[name]}"
                for name, one in sandbox.providers.items()
            ),
            f"  control     {sandbox.url}/_sandbox/{{{controls}}}",
            "Configuration for the tap:",
            json.dumps(sandbox.settings(), indent=2),
            "Stop with Ctrl-C.",
        )
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="utility-intervals sandbox",
        description=__doc__.partition(": ")[2],
        epilog=MORE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _today.__name__, _meters.__name__ = "date", f"number from 1 to {MOST_METERS}"
    add = parser.add_argument
    add("--port", type=int, default=8765, help="8765 by default; 0 takes a free one")
    add(
        "--scenario",
        choices=sorted(SCENARIOS),
        default="default",
        help="what it serves: `default` real and made-up meters of both providers, "
        "`demo` UtilityAPI's utility DEMO, `tiny` a few days",
    )
    add("--meters", type=_meters, help="serve so many meters of UtilityAPI instead")
    add("--seed", type=int, default=0, help="of what is made up; 0 by default")
    add("--today", type=_today, help="the sandbox's date, YYYY-MM-DD")
    return parser


if __name__ == "__main__":
    sys.exit(main())
