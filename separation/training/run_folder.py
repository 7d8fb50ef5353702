"""What a run leaves behind: configuration, checksums of its data, metrics, curves."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, fields
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from separation.cards import METRICS
from separation.errors import ConfigInvalid, RunBusy
from separation.publishing import sweep, whole, write_text
from separation.tables import read_table
from separation.training.config import Augment, TrainConfig
from separation.training.curves import draw
from separation.training.events import EventFile

TAKEN = ("checkpoint", "config", "data", "metrics")
"""Names whose descriptions would overwrite files of the run itself."""
CHECKPOINT = "checkpoint.npz"
ROWS = "metrics.jsonl"
ADVICE = "give a new run folder"
SHOWN = 5
"""Differences that a message lists."""


class RunFolder:
    """The files of one run; every one but the growing logs appears whole or not at all.

    Parameters
    ----------
    path
        The folder; made where it is not there.
    config
        What the run should be.

    Raises
    ------
    ConfigInvalid
        Where the folder holds a run of another configuration, or the model's name is none.
    """

    def __init__(self, path: Path, config: TrainConfig) -> None:
        if Path(config.name).name != config.name or config.name.startswith(".") or config.name in TAKEN:
            raise ConfigInvalid(
                f"a model's name is a plain word other than {', '.join(TAKEN)}, got {config.name!r}: change `name`"
            )
        self.path = path
        self._wanted: dict[str, Any] = json.loads(json.dumps(config.to_dict()))
        path.mkdir(parents=True, exist_ok=True)
        self._check_config()

    @property
    def checkpoint(self) -> Path:
        """File that a killed run goes on from."""
        return self.path / CHECKPOINT

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder for the block; the system drops a dead process's lock.

        Raises
        ------
        RunBusy
            Where another process trains in it.
        """
        import fcntl

        with (self.path / ".lock").open("a+", encoding="ascii") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                lock.seek(0)
                holder = lock.read().strip() or "unknown"
                raise RunBusy(
                    f"{self.path} is being trained in by process {holder}: wait for it, stop it, or give another folder"
                ) from error
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            sweep(self.path)
            yield

    def describe(self, data: Mapping[str, Any]) -> None:
        """Write ``config.json`` and ``data.json``.

        Raises
        ------
        ConfigInvalid
            Where the run has learned from other files than there are now.
        """
        path = self.path / "data.json"
        if path.is_file() and self.checkpoint.is_file():
            before = read_table(path, ADVICE).get("sha256", {})
            changed = _differences(before, data["sha256"])
            if changed:
                raise ConfigInvalid(
                    f"{self.path} has learned from other data: {_some(changed)}; give a new folder, with "
                    f"init = {str(self.path)!r} to go on from its weights"
                )
        else:
            self._write(path, data)
        self._write(self.path / "config.json", self._wanted)

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Write ``metrics.json`` and draw ``curves.png`` from the rows so far."""
        self._write(self.path / METRICS, summary)
        with whole(self.path / "curves.png") as unfinished:
            draw(_rows(self.path / ROWS), unfinished, str(self._wanted["name"]))

    def log(self, step: int) -> RunLog:
        """Open the logs to go on after `step`; rows of later steps, which a killed run did not keep, are dropped."""
        path = self.path / ROWS
        if path.is_file():
            kept = [row for row in _rows(path) if row["step"] <= step]
            write_text(path, "".join(_line(row) for row in kept))
        return RunLog(path.open("a", encoding="utf-8"), EventFile(self.path / "tensorboard", step))

    def _check_config(self) -> None:
        path = self.path / "config.json"
        if not path.is_file():
            return
        before = _completed(read_table(path, ADVICE))
        changed = _differences({**before, "steps": 0}, {**self._wanted, "steps": 0})
        if changed:
            raise ConfigInvalid(
                f"{self.path} holds a run of another configuration: {_some(changed)}; give a new folder, or the "
                "configuration that it was started with (only steps may change)"
            )

    def _write(self, path: Path, content: Mapping[str, Any]) -> None:
        write_text(path, json.dumps(_plain(content), indent=1, allow_nan=False) + "\n")


class RunLog:
    """``metrics.jsonl`` and the TensorBoard curves of a run, growing by a row a step."""

    def __init__(self, rows: TextIO, events: EventFile) -> None:
        self._file, self._events = rows, events

    def add(self, row: Mapping[str, Any]) -> None:
        """Write one step's row; `sdr`, where it has one, becomes a curve a stem."""
        self._file.write(_line(row))
        self._file.flush()
        curves = {key: row[key] for key in ("loss", "learning_rate", "validation_loss") if key in row}
        curves |= {f"sdr_db/{stem}": sdr for stem, sdr in row.get("sdr", {}).items() if math.isfinite(sdr)}
        self._events.scalars(row["step"], curves)
        self._events.flush()

    def __enter__(self) -> RunLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._events.__exit__(kind, error, trace)


def _line(row: Mapping[str, Any]) -> str:
    return json.dumps(_plain(row), allow_nan=False) + "\n"


def _rows(path: Path) -> list[dict[str, Any]]:
    """Whole rows; the last may have been cut off by a kill."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _completed(before: Mapping[str, Any]) -> dict[str, Any]:
    """Add what there was no setting for when a run began: it was as the defaults are."""
    augment = before.get("augment", {})
    return {**_defaults(TrainConfig), **before, "augment": {**_defaults(Augment), **augment}}


def _defaults(settings: type[TrainConfig | Augment]) -> dict[str, Any]:
    return {each.name: each.default for each in fields(settings) if each.default is not MISSING}


def _differences(before: object, now: object, where: str = "") -> list[str]:
    """Settings in which two configurations differ, as ``name: before → now``."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = sorted({*before, *now})
        parts = (_differences(before.get(key), now.get(key), f"{where}.{key}" if where else key) for key in keys)
        return [difference for part in parts for difference in part]
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = enumerate(zip(before, now, strict=True))
        return [difference for i, (old, new) in pairs for difference in _differences(old, new, f"{where}[{i}]")]
    return [] if before == now else [f"{where}: {json.dumps(before)} → {json.dumps(now)}"]


def _some(differences: Sequence[str]) -> str:
    more = len(differences) - SHOWN
    return "; ".join(differences[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _plain(value: object) -> object:
    """The same without NaN and infinities, which JSON cannot hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
