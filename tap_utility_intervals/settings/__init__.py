"""The settings that all providers share, and how any setting is checked. Pure."""
