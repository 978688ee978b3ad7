"""Ready-made worlds."""

from tap_utility_intervals.sandbox.scenarios.bench import bench_world
from tap_utility_intervals.sandbox.scenarios.default import default_world
from tap_utility_intervals.sandbox.scenarios.demo import demo_world
from tap_utility_intervals.sandbox.scenarios.synthetic import solar, synthetic
from tap_utility_intervals.sandbox.scenarios.tiny import tiny_world

SCENARIOS = {"default": default_world, "demo": demo_world, "tiny": tiny_world}

__all__ = [
    "SCENARIOS",
    "bench_world",
    "default_world",
    "demo_world",
    "solar",
    "synthetic",
    "tiny_world",
]
