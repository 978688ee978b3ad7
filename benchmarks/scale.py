"""What tens of thousands of meters cost, and years of history."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.cases import MANY, utilityapi
from benchmarks.measure import (
    TAP,
    Command,
    Cost,
    Failed,
    Serving,
    Written,
    read,
    server,
)
from benchmarks.tables import Result, Shown, Verdict

if TYPE_CHECKING:
    from benchmarks.cases import Setting

NEW_HOURS = 1
BYTES_PER_METER = 500
STATE_SHARE = 0.05


@dataclass(frozen=True)
class Step:
    """One run of the tap, with what it wrote and asked."""

    name: str
    cost: Cost
    written: Written
    counts: dict[str, Any]

    @property
    def rows(self) -> int:
        """Of all streams."""
        return self.written.rows.total()

    def line(self) -> Shown:
        """As a line of a table."""
        asked = self.counts["paths"]
        return {
            "": self.name,
            "rows": f"{self.rows:,}",
            "wall s": f"{self.cost.wall:.1f}",
            "CPU s": f"{self.cost.cpu:.1f}",
            "peak MB": f"{self.cost.peak_mb:.0f}",
            "written MB": f"{self.written.bytes / 1e6:.1f}",
            "STATEs": str(self.written.states),
            "STATE bytes": f"{self.written.state_bytes:,}",
            "last STATE": f"{self.written.last_state_bytes:,}",
            "requests": f"{self.counts['requests']:,}",
            "of them lists of meters": f"{asked.get('/api/v2/meters', 0):,}",
        }


def _sync(
    setting: Setting, source: Serving, name: str, state: dict[str, Any] | None
) -> Step:
    config = {
        **utilityapi(source),
        "utilityapi_requests_per_second": MANY,
        "full_rescan_days": 0,
        "lookback_days": 0,
    }
    output = setting.folder / "output"
    command = Command.of(setting.folder, "sync", TAP, config, state=state)
    source.counts()
    cost = command.run(output)
    step = Step(name, cost, read(output), source.counts()["utilityapi"])
    output.unlink()
    if step.written.has_twice:
        raise Failed("a row was written twice")
    return step


def _three_runs(setting: Setting, meters: int) -> tuple[Step, Step, Step]:
    """All history; one new reading of each meter; nothing new."""
    with server(f"scale-{meters}") as source:
        first = _sync(setting, source, f"{meters:,} meters, first run", None)
        source.advance(days=NEW_HOURS / 24)
        name = f"{meters:,} meters, one new reading each"
        second = _sync(setting, source, name, first.written.state)
        name = f"{meters:,} meters, nothing new"
        third = _sync(setting, source, name, second.written.state)
    return first, second, third


def fifty_thousand_meters(setting: Setting) -> Result:
    """50,000 meters with one new reading each, beside 500."""
    few, many = _three_runs(setting, 500), _three_runs(setting, 50_000)
    slower = (many[0].cost.cpu / many[0].rows) / (few[0].cost.cpu / few[0].rows)
    weight = max(step.written.last_state_bytes for step in many) / 50_000
    share = many[0].written.state_bytes - many[0].written.last_state_bytes
    of_records = share / (many[0].written.bytes - many[0].written.state_bytes)
    still = many[2].counts["paths"]
    return Result(
        "UtilityAPI: 50,000 hourly meters, and 500",
        [step.line() for step in (*few, *many)],
        [
            Verdict(
                "CPU per row of 50,000 ≤ 1.5 × that of 500",
                f"{slower:.2f} ×",
                slower <= 1.5,  # noqa: PLR2004
            ),
            Verdict(
                f"STATE ≤ {BYTES_PER_METER} bytes a meter",
                f"{weight:.0f}",
                weight <= BYTES_PER_METER,
            ),
            Verdict(
                "all STATE but the last ≤ 5 % of the records",
                f"{of_records:.1%}",
                of_records <= STATE_SHARE,
            ),
            Verdict(
                "nothing new: no readings are asked for",
                ", ".join(f"{n} × {path}" for path, n in still.items()),
                not any("intervals" in path for path in still),
            ),
        ],
    )


def backfill(setting: Setting) -> Result:
    """36 months of 1,000 hourly meters."""
    with server("backfill") as source:
        config = {**utilityapi(source), "utilityapi_requests_per_second": MANY}
        command = Command.of(setting.folder, "backfill", TAP, config)
        cost = command.run()
        asked = source.counts()["utilityapi"]["requests"]
    rows = 1_000 * round(36 * 365.25 / 12) * 24
    return Result(
        "UtilityAPI: 36 months of 1,000 hourly meters",
        [
            {
                "": "first run",
                "rows (about)": f"{rows:,}",
                "wall s": f"{cost.wall:.1f}",
                "rows/s": f"{rows / cost.wall:,.0f}",
                "CPU s": f"{cost.cpu:.1f}",
                "peak MB": f"{cost.peak_mb:.0f}",
                "requests": f"{asked:,}",
            }
        ],
        [Verdict("peak < 300 MB", f"{cost.peak_mb:.0f} MB", cost.peak_mb < 300)],  # noqa: PLR2004
    )
