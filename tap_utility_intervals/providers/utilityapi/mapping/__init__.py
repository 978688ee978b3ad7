"""What UtilityAPI sends, as unified records. Pure."""
