"""The data APIs this tap reads, one folder each."""
