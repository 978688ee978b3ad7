"""Arrow: rows as record batches, for pandas, polars, notebooks, dlt. Extra `[arrow]`.

`read` is the whole of it: see `docs/arrow.md`.
"""

from tap_utility_intervals.arrow.reading import Batch, Bookmarks, Item, read
from tap_utility_intervals.arrow.schemas import schema

__all__ = ["Batch", "Bookmarks", "Item", "read", "schema"]
