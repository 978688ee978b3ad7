"""What `utility-intervals doctor` finds at Nectar."""
