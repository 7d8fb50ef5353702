"""Records, extractors and a shell for the catalog's tests; what they hold is made up and known."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import typer

from features.base import Column, Description, Extractor, Stems
from mir.catalog import Catalog
from mir.catalog.records import FileStat, SpaceResult, StemRow, Tags, TrackRecord
from mir.catalog.wide import declarations

STEMS = ("vocals", "drums", "bass", "other")
MODULES = ("status", "sql", "tracks", "catalog", "config", "forget", "doctor")


def column(name: str, description: str = "Larger is more.") -> Column:
    return Column(name, "Hz", 0.0, 100.0, description, "made up")


def make_extractor(
    space_: str, instrument_: str, columns_: tuple[Column, ...], version_: int = 1, size: int = 4
) -> Extractor:
    class Made(Extractor):
        space = space_
        instrument = instrument_
        version = version_
        stems = (instrument_,)
        columns = columns_
        descriptor_names = tuple(f"d{n}" for n in range(size))

        def describe(self, stems: Stems) -> Description:
            raise NotImplementedError

    return Made()


def two_spaces() -> dict[str, Extractor]:
    voice = make_extractor("vocal_timbre", "vocals", (column("f0_median_hz"), column("level_db")))
    drums = make_extractor("drum_rhythm", "drums", (column("tempo_bpm"), column("level_db")))
    return {"vocal_timbre": voice, "drum_rhythm": drums}


def result(space: str, seed: int = 0, state: str = "ok", **changes: Any) -> SpaceResult:
    extractor = declarations()[space]
    fields: dict[str, Any] = {"space": space, "version": extractor.version, "source_id": "m:1:f", "state": state}
    if state == "ok":
        rng = np.random.default_rng(seed)
        vector = rng.normal(size=3).astype(np.float32)
        fields |= {
            "values": {each.name: float(10 * seed + n) for n, each in enumerate(extractor.columns)},
            "descriptor": rng.normal(size=extractor.embedding_size).astype(np.float32),
            "vector": vector / np.linalg.norm(vector),
            "transform_id": "t1",
        }
    else:
        fields["reason"] = f"because {state}"
    return SpaceResult(**(fields | changes))


def record(number: int = 1, **changes: Any) -> TrackRecord:
    fields: dict[str, Any] = {
        "audio_hash": f"{number:064x}",
        "file": FileStat(f"/music/{number}.mp3", 1000 + number, 2000 + number),
        "tags": Tags(f"Song {number}", (f"Artist {number}",), album="Album", year=2001, genres=("Rock", "Pop")),
        "duration_s": 100.0 + number,
        "sample_rate_hz": 44100,
        "n_channels": 2,
        "codec": "mp3",
        "stems": tuple(StemRow(stem, "m:1:f", -20.0 - number, 0.5) for stem in STEMS),
        "results": tuple(result(space, number) for space in declarations()),
    }
    return TrackRecord(**(fields | changes))


def snapshot(catalog: Catalog) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, without times and the count of writes."""
    with catalog.read() as con:
        tables = con.execute(
            "SELECT table_name, list(column_name ORDER BY column_index) FROM duckdb_columns()"
            " WHERE database_name = current_database() AND NOT internal"
            " AND table_name IN (SELECT table_name FROM duckdb_tables() WHERE database_name = current_database())"
            " GROUP BY table_name"
        ).fetchall()
        return {
            table: con.execute(
                "SELECT "
                + ", ".join(f'"{name}"' for name in names if not name.endswith("_at") and name != "generation")
                + f' FROM "{table}" ORDER BY ALL'
            ).fetchall()
            for table, names in tables
        }


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


def shell(monkeypatch: Any, capsys: Any) -> Callable[..., Said]:
    """The command line with the commands that are tested here, in this process."""
    from mir.cli import app

    def run(*arguments: str | Path) -> Said:
        monkeypatch.setattr(app, "app", typer.Typer())
        monkeypatch.setattr(app, "COMMAND_MODULES", MODULES)
        monkeypatch.setattr(sys, "argv", ["mir", *map(str, arguments)])
        capsys.readouterr()
        try:
            app.main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run
