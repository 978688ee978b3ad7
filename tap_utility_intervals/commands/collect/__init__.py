"""`utility-intervals collect`: have UtilityAPI collect, which costs money."""
