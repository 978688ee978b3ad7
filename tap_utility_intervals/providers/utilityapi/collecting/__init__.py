"""Having UtilityAPI collect, which costs money: the tap itself never does."""
