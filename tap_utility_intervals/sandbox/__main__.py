"""`python -m tap_utility_intervals.sandbox`: serve a scenario until stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING

from tap_utility_intervals.sandbox.control import summary
from tap_utility_intervals.sandbox.scenarios import SCENARIOS
from tap_utility_intervals.sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    options = _parser().parse_args(argv)
    settings = {"seed": options.seed}
    if options.today:
        settings["now"] = f"{options.today}T12:00:00Z"
    sandbox = Sandbox(SCENARIOS[options.scenario](**settings), port=options.port)
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


def banner(sandbox: Sandbox) -> str:
    """Say what a person needs to point a tap at this sandbox."""
    shown = summary(sandbox)
    counts = [
        f"{provider}: {shown[provider]['meters']} meters, "  # type: ignore[index]
        f"{shown[provider]['readings']} readings, {shown[provider]['bills']} bills"  # type: ignore[index]
        for provider in sandbox.providers
    ]
    controls = "clock,requests,faults,truth,summary"
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
        prog="utility-intervals sandbox", description=__doc__
    )
    parser.add_argument("--port", type=int, default=8765, help="0 takes a free one")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--today", help="the sandbox's date, YYYY-MM-DD")
    return parser


if __name__ == "__main__":
    sys.exit(main())
