"""BATCH: Arrow files from the tap to the target, as exact and as safe as lines."""

from __future__ import annotations

import io
import itertools
import json
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from singer_sdk.helpers._batch import SDKBatchMessage
from typing_extensions import override

from tap_utility_intervals.arrow import files, reading
from tap_utility_intervals.arrow.files import path_of
from tap_utility_intervals.arrow.schemas import DECIMAL, json_columns
from tap_utility_intervals.sandbox import Sandbox, tiny_world
from tap_utility_intervals.singer.targets import LineError
from tap_utility_intervals.stdout import Lines
from tap_utility_intervals.store.base import Pending
from tap_utility_intervals.store.duckdb import DuckDB
from tap_utility_intervals.tap import TapUtilityIntervals
from tests.oracle import Row
from tests.store.loads import (
    STEP,
    Fuse,
    Fused,
    Warehouse,
    kill_again_and_again,
    serving,
    small_world,
    world_values,
)
from tests.syncing import config, sync
from tests.target.loading import Line, Loaded, listen, record, schema, state
from tests.target.test_ours import ALIKE, partial_settings, without

ODD = ("1.5", "1e299", "9" * 60, "0." + "1234567890" * 6, "7")


def batches(folder: Path) -> Row:
    root = (folder / "files").as_uri()
    return {"encoding": {"format": "arrow"}, "storage": {"root": root, "prefix": "a-"}}


def left(folder: Path) -> list[Path]:
    return sorted((folder / "files").iterdir())


def named(lines: Iterable[str]) -> Iterator[tuple[str, Path]]:
    for one in map(json.loads, lines):
        if one["type"] == "BATCH":
            (url,) = one["manifest"]
            yield one["stream"], path_of(url)


@contextmanager
def odd() -> Iterator[Sandbox]:
    with serving(*enumerate(ODD)) as sandbox:
        sandbox.settings = partial_settings(sandbox)  # type: ignore[method-assign]
        yield sandbox


@pytest.mark.parametrize(
    "names", [(), ("unreadable", "quantity_normalized", "extra", "service_address")]
)
def test_the_tables_are_those_of_lines(tmp_path: Path, names: tuple[str, ...]) -> None:
    for world in (lambda: Sandbox(tiny_world()), odd):
        one, two = tmp_path / "one.duckdb", tmp_path / "two.duckdb"
        with world() as sandbox:
            catalog = without(sandbox, *names)
            listen(one, sync(config(sandbox), catalog=catalog).lines)
            by_files = {"batch_config": batches(tmp_path)}
            run = sync(config(sandbox, **by_files), catalog=catalog)
        assert run.rows("intervals") == []
        for _, path in named(run.lines):
            assert set(names).isdisjoint(pa.ipc.open_file(path).schema.names)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        listen(two, run.lines)
        assert left(tmp_path) == []
        with duckdb.connect() as db:
            db.execute(f"attach '{one}' as one; attach '{two}' as two")
            for table in ("meters", "intervals", "usage", "coverage"):
                shape = db.execute(f"describe one.{table}").fetchall()
                assert shape == db.execute(f"describe two.{table}").fetchall()
                counts = (f"select count(*) from {of}.{table}" for of in ("one", "two"))
                ours, theirs = (db.execute(count).fetchall() for count in counts)
                assert ours == theirs
                timed = sorted({"read_at", "listed_at"} & {row[0] for row in shape})
                if table != "coverage":
                    differ = ALIKE.format(table, f"({', '.join(timed)})")
                    assert db.execute(differ).fetchall() == []
        one.unlink()
        two.unlink()


def test_no_state_is_ahead_of_the_files_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS", 100)
    given = {"batch_config": batches(tmp_path), "state_interval_seconds": 0}
    with Sandbox(small_world()) as sandbox:
        run = sync(config(sandbox, **given))
    newest: dict[str, str] = {}
    states = 0
    for message in run.messages:
        if message["type"] == "BATCH" and message["stream"] == "intervals":
            (path,) = map(path_of, message["manifest"])
            rows = pa.ipc.open_file(path).read_all()
            for meter, start in zip(
                rows["meter_key"].to_pylist(),
                rows["interval_start"].to_pylist(),
                strict=True,
            ):
                newest[meter] = max(f"{start:%Y-%m-%dT%H}", newest.get(meter, ""))
        elif message["type"] == "STATE":
            found = message["value"]["bookmarks"].get("intervals", {})
            for entry in found.get("partitions", []):
                states += 1
                meter = entry["context"].get("meter_key")
                if meter is not None:
                    assert entry["replication_key_value"][:13] <= newest[meter]
    assert states > 4


class Kept(io.StringIO):
    """Standard output, also in a file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    @override
    def write(self, text: str) -> int:
        with self.path.open("a") as file:
            file.write(text)
        return super().write(text)


class Piped(Warehouse):
    """The tap's lines outlive it in a file, and go to the target from there."""

    def pipe(self, sandbox: Sandbox, fuse: Fuse) -> None:
        lines, confirmed = self.folder / "lines", self.folder / "confirmed"
        with confirmed.open("a") as out, redirect_stdout(out):
            if lines.exists():  # the tap was killed, the target was not
                come = lines.read_text().splitlines()
                assert all(path.exists() for _, path in named(come))
                listen(self.path, come)
                lines.unlink()
            known = confirmed.read_text().splitlines()
            begin = json.loads(known[-1]) if known else None
            given = {"batch_config": batches(self.folder), "max_retries": 0}
            given |= {"state_interval_seconds": 0, "lookback_days": 0}
            with fused(fuse):
                sync(config(sandbox, **given), begin, out=Kept(lines))
                come = lines.read_text().splitlines()
                lines.unlink()
                listen(self.path, come, batch_size_rows=300)


@contextmanager
def fused(fuse: Fuse) -> Iterator[None]:
    """Make each write, each name that a file gets or loses, each query a moment."""
    with pytest.MonkeyPatch.context() as patch:
        connect = duckdb.connect
        patch.setattr(
            duckdb, "connect", lambda *a: Fused(fuse.around(connect)(*a), fuse)
        )
        patch.setattr(Lines, "write", fuse.around(Lines.write))
        for name in ("replace", "unlink"):
            patch.setattr(Path, name, fuse.around(getattr(Path, name)))
        patch.setattr(files, "written", fuse.around(files.written))
        yield


def test_killed_at_any_moment_and_run_again_it_holds_the_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS", 100)

    def fresh(number: int) -> Piped:
        folder = tmp_path / str(number)
        folder.mkdir()
        return Piped(folder)

    with Sandbox(small_world()) as sandbox:
        expected = world_values(sandbox.world)
        moments = kill_again_and_again(lambda one, f: one.pipe(sandbox, f), fresh)
        for one in moments:
            assert one.values() == expected
            assert one.query("from restatements") == []
            assert len(one.query("from meters")) == 4
            if one.folder.name == "0":
                assert left(one.folder) == []


@pytest.mark.parametrize("lasting", [1, 4, 7])
def test_a_full_disk_ends_the_tap_and_no_state_covers_what_was_lost(
    lasting: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "ROWS", 100)
    calls, whole = itertools.count(), files.written

    def full(path: Path, rows: pa.RecordBatch) -> None:
        if next(calls) >= lasting:
            raise OSError(28, "No space left on device")
        whole(path, rows)

    monkeypatch.setattr(files, "written", full)
    warehouse = Loaded(tmp_path / "warehouse.duckdb")
    settings = {"state_interval_seconds": 0, "lookback_days": 0}
    with Sandbox(small_world()) as sandbox:
        given = config(sandbox, batch_config=batches(tmp_path), **settings)
        out = io.StringIO()
        with redirect_stdout(out):
            tap = TapUtilityIntervals(config=given)
            with pytest.raises(SystemExit) as end:
                tap.run_to_the_end()
        assert end.value.code == 1
        confirmed = warehouse.load(out.getvalue().splitlines())
        monkeypatch.setattr(files, "written", whole)
        warehouse.load(sync(given, confirmed[-1] if confirmed else None).lines)
        assert Warehouse(tmp_path).values() == world_values(sandbox.world)


# --- what is refused ------------------------------------------------------------------


def test_what_cannot_be_loaded_is_one_sentence_and_what_came_before_is_stored(
    tmp_path: Path,
) -> None:
    with odd() as sandbox:
        run = sync(config(sandbox, batch_config=batches(tmp_path)))
    head = next(one for one in run.lines if '"stream":"intervals"' in one)
    ((_, path),) = [one for one in named(run.lines) if one[0] == "intervals"]
    rows = pa.ipc.open_file(path.read_bytes()).read_all()
    keys = rows["meter_key"]
    null = pa.array([None] * rows.num_rows, pa.string())
    place = rows.column_names.index("meter_key")

    def file(rows: pa.Table) -> bytes:
        out = pa.BufferOutputStream()
        with pa.ipc.new_file(out, rows.schema) as writer:
            writer.write_table(rows)
        return bytes(out.getvalue())

    line = batch("intervals", path)
    foreign = schema("intervals")
    cases: list[tuple[bytes | None, list[Line], Row, str]] = [
        (b"", [head, line], {}, "it is no whole Arrow file"),
        (file(rows)[:-9], [head, line], {}, "it is no whole Arrow file"),
        (None, [head, line], {}, "cannot be read: No such file"),
        (file(rows.drop_columns("quantity")), [head, line], {}, "no column quanti"),
        (
            file(rows.set_column(place, "meter_key", null)),
            [head, line],
            {},
            "meter_key is null in some rows",
        ),
        (
            file(rows.set_column(place, "meter_key", keys.cast("large_string"))),
            [head, line],
            {},
            "meter_key is large_string, and should be string",
        ),
        (file(rows), ['{"type":"BATCH","stream":"intervals"}'], {}, "no such message"),
        (file(rows), [line], {}, "intervals: this BATCH cannot be loaded"),
        (file(rows), [foreign, line], {}, "this BATCH cannot be loaded"),
        (
            file(rows),
            [head, line],
            {"stream_maps": {"intervals": {"quantity": None}}},
            "this BATCH cannot be loaded",
        ),
        (
            file(rows),
            [head, line],
            {"add_record_metadata": True},
            "this BATCH cannot be loaded",
        ),
    ]
    for number, (content, lines, settings, told) in enumerate(cases):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        warehouse = Loaded(tmp_path / f"{number}.duckdb", settings)
        before: list[Line] = [schema("s"), record("s", 1), state(s=1)]
        with pytest.raises(LineError) as error:
            warehouse.load([*before, *lines, state(s=2)])
        assert told in str(error.value)
        assert path.exists() is (content is not None)
        assert warehouse.confirmed == [{"bookmarks": {"s": 1}}]
        assert warehouse.query("select id from s") == [("1",)]


def batch(stream: str, path: Path, form: str = "arrow") -> Row:
    encoding = {"format": form}
    named = {"encoding": encoding, "manifest": [path.as_uri()]}
    return {"type": "BATCH", "stream": stream, **named}


def test_files_come_after_the_rows_before_them_and_lines_are_taken_of_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "1", "text": "b"}\n{"id": "2", "text": "c"}\n')
    warehouse = Loaded(tmp_path / "warehouse.duckdb")
    head = schema("s", text={"type": "string"})
    line = record("s", 1, text="a")
    warehouse.load([head, line, batch("s", path, "jsonl"), state(s=1)])
    assert warehouse.confirmed == [{"bookmarks": {"s": 1}}]
    assert warehouse.query("from s order by id") == [("1", "b"), ("2", "c")]
    with odd() as sandbox:
        lines = sync(config(sandbox)).lines
        run = sync(config(sandbox, batch_config=batches(tmp_path)))
    old = [one.replace('"quantity":1.5', '"quantity":3') for one in lines]
    listen(tmp_path / "two.duckdb", [*old, *run.lines])
    two = Loaded(tmp_path / "two.duckdb")

    def kept(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    assert left(tmp_path) == []
    monkeypatch.setattr(Path, "unlink", kept)
    with odd() as sandbox:
        run = sync(config(sandbox, batch_config=batches(tmp_path)))
    listen(tmp_path / "two.duckdb", run.lines)
    assert "3 times: A loaded file cannot be removed: Permission denied" in caplog.text
    found = two.query("select quantity from intervals order by interval_start")
    assert found[0] == (Decimal("1.5"),)
    assert len(found) == len(ODD)


def test_a_commit_is_due_within_one_chunk_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few lines may name all there is: memory must not hold it."""
    monkeypatch.setattr(reading, "ROWS", 100)
    with Sandbox(small_world()) as sandbox:
        run = sync(config(sandbox, batch_config=batches(tmp_path)))
    most = 0
    commit = DuckDB.commit

    def measured(store: DuckDB, pending: Pending) -> None:
        nonlocal most
        most = max(most, pending.rows.total())
        commit(store, pending)

    monkeypatch.setattr(DuckDB, "commit", measured)
    listen(tmp_path / "warehouse.duckdb", run.lines, batch_size_rows=300)
    assert 300 <= most < 700


# --- what others read -----------------------------------------------------------------


def test_targets_on_singer_sdk_0_55_read_the_files(tmp_path: Path) -> None:
    """As its `ArrowReader` does: 8 bytes, then a stream; JSON by `arrow.json`.

    nanoarrow, by which it reads, alters decimals below 0: there must be none.
    https://github.com/meltano/sdk: singer_sdk/contrib/batch_decoder_arrow.py
    """
    with Sandbox(tiny_world()) as sandbox:
        lines = sync(config(sandbox))
        run = sync(config(sandbox, batch_config=batches(tmp_path)))
    for stream, path in named(run.lines):
        with path.open("rb") as file:
            assert file.read(8) == b"ARROW1\0\0"
            rows = pa.ipc.open_stream(file).read_all()
        kinds = {one.name: one.type for one in rows.schema}
        texts = {name for name in kinds if kinds[name] == pa.json_()}
        decimals = [rows[n] for n in kinds if kinds[n] == DECIMAL]
        assert all((pc.min(one).as_py() or 0) >= 0 for one in decimals)
        negative = {"quantity", "quantity_normalized"} if stream == "intervals" else ()
        assert texts == {*json_columns(stream), *negative}
        if stream != "coverage":
            but = {name for name in kinds if pa.types.is_temporal(kinds[name])}
            assert in_order(decoded(rows, texts), but) == in_order(
                lines.rows(stream), but
            )
    (sent,) = [one for one in run.messages if one["type"] == "BATCH"][:1]
    theirs = SDKBatchMessage(**{n: sent[n] for n in ("stream", "encoding", "manifest")})
    assert {k: v for k, v in theirs.to_dict().items() if v is not None} == sent


def decoded(rows: pa.Table, texts: set[str]) -> Iterator[Row]:
    for row in rows.to_pylist():
        found = {n: json.loads(row[n], parse_float=Decimal) for n in texts if row[n]}
        yield row | found


def in_order(rows: Iterable[Row], but: set[str]) -> list[str]:
    kept = [{n: v for n, v in row.items() if n not in but} for row in rows]
    return sorted(json.dumps(row, sort_keys=True, default=digits) for row in kept)


def digits(value: Decimal) -> str:
    return f"{value.quantize(STEP):f}"
