"""What Nectar sends, as unified records. Pure."""
