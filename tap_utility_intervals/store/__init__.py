"""Warehouses that `load` and `target-utility-duckdb` fill, whole commits at a time."""
