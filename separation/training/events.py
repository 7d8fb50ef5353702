"""TensorBoard event files, whatever backend trains: records and messages are TensorFlow's own."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any


class EventFile:
    """One event file in a folder; TensorBoard joins those of a resumed run to one curve.

    Parameters
    ----------
    folder
        Where event files lie; made where it is not there.
    step
        Step that the curves go on after: what earlier files hold of later steps is forgotten by TensorBoard.
    """

    def __init__(self, folder: Path, step: int) -> None:
        import tensorflow as tf

        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{step}"
        self._messages: Any = tf.compat.v1
        self._file = tf.io.TFRecordWriter(str(folder / name))
        self._write(file_version="brain.Event:2")
        started = self._messages.SessionLog(status=self._messages.SessionLog.START)
        self._write(step=step + 1, session_log=started)

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Add one point to each named curve."""
        summary = self._messages.Summary()
        for tag, value in values.items():
            summary.value.add(tag=tag, simple_value=value)
        self._write(step=step, summary=summary)

    def flush(self) -> None:
        """Let readers see what was written."""
        self._file.flush()

    def __enter__(self) -> EventFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def _write(self, **fields: Any) -> None:  # noqa: ANN401 - fields of the message
        event = self._messages.Event(wall_time=time.time(), **fields)
        self._file.write(event.SerializeToString())
