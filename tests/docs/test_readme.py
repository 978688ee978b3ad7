from __future__ import annotations

from scripts import readme


def test_the_settings_table_is_up_to_date() -> None:
    """If not: python -m scripts.readme."""
    text = readme.README.read_text("utf-8")
    table = "\n" + readme.settings() + "\n"
    assert readme.replaced(text, "settings", table) == text
    assert "`lookback_days` | `30`" in text
