"""Which files are meant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mir.scan import scan


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def _names(root: Path, *given: Path) -> list[str]:
    return [str(Path(file.path).relative_to(root.resolve())) for file in scan(given or [root]).files]


def test_finds_audio_sorted_and_passes_over_the_rest(tmp_path: Path) -> None:
    wanted = ["a/x.stem.mp4", "a/y.MP3", "b.wav", "z/deep/er/q.opus"]
    _touch(*(tmp_path / name for name in wanted))
    _touch(
        *(
            tmp_path / name
            for name in (
                "cover.jpg",
                ".hidden.mp3",
                "a/._y.MP3",
                ".git/x.wav",
                "__MACOSX/x.wav",
                "notes",
                "mp3",
            )
        )
    )
    assert _names(tmp_path) == wanted


def test_records_size_time_and_resolved_path(tmp_path: Path) -> None:
    _touch(tmp_path / "x.wav")
    os.utime(tmp_path / "x.wav", ns=(1, 1_234_567_891))
    (file,) = scan([tmp_path / "." / "x.wav"]).files
    assert (file.path, file.size, file.mtime_ns) == (str((tmp_path / "x.wav").resolve()), 1, 1_234_567_891)


def test_the_same_file_given_many_ways_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "a" / "x.wav")
    (tmp_path / "link.wav").symlink_to(tmp_path / "a" / "x.wav")
    (tmp_path / "linked").symlink_to(tmp_path / "a")
    monkeypatch.chdir(tmp_path)
    given = [
        tmp_path,
        tmp_path / "a",
        Path("a/x.wav"),
        tmp_path / "a" / ".." / "a" / "x.wav",
        tmp_path / "link.wav",
    ]
    assert _names(tmp_path, *given) == ["a/x.wav"]


def test_symbolic_links_that_go_round_end(tmp_path: Path) -> None:
    _touch(tmp_path / "a" / "x.wav")
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self.wav").symlink_to(tmp_path / "a" / "self.wav")
    (tmp_path / "a" / "nowhere.wav").symlink_to(tmp_path / "gone.wav")
    result = scan([tmp_path])
    assert len(result.files) == 1
    assert not result.failures


def test_a_link_to_a_folder_outside_is_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "disk" / "x.wav")
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "more").symlink_to(tmp_path / "disk")
    assert _names(tmp_path, tmp_path / "library") == ["disk/x.wav"]


def test_failures_name_the_path_and_the_rest_goes_on(tmp_path: Path) -> None:
    _touch(tmp_path / "good" / "x.wav", tmp_path / "pictures" / "cover.jpg")
    os.mkfifo(tmp_path / "pipe.wav")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    result = scan([tmp_path / n for n in ("missing.mp3", "pictures", "good", "pipe.wav", "loop")])
    assert len(result.files) == 1
    assert result.folders == [str((tmp_path / "good").resolve())]
    reasons = {Path(one.path).name: one.error for one in result.failures}
    assert reasons["missing.mp3"] == "no such file or folder"
    assert reasons["pictures"] == "no audio in this folder"
    assert reasons["pipe.wav"] == "neither a file nor a folder"
    assert "loop" in reasons


def test_a_pipe_inside_a_folder_is_passed_over(tmp_path: Path) -> None:
    _touch(tmp_path / "x.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    assert _names(tmp_path) == ["x.wav"]


def test_unreadable_folder_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _touch(tmp_path / "open" / "x.wav", tmp_path / "closed" / "y.wav")
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = scan([tmp_path])
    assert [Path(file.path).name for file in result.files] == ["x.wav"]
    assert [(Path(one.path).name, one.error) for one in result.failures] == [
        ("closed", "not readable: permission denied")
    ]


def test_an_explicit_file_is_taken_whatever_its_name(tmp_path: Path) -> None:
    _touch(tmp_path / "song.bin", tmp_path / ".hidden.wav")
    assert _names(tmp_path, tmp_path / "song.bin", tmp_path / ".hidden.wav") == [".hidden.wav", "song.bin"]


def test_a_name_that_is_no_text_is_a_failure(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff.wav")).write_bytes(b"x")
    except OSError:
        pytest.skip("needs a file system that takes any bytes as a name")
    _touch(tmp_path / "x.wav")
    result = scan([tmp_path])
    assert [Path(file.path).name for file in result.files] == ["x.wav"]
    assert "not valid Unicode" in result.failures[0].error
