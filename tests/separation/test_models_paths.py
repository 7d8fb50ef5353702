"""Models given by a path: a run folder, its description, a folder of runs; and what their stems are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from separation.audio import save
from separation.errors import AudioInvalid, AudioMissing, ConfigInvalid, ModelUnknown, WeightsDamaged, WeightsMissing
from separation.evaluation import comparable, find_tracks
from separation.models import available, find, give_roles, label, resolved, source_id, spec, verify
from separation.roles import check_stems, in_roles, roles_given

SR = 8000
OWN = ("voice", "beat", "band")


@pytest.fixture
def run(tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training run's folder, on a machine without other models."""
    monkeypatch.delenv("MIR_MODELS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "runs" / "tiny"))
    for name in ("config.json", "data.json", "metrics.json"):
        (folder / name).write_text("{}")
    np.savez(folder / "checkpoint.npz", step=1)
    return folder


def test_every_way_to_give_a_run(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ways: list[tuple[str, Path | None]] = [
        (str(run), None), (f"{run}/", None), (str(run / "tiny.json"), None), ("runs/tiny", None),
        ("./runs/tiny/tiny.json", None), ("tiny", run), ("tiny", run.parent),
    ]  # fmt: skip
    known = source_id("tiny", run)
    assert known.startswith("tiny:")
    for name, weights in ways:
        assert find(name, weights).resolve() == run / "tiny.json", name
        assert (source_id(name, weights), label(name, weights)) == (known, "tiny"), name
        assert spec(name, weights).stems == ("vocals", "drums", "bass", "other")
        assert known.split(":")[1] == verify(name, weights)[:16]
    monkeypatch.chdir(run.parent)
    assert find("tiny").resolve() == run / "tiny.json"
    monkeypatch.chdir(run)
    assert find(".").resolve() == run / "tiny.json"


def test_a_folder_of_runs_is_a_folder_of_models(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert available() == ("mir-4s",)
    assert available(run.parent) == available(run) == ("mir-4s", "tiny")
    monkeypatch.setenv("MIR_MODELS", str(run.parent))
    assert available() == ("mir-4s", "tiny")
    assert find("tiny") == run / "tiny.json"


def test_a_known_name_goes_before_a_folder(run: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "mir-4s")
    assert find("mir-4s").name == "mir-4s.json"
    assert resolved("mir-4s") == "mir-4s"
    assert find("mir-4s/").resolve() == tmp_path / "mir-4s" / "tiny.json"


def test_paths_that_lead_to_no_model(run: Path, tmp_path: Path) -> None:
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "config.json").write_text("{}")
    with pytest.raises(ModelUnknown, match=r"begun holds no model.*first validation.*mir-4s"):
        find("begun")
    with pytest.raises(ModelUnknown, match="nowhere/near"):
        find("nowhere/near")
    with pytest.raises(ConfigInvalid, match=r"absent.json cannot be read"):
        find("absent.json")
    for suffix in ("json", "npz"):
        shutil.copy(run / f"tiny.{suffix}", run / f"second.{suffix}")
    with pytest.raises(ModelUnknown, match=r"several models.*second.json, .*tiny.json"):
        find(str(run))
    (run / "second.npz").unlink()
    with pytest.raises(WeightsMissing, match=r"second.npz are missing"):
        find(str(run / "second.json"))
    (run / "tiny.npz").write_bytes(b"other")
    with pytest.raises(WeightsDamaged, match="expected"):
        verify(str(run))


def test_roles_are_kept_and_change_what_made_the_stems(run: Path) -> None:
    before = source_id(str(run))
    give_roles(str(run), {"other": "vocals"})
    assert spec(str(run)).roles == {"other": "vocals"}
    assert source_id(str(run)) == f"{before}:other=vocals"
    give_roles(str(run), {"bass": "drums", "other": "other"})
    assert spec(str(run)).roles == {"bass": "drums"}
    verify(str(run))
    for roles, told in (({"choir": "vocals"}, "no stem 'choir'; the model gives vocals"), ({"bass": "b"}, "cannot be")):
        with pytest.raises(ConfigInvalid, match=told):
            give_roles(str(run), roles)
    with pytest.raises(ConfigInvalid, match="mir-4s comes with its roles"):
        give_roles("mir-4s", {"other": "vocals"})
    assert spec(str(run)).roles == {"bass": "drums"}


def test_stems_of_one_role_are_heard_together() -> None:
    signals = {name: np.full((1, 4), level, np.float32) for name, level in zip(OWN, (1, 2, 4), strict=True)}
    heard = in_roles(signals, {"beat": "drums", "band": "drums"})
    assert {name: float(y[0, 0]) for name, y in heard.items()} == {"voice": 1.0, "drums": 6.0}
    assert float(signals["beat"][0, 0]) == 2.0
    assert roles_given(OWN, {"beat": "drums", "band": "drums"}) == ("voice", "drums")


@pytest.mark.parametrize("name", ["../out", "a/b", "a\\b", "", " ", ".hidden", "mixture", "nul\0"])
def test_stems_are_called_as_files_can_be(run: Path, name: str) -> None:
    with pytest.raises(ConfigInvalid, match="plain word"):
        check_stems(("voice", name))
    description = json.loads((run / "tiny.json").read_text())
    description["stems"][0] = name
    (run / "tiny.json").write_text(json.dumps(description))
    with pytest.raises(ConfigInvalid, match=r"tiny.json: .*plain word"):
        spec(str(run))


def write(folder: Path, *stems: str) -> None:
    for number, stem in enumerate(stems):
        (folder / stem).parent.mkdir(parents=True, exist_ok=True)
        save(folder / f"{stem}.wav", np.full((1, SR), 0.1 * number, np.float32), SR, subtype="FLOAT")


def test_tracks_with_stems_of_ones_own(tmp_path: Path) -> None:
    write(tmp_path / "b", *OWN, "mixture", "minus-voice")
    write(tmp_path / "a", "voice", "drums")
    write(tmp_path / "notes", "memo")
    odd, good = find_tracks(tmp_path, stems=OWN)
    assert [(track.name, track.split) for track in (odd, good)] == [("a", "all"), ("b", "all")]
    stems, sr = good.load()
    assert ({stem: round(float(y.mean()), 3) for stem, y in stems.items()}, sr) == (
        {"voice": 0.0, "beat": 0.1, "band": 0.2}, SR,
    )  # fmt: skip
    with pytest.raises(AudioInvalid, match="holds voice, drums and the model gives voice, beat, band"):
        odd.load()
    with pytest.raises(AudioMissing, match=r"stems of the model \(x, y\).*it has band, beat, drums, memo"):
        find_tracks(tmp_path, stems=("x", "y"))
    with pytest.raises(AudioMissing, match=r"vocals.wav"):
        find_tracks(tmp_path)


def test_the_same_names_can_be_compared_whatever_they_are() -> None:
    assert comparable(OWN, OWN[::-1]) == OWN
    with pytest.raises(AudioInvalid, match="are voice, beat, band and the separator gives voice, beat: "):
        comparable(OWN, OWN[:2])
