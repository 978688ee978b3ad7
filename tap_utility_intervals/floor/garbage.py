"""How a process that makes millions of rows looks for what nobody needs any more."""

from __future__ import annotations

import gc


def collect_garbage_seldom() -> None:
    """Look for cycles seldom: millions of rows come and go without one among them."""
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
