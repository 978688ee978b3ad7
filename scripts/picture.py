"""`make picture`: the report of `make demo`, as README shows it.

Takes `output/report.html` and writes `docs/report.png`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from scripts.browser import browser

ROOT = Path(__file__).resolve().parents[1]
REPORT = ROOT / "output" / "report.html"
PICTURE = ROOT / "docs" / "report.png"
METER = "Meter 2001001"
WIDTH, HEIGHT = 1200, 1400
MOST = 200_000
"""Bytes of the picture: everybody who looks at README fetches it."""

ARRANGE = f"""
    document.querySelectorAll('article').forEach(one => {{
        one.hidden = one.querySelector('h2').innerText !== '{METER}';
    }});
    document.querySelectorAll('#overview tbody tr').forEach((one, n) => {{
        one.hidden = n < 3;
    }});
    document.querySelector('nav').hidden = true;
    document.querySelector('.top').style.paddingTop = '1rem';
"""
"""What is of one meter, below the table of most of them."""


def main() -> int:
    """Take the picture; the exit code."""
    if not REPORT.exists():
        print(f"There is no {REPORT.relative_to(ROOT)}: make demo")
        return 1
    with browser() as tab:
        tab.open(REPORT.as_uri(), WIDTH, HEIGHT)
        tab.ask(ARRANGE)
        tab.until("document.querySelector('article:not([hidden]) .uplot canvas')")
        tab.settle()
        heat = "document.querySelector('article:not([hidden]) .heat')"
        below = tab.ask(f"{heat}.getBoundingClientRect().bottom + scrollY")
        shot = tab.picture(x=0, y=0, width=WIDTH, height=below + 16)
    if len(shot) > MOST:
        print(f"{len(shot):,} bytes are too many for README: {MOST:,} at most")
        return 1
    PICTURE.write_bytes(shot)
    print(f"{PICTURE.relative_to(ROOT)}: {len(shot):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
