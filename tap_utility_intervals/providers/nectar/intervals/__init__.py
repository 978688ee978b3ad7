"""The intervals of Nectar's connections: what to read, how, and what came."""
