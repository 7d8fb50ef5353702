"""Whole files: the old one or the new one, whatever happens between, and nothing beside it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from separation import publishing
from separation.publishing import UNFINISHED, sweep, unfinished_name, whole, write_text


def test_a_block_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    write_text(target, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(target, "half\udcff")
    with pytest.raises(FileNotFoundError), whole(target):
        pass  # nothing was written
    assert target.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_what_was_written_is_on_the_disk_before_it_takes_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, seen = tmp_path / "a.json", []
    write_text(target, "old")

    def fsync(handle: int) -> None:
        written = next(path for path in tmp_path.iterdir() if path.suffix == UNFINISHED)
        assert os.fstat(handle).st_ino == written.stat().st_ino
        seen.append((written.read_text(encoding="utf-8"), target.read_text(encoding="utf-8")))

    monkeypatch.setattr(publishing.os, "fsync", fsync)
    write_text(target, "new")
    assert seen == [("new", "old")]
    assert target.read_text(encoding="utf-8") == "new"


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX permissions")
def test_a_file_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a.json", "x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.json").stat().st_mode & 0o777 == 0o640


def test_only_what_the_dead_left_is_swept_up(tmp_path: Path) -> None:
    leave = (
        "import sys, pathlib, separation.publishing as p; name = p.unfinished_name(pathlib.Path(sys.argv[1]));"
        "name.touch(); name.with_name(name.name + '.wal').touch()"
    )
    subprocess.run([sys.executable, "-c", leave, str(tmp_path / "a")], check=True)
    assert len(list(tmp_path.iterdir())) == 2
    living = unfinished_name(tmp_path / "b")
    others = [living, tmp_path / "song.flac", tmp_path / f".x{UNFINISHED}"]
    for path in others:
        path.touch()
    sweep(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(others)
