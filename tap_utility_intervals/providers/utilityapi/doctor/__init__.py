"""What `utility-intervals doctor` finds at UtilityAPI."""
