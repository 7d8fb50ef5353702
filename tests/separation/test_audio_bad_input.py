"""Files as people have them: broken, odd, misnamed. Each is a clear error or a sensible answer."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
from damaged import JPEG, Damaged, make_corpus, signal

from separation import audio
from separation.decode import open_audio
from separation.errors import AudioMissing, AudioUnreadable, SeparationError
from separation.files import open_file
from separation.source import open_source

SR = 44100


def music(seconds: float, n_channels: int = 2, sr: int = SR, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * sr)) / sr
    tones = [0.2 * np.sin(2 * np.pi * (220 + 110 * c) * t) for c in range(n_channels)]
    return (np.stack(tones) + 0.02 * rng.standard_normal((n_channels, t.size))).astype(np.float32)


def test_missing_file(tmp_path):
    for function in (audio.probe, audio.load, audio.packet_hash):
        with pytest.raises(AudioMissing, match=r"no such audio file: .*nowhere\.mp3"):
            function(tmp_path / "nowhere.mp3")
    with pytest.raises(FileNotFoundError):
        audio.load(tmp_path / "nowhere.mp3")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("photo.mp3", JPEG),
        ("photo.wav", JPEG),
        ("text.flac", b"Dear diary, today I renamed a file.\n" * 400),
        ("noise.m4a", np.random.default_rng(0).integers(0, 256, 50_000, dtype=np.uint8).tobytes()),
        ("head-only.wav", b"RIFF\x24\x00\x00\x00WAVE"),
        ("head-only.ogg", b"OggS"),
        ("list.mp3", b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.mp3\n#EXT-X-ENDLIST\n"),
    ],
)
def test_what_is_no_audio_is_unreadable_whatever_its_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    for function in (audio.probe, audio.load, audio.packet_hash):
        with pytest.raises(AudioUnreadable, match=r"holds no audio|without a single sample"):
            function(path)
    with pytest.raises(ValueError, match=name):
        audio.load(path)


def test_no_bytes_and_no_samples(tmp_path):
    empty = tmp_path / "empty.mp3"
    empty.touch()
    with pytest.raises(AudioUnreadable, match=r"empty\.mp3 is empty \(0 bytes\)"):
        audio.load(empty)
    with pytest.raises(AudioUnreadable):
        audio.packet_hash(empty)
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 2)), SR)
    with pytest.raises(AudioUnreadable, match="without a single sample"):
        audio.load(tmp_path / "none.wav")


def test_a_folder(tmp_path):
    folder = tmp_path / "album.mp3"
    folder.mkdir()
    for function in (audio.probe, audio.load, audio.packet_hash):
        with pytest.raises(AudioUnreadable, match=r"album\.mp3 is a folder"):
            function(folder)


def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioUnreadable, match="no regular file"):
        audio.load(tmp_path / "pipe.wav")


def test_permissions(tmp_path, monkeypatch):
    path = tmp_path / "mine.wav"
    audio.save(path, music(0.1), SR)
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser reads everything
        from pathlib import Path

        def refuse(self: Path, *_: object) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AudioUnreadable, match=r"mine\.wav cannot be opened: Permission denied"):
        audio.load(path)


@pytest.mark.parametrize("codec", ["mp3", "flac", "wav", "ogg", "opus", "m4a"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_truncated_in_the_middle_gives_what_there_is_and_a_warning(tmp_path, caplog, codec, share):
    whole_path, path = tmp_path / f"whole.{codec}", tmp_path / f"cut.{codec}"
    audio.save(whole_path, music(8.0), SR)
    content = whole_path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    whole, _ = audio.load(whole_path)
    assert caplog.text == ""
    with caplog.at_level(logging.WARNING):
        y, sr = audio.load(path)
    assert "cut." in caplog.text
    assert "damaged or cut off" in caplog.text
    seconds = y.shape[1] / sr
    assert 8.0 * (share - 0.15) < seconds < 8.0 * (share + 0.1)
    same = slice(0, y.shape[1] - sr // 2)
    np.testing.assert_allclose(y[:, same], whole[:, : y.shape[1]][:, same], atol=1e-4)
    assert len(audio.packet_hash(path)) == 64
    assert audio.packet_hash(path) != audio.packet_hash(whole_path)


def test_m4a_with_its_index_cut_away_is_unreadable(tmp_path):
    path = tmp_path / "x.m4a"
    audio.save(path, music(2.0), SR)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(AudioUnreadable):
        audio.load(path)


def test_a_hole_in_the_middle_does_not_end_the_song(tmp_path, caplog):
    path = tmp_path / "x.mp3"
    audio.save(path, music(8.0), SR)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 3000] = b"\0" * 3000
    path.write_bytes(content)
    y, sr = audio.load(path)
    assert y.shape[1] / sr > 7.5


@pytest.mark.parametrize("codec", ["mp3", "flac", "wav", "ogg", "opus", "m4a"])
def test_a_fifth_of_a_second(tmp_path, codec):
    path = tmp_path / f"short.{codec}"
    audio.save(path, music(0.2), SR)
    y, sr = audio.load(path)
    assert y.shape[1] == pytest.approx(0.2 * sr, abs=2)
    one = audio.load(path, duration_s=0.01)[0]
    assert one.shape == (2, round(0.01 * sr))


@pytest.mark.parametrize("codec", ["mp3", "flac", "wav", "ogg", "opus", "m4a"])
def test_silence_stays_silence(tmp_path, codec):
    path = tmp_path / f"silence.{codec}"
    audio.save(path, np.zeros((2, SR), np.float32), SR)
    y, _ = audio.load(path)
    assert float(np.abs(y).max()) < 1e-4
    assert y.shape[0] == 2


@pytest.mark.parametrize(
    ("sr", "n_channels", "subtype"),
    [(8000, 1, "PCM_16"), (192000, 2, "PCM_24"), (48000, 6, "PCM_24"), (44100, 1, "PCM_U8")],
)
def test_odd_rates_widths_and_channels(tmp_path, sr, n_channels, subtype):
    y = music(0.5, n_channels, sr)
    path = tmp_path / "odd.wav"
    soundfile.write(path, y.T, sr, subtype=subtype)
    for exact in (True, False):  # libsndfile and FFmpeg agree
        with open_file(path) as file, open_audio(file, exact=exact) as reader:
            loaded = np.concatenate(list(reader.blocks()), axis=1)
        assert (reader.info.sample_rate_hz, reader.damaged) == (sr, False)
        assert loaded.shape == y.shape
        np.testing.assert_allclose(loaded, y, atol=0.02 if subtype == "PCM_U8" else 4e-5)
    resampled, rate = audio.load(path, sr=44100)
    assert rate == 44100
    assert resampled.shape == (n_channels, 22050)


def test_both_decoders_agree_on_every_sample(tmp_path):
    for name in ("x.wav", "x.flac"):
        audio.save(tmp_path / name, music(1.0), SR)
        decoded = []
        for exact in (True, False):
            with open_file(tmp_path / name) as file, open_audio(file, exact=exact) as reader:
                decoded.append(np.concatenate(list(reader.blocks(SR // 4)), axis=1))
        assert decoded[0].shape == (2, SR - SR // 4)
        np.testing.assert_array_equal(*decoded)


@pytest.mark.parametrize(
    "name",
    [
        '🎸 it\'s "quoted".wav',
        "file:a.wav",
        "http://x.wav".replace("/", "_"),
        "concat:a|b.wav",
        "%d.wav",
        "-i.wav",
        "ünï çø.wav",
        "a\nb.wav",
    ],
)
def test_names_that_programs_trip_over(tmp_path, name):
    y = music(0.1)
    for suffix in (".wav", ".m4a", ".mp3", ".ogg"):
        path = tmp_path / (name.removesuffix(".wav") + suffix)
        audio.save(path, y, SR)
        loaded, _ = audio.load(path)
        assert loaded.shape == y.shape
        assert audio.probe(path).n_channels == 2
        audio.packet_hash(path)


def test_a_relative_name_with_a_colon(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    audio.save("tcp:1.m4a", music(0.1), SR)
    assert audio.load("tcp:1.m4a")[0].shape[0] == 2


def test_samples_that_are_no_numbers_become_zero(tmp_path, caplog):
    y = music(0.1)
    y[0, 10:13] = np.nan
    y[1, 20] = np.inf
    soundfile.write(tmp_path / "nan.wav", y.T, SR, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        loaded, _ = audio.load(tmp_path / "nan.wav")
    assert "4 samples that are no numbers" in caplog.text
    assert np.isfinite(loaded).all()
    assert loaded[0, 10:13].tolist() == [0.0, 0.0, 0.0]
    assert loaded[1, 20] == 0.0
    np.testing.assert_array_equal(loaded[0, 100:], y[0, 100:])


def test_a_wav_written_to_a_pipe_has_no_length_and_is_whole(tmp_path, caplog):
    path = tmp_path / "piped.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.arange(8000, dtype="<i2").tobytes())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    y, _ = audio.load(path)
    assert y.shape == (1, 8000)
    assert caplog.text == ""


@pytest.mark.parametrize("codec", ["mp3", "flac", "wav", "ogg", "opus", "m4a"])
def test_random_damage_gives_audio_or_an_error_of_ours(tmp_path, codec):
    path = tmp_path / f"x.{codec}"
    audio.save(path, music(3.0), SR)
    content = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    rng = np.random.default_rng(5)
    outcomes = set()
    for n_bytes in range(12):
        damaged = content.copy()
        reach = min(400, content.size) if n_bytes % 2 else content.size  # headers break in more ways than samples
        damaged[rng.integers(0, reach, n_bytes)] = rng.integers(0, 256, n_bytes)
        path.write_bytes(damaged[: rng.integers(content.size // 2, content.size)].tobytes())
        for function in (audio.probe, audio.packet_hash, audio.load):
            try:
                result = function(path)
            except SeparationError:
                outcomes.add("error")
                continue
            outcomes.add("audio")
            if function is audio.load:
                assert result[0].ndim == 2
                assert result[0].size
                assert np.isfinite(result[0]).all()
    assert "audio" in outcomes


def test_every_error_is_ours():
    assert issubclass(AudioMissing, SeparationError)
    assert issubclass(AudioUnreadable, SeparationError)


def test_decoders_say_nothing_themselves(tmp_path):
    """The libraries write to file descriptor 2 directly, so it takes a process to hear them."""
    audio.save(tmp_path / "x.mp3", music(3.0), SR)
    content = (tmp_path / "x.mp3").read_bytes()
    (tmp_path / "cut.mp3").write_bytes(content[: len(content) // 2 + 7])
    (tmp_path / "hole.mp3").write_bytes(content[:9000] + b"\x55" * 5000 + content[14000:])
    (tmp_path / "photo.mp3").write_bytes(JPEG)
    code = (
        "import sys; from pathlib import Path; from separation import audio\n"
        "import logging; logging.disable()\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    try: audio.load(path); audio.packet_hash(path)\n"
        "    except ValueError: pass\n"
        "    audio.save(Path(sys.argv[1]) / 'out.mp3', audio.np.zeros((2, 4000), 'f4'), 44100)\n"
        "    audio.save(Path(sys.argv[1]) / 'out.m4a', audio.np.zeros((2, 4000), 'f4'), 44100)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + bytes(range(256)) * 20])
def test_damaged_files_leave_nothing_on_stderr(
    tmp_path: Path, content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "picture.mp3"
    path.write_bytes(content)
    with pytest.raises(AudioUnreadable):
        audio.load(path)
    assert capfd.readouterr().err == ""


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Damaged]:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


def blocks_of(path: Path) -> np.ndarray:
    with open_source(path) as source:
        return np.concatenate(list(source.blocks), axis=1)


def test_every_damaged_file_is_an_error_of_ours_or_a_correct_part(corpus, capfd):
    original = signal()
    wrong, outcomes = [], set()
    for damaged in corpus:
        for function in (audio.probe, audio.packet_hash, audio.load, blocks_of):
            try:
                result = function(damaged.path)
                outcome = "audio"
            except (AudioUnreadable, AudioMissing) as error:
                outcome = "error"
                if damaged.path.name not in str(error):
                    wrong.append(f"{damaged.path.name}: {error}")
            if function not in (audio.load, blocks_of):
                continue
            outcomes.add((damaged.kind, outcome))
            if damaged.expectation not in ("either", outcome):
                wrong.append(f"{damaged.path.name} ({damaged.kind}): {outcome} from {function.__name__}")
            if outcome == "error":
                continue
            y = result[0] if function is audio.load else result
            if y.dtype != np.float32 or not y.size or not np.isfinite(y).all():
                wrong.append(f"{damaged.path.name}: {y.dtype} {y.shape}, finite: {np.isfinite(y).all()}")
            if damaged.n_exact is not None and (
                y.shape[1] < damaged.n_exact or not np.array_equal(y, original[:, : y.shape[1]])
            ):
                wrong.append(f"{damaged.path.name}: not the first samples ({y.shape[1]} of {damaged.n_exact})")
    assert wrong == []
    assert len(corpus) > 100
    assert {("cut off", "audio"), ("cut off", "error"), ("bits flipped", "audio"), ("no audio", "error")} <= outcomes
    assert capfd.readouterr() == ("", "")


def test_no_damaged_file_takes_much_memory(corpus):
    """In a process that may not have 200 MB more than it starts with, so that even an untouched allocation shows."""
    code = (
        "import logging, resource, sys; from pathlib import Path; import av, soundfile, soxr\n"
        "from separation import audio; from separation.errors import SeparationError\n"
        "logging.disable()\n"
        "size = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size + 200_000_000,) * 2)\n"
        "for path in sorted(Path(sys.argv[1]).iterdir()):\n"
        "    for function in (audio.probe, audio.packet_hash, audio.load):\n"
        "        try: function(path)\n"
        "        except SeparationError: pass\n"
    )
    folder = str(corpus[0].path.parent)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, folder], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
