"""Training configuration: a TOML file in, checked dataclasses out."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from separation.bands import Bands
from separation.errors import ConfigInvalid
from separation.roles import check_roles, check_stems
from separation.spleeter.config import SpleeterNetwork
from separation.unet import UNetConfig

Kind = Literal["musdb", "stems", "voices", "csv"]
KINDS = ("musdb", "stems", "voices", "csv")
Loss = Literal["energy", "l1"]
Schedule = Literal["cosine", "constant"]
Keep = Literal["best", "last"]
Mixing = Literal["numpy", "tensor"]
_CHOICES = {"loss": get_args(Loss), "schedule": get_args(Schedule), "keep": get_args(Keep), "mixing": get_args(Mixing)}


@dataclass(frozen=True, slots=True)
class Source:
    """One folder of training or validation material.

    Parameters
    ----------
    kind
        ``musdb``: MUSDB18, as ``.stem.mp4`` files or as folders of WAV (HQ); ``stems``: a folder a song with a file a
        stem; ``voices``: solo singing, recorded dry; ``csv``: Spleeter's table of paths.
    path
        Folder (or table), relative to the data folder.
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
        if self.kind not in KINDS:
            raise ConfigInvalid(f"source kind {self.kind!r}; there are {', '.join(KINDS)}")
        if self.weight <= 0:
            raise ConfigInvalid(f"source {self.path}: a weight is more than 0, got {self.weight:g}")


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
        Largest relative change of speed, which moves tempo and pitch together, 0.1 = ±10 %.
    tempo
        Largest relative change of tempo that leaves the pitch where it is.
    tempo_share
        Share of stems whose tempo is changed (a phase vocoder: slower than all else here together).
    reverb
        Share of stems of a remix that are put into a room of their own.
    equaliser_db
        Standard deviation of each of a random equaliser's bands, in dB.
    silence
        Share of stems left out of a remix, apart from those that are silent anyway.
    width
        Largest relative change of the level of left − right, for half of the stems; only where mixes are made of
        tensors.
    """

    remix: float = 0.7
    gain_db: float = 3.0
    swap_channels: float = 0.5
    speed: float = 0.08
    tempo: float = 0.12
    tempo_share: float = 0.0
    reverb: float = 0.0
    equaliser_db: float = 1.5
    silence: float = 0.08
    width: float = 0.0

    def __post_init__(self) -> None:
        for name in ("remix", "swap_channels", "tempo_share", "reverb", "silence"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ConfigInvalid(f"augment: {name} is a share from 0 to 1, got {getattr(self, name):g}")
        for name in ("speed", "tempo"):
            if not 0.0 <= getattr(self, name) < 0.5:
                raise ConfigInvalid(f"augment: {name} is from 0 to 0.5, got {getattr(self, name):g}")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Everything that decides what a run learns; stored with it.

    Parameters
    ----------
    name
        What the model will be called.
    sources
        Where stems come from.
    validation
        What the best weights are chosen on; None takes `fold` of the sources instead.
    stems
        Names of the stems, in the order of the masks.
    roles
        What stems with names of one's own are: ``{"voice": "vocals"}``; see `separation.roles`.
    sr, n_fft, hop_length
        Sample rate in Hz and transform.
    seed
        Decides the first weights, the folds and every mix.
    steps, batch_size
        Length of the run and mixes a step.
    mix_frames
        Frames of a mix; 0 takes as many as the network hears when it separates.
    mixing
        Where mixes are made: by ``numpy`` on the processor, or as a ``tensor`` where the network learns, which is the
        quicker way on a GPU (no changes of tempo, no rooms but those of dry singing).
    learning_rate, warmup_steps, schedule
        Highest learning rate, the steps that lead up to it, and what follows: half a ``cosine`` leads down again, or it
        stays ``constant``.
    loss
        ``energy``: see `separation.training.loss`; ``l1``: Spleeter's mean absolute difference of magnitudes.
    log_error_weight
        Weight of the logarithmic part of ``energy``.
    log_mask_weight
        Weight of the difference in level between stem and estimate, bin by bin.
    weight_decay
        Share of every kernel taken away a step, relative to the learning rate.
    average
        Decay a step of the averaged weights, which are the ones that are kept; 0 keeps the latest instead.
    validate_every
        Steps between two validations (and checkpoints).
    precision
        A Keras dtype policy: ``float32`` or ``mixed_bfloat16``.
    init
        Model to start from: a name that `mir models list` shows, or a run folder; empty starts afresh.
    folds, fold
        Leave out part `fold` of `folds` of the artists and validate on it.
    keep
        ``best``: weights of the best validation; ``last``: those of the last step, so that validation chooses nothing.
    bands, augment
        See their own descriptions.
    network
        ``family = "unet"``, ours, unless told otherwise; ``family = "spleeter"`` is Spleeter's, which hears single bins
        and has no use for `bands`.
    """

    name: str
    sources: tuple[Source, ...]
    validation: Source | None = None
    stems: tuple[str, ...] = ("vocals", "drums", "bass", "other")
    roles: dict[str, str] = field(default_factory=dict)
    sr: int = 44100
    n_fft: int = 4096
    hop_length: int = 1024
    seed: int = 1
    steps: int = 2000
    batch_size: int = 4
    mix_frames: int = 0
    mixing: Mixing = "numpy"
    learning_rate: float = 1e-3
    warmup_steps: int = 100
    schedule: Schedule = "cosine"
    loss: Loss = "energy"
    log_error_weight: float = 0.1
    log_mask_weight: float = 0.0
    weight_decay: float = 0.0
    average: float = 0.998
    validate_every: int = 200
    precision: str = "float32"
    init: str = ""
    folds: int = 0
    fold: int = 0
    keep: Keep = "best"
    bands: Bands = field(default_factory=Bands)
    network: UNetConfig | SpleeterNetwork = field(default_factory=UNetConfig)
    augment: Augment = field(default_factory=Augment)

    def __post_init__(self) -> None:
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ConfigInvalid(f"{name} {getattr(self, name)!r}; there are {', '.join(allowed)}")
        if self.validation is None and self.folds < 2:
            raise ConfigInvalid("a training configuration needs a [validation] source, or folds = 2 or more")
        if self.folds and not 0 <= self.fold < self.folds:
            raise ConfigInvalid(f"fold is from 0 to {self.folds - 1}, got {self.fold}")
        if min(self.steps, self.batch_size, self.validate_every) < 1:
            raise ConfigInvalid("steps, batch_size and validate_every are 1 or more")
        if len(self.stems) < 2 or len(set(self.stems)) < len(self.stems):
            raise ConfigInvalid(f"stems are two or more different names, got {', '.join(self.stems)}")
        check_stems(self.stems)
        check_roles(self.stems, self.roles)
        self._check_mixes()

    def _check_mixes(self) -> None:
        if isinstance(self.network, SpleeterNetwork):
            if self.mixing == "tensor" or self.mix_frames:
                raise ConfigInvalid('mixing = "tensor" and mix_frames are for networks of our own')
        elif self.mix_frames % (step := 2 ** len(self.network.filters)) or self.mix_frames < 0:
            raise ConfigInvalid(f"frames of a mix are divisible by {step}, got {self.mix_frames}")

    @property
    def frames(self) -> int:
        """Frames of a mix."""
        return self.mix_frames or self.network.n_frames

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
    values["sources"] = tuple(_make(Source, row, "source") for row in values.pop("source"))
    if "validation" in values:
        values["validation"] = _make(Source, values["validation"], "validation")
    values["bands"] = _make(Bands, values.get("bands", {}), "bands")
    stems = tuple(values.get("stems", ("vocals", "drums", "bass", "other")))
    values["network"] = _network(values.get("network", {}), values["bands"].n_bands, len(stems))
    values["augment"] = _make(Augment, values.get("augment", {}), "augment")
    return _make(TrainConfig, values, "configuration")


def _network(values: Mapping[str, Any], n_bands: int, n_stems: int) -> UNetConfig | SpleeterNetwork:
    family = values.get("family", "unet")
    if family == "spleeter":
        return _make(SpleeterNetwork, values, "network")
    if family != "unet":
        raise ConfigInvalid(f"network: no family {family!r}; there are unet, spleeter")
    own = {key: value for key, value in values.items() if key != "family"}
    return _make(UNetConfig, {"n_bands": n_bands, "n_stems": n_stems, **own}, "network")


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
