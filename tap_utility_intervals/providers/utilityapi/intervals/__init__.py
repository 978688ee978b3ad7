"""The intervals of UtilityAPI's meters: what to read, how, and what came."""
