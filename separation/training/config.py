"""Training configuration: a TOML file in, checked dataclasses out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from separation.bands import Bands
from separation.errors import ConfigInvalid
from separation.unet import UNetConfig

Kind = Literal["musdb", "stems", "voices"]


@dataclass(frozen=True, slots=True)
class Source:
    """One folder of training or validation material.

    Parameters
    ----------
    kind
        ``musdb``: ``.stem.mp4`` files; ``stems``: a folder a song with a file a stem; ``voices``: solo singing.
    path
        Folder, relative to the data folder.
    split
        Rows of the folder's ``manifest.csv`` to take; empty takes all.
    weight
        How often a stem is drawn from here, relative to the other sources that have it.
    stems
        Stems to take from here; empty takes all there are.
    natural_levels
        Whether the stems lie at the levels of a real mix; others are brought to such levels.
    exclude_artists
        Artists to leave out.
    """

    kind: Kind
    path: str
    split: str = ""
    weight: float = 1.0
    stems: tuple[str, ...] = ()
    natural_levels: bool = False
    exclude_artists: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("musdb", "stems", "voices"):
            raise ConfigInvalid(f"source kind {self.kind!r}; there are musdb, stems, voices")


@dataclass(frozen=True, slots=True)
class Augment:
    """How training mixes differ from the songs they are made of.

    Parameters
    ----------
    remix
        Share of mixes whose stems come from different songs.
    gain_db
        Standard deviation of each stem's random gain, in dB.
    swap_channels
        Share of stems whose channels are swapped.
    speed
        Largest relative change of speed (and pitch), 0.1 = ±10 %.
    equaliser_db
        Standard deviation of each of a random equaliser's bands, in dB.
    silence
        Share of stems left out of a remix, apart from those that are silent anyway.
    """

    remix: float = 0.7
    gain_db: float = 3.0
    swap_channels: float = 0.5
    speed: float = 0.08
    equaliser_db: float = 1.5
    silence: float = 0.08


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides what a run learns; stored with it."""

    name: str
    sources: tuple[Source, ...]
    validation: Source
    stems: tuple[str, ...] = ("vocals", "drums", "bass", "other")
    sr: int = 44100
    n_fft: int = 4096
    hop_length: int = 1024
    seed: int = 1
    steps: int = 2000
    batch_size: int = 4
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    log_error_weight: float = 0.1
    average: float = 0.998
    validate_every: int = 200
    precision: str = "float32"
    bands: Bands = field(default_factory=Bands)
    network: UNetConfig = field(default_factory=UNetConfig)
    augment: Augment = field(default_factory=Augment)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


T = TypeVar("T")


def load_config(path: str | Path) -> TrainConfig:
    """Read a training configuration.

    Raises
    ------
    ConfigInvalid
        Where the file is no TOML, or asks for a setting that does not exist; the message lists those that do.
    """
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigInvalid(f"{path} is no TOML: {error}") from error
    return parse_config(table)


def parse_config(table: Mapping[str, Any]) -> TrainConfig:
    """Build a configuration from plain data, checking every name."""
    values = dict(table)
    if not values.get("source"):
        raise ConfigInvalid("a training configuration needs at least one [[source]]")
    if "validation" not in values:
        raise ConfigInvalid("a training configuration needs a [validation] source")
    values["sources"] = tuple(_make(Source, row, "source") for row in values.pop("source"))
    values["validation"] = _make(Source, values["validation"], "validation")
    values["bands"] = _make(Bands, values.get("bands", {}), "bands")
    stems = tuple(values.get("stems", ("vocals", "drums", "bass", "other")))
    network = {"n_bands": values["bands"].n_bands, "n_stems": len(stems), **values.get("network", {})}
    values["network"] = _make(UNetConfig, network, "network")
    values["augment"] = _make(Augment, values.get("augment", {}), "augment")
    return _make(TrainConfig, values, "configuration")


def _make(cls: type[T], values: Mapping[str, Any], where: str) -> T:
    known = {f.name for f in fields(cls)}  # type: ignore[arg-type]
    unknown = set(values) - known
    if unknown:
        raise ConfigInvalid(f"{where}: no setting {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return cls(**frozen)
    except TypeError as error:
        raise ConfigInvalid(f"{where}: {error}") from error


def find_config(name: str | Path) -> Path:
    """Return the path of a configuration: a file, or one that comes with the package by its name.

    Raises
    ------
    ConfigInvalid
        Where there is neither; the message lists the names.
    """
    if Path(name).is_file():
        return Path(name)
    shipped = {path.stem: path for path in (Path(__file__).parent / "configs").glob("*.toml")}
    if str(name) in shipped:
        return shipped[str(name)]
    raise ConfigInvalid(f"no configuration file {name}; those that come with mir are {', '.join(sorted(shipped))}")
