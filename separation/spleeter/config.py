"""What a Spleeter model is: the settings of its JSON configurations that decide its samples."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from separation.errors import ConfigInvalid
from separation.roles import check_roles, check_stems
from separation.spectrogram import Stft

PREFIX = "spleeter:"
"""Names of published models begin so."""
FAMILY = "spleeter"
"""What a description of such a network in our own format says that it is."""
N_LEVELS = 6
"""Halvings of time and frequency in its U-Nets."""
Activation = Literal["elu", "relu", "leaky_relu"]
MaskExtension = Literal["zeros", "average"]

_ACTIVATIONS: dict[str, Activation] = {"ELU": "elu", "ReLU": "relu", "LeakyReLU": "leaky_relu"}
_TYPES = {"unet.unet": False, "unet.softmax_unet": True}


@dataclass(frozen=True, slots=True)
class SpleeterSpec:
    """Everything about a Spleeter model but its weights.

    Parameters
    ----------
    name
        What users call it.
    folder
        Name of the folder that holds its checkpoint.
    stems
        Stems it gives, in the order of its U-Nets.
    sr
        Sample rate, in Hz.
    n_fft, hop_length
        Its short-time Fourier transform.
    n_frames, n_bins
        Size of a segment; bins above `n_bins` are beyond the network.
    filters
        Filters of the six levels of each U-Net.
    conv_activation, deconv_activation
        On the way down, on the way up.
    softmax
        Whether the stems share each bin by a softmax; otherwise each U-Net has a sigmoid of its own.
    exponent
        Power to which the estimated magnitudes are raised for the masks.
    mask_extension
        Masks above `n_bins`: ``zeros``, or the frame's ``average`` mask.
    roles
        What stems with names of a user's own are (an addition to Spleeter's settings); see `separation.roles`.
    """

    name: str
    folder: str
    stems: tuple[str, ...]
    sr: int = 44100
    n_fft: int = 4096
    hop_length: int = 1024
    n_frames: int = 512
    n_bins: int = 1024
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    conv_activation: Activation = "leaky_relu"
    deconv_activation: Activation = "relu"
    softmax: bool = False
    exponent: float = 2.0
    mask_extension: MaskExtension = "zeros"
    roles: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        step = 2**N_LEVELS
        if self.n_frames < step or self.n_frames % step or self.n_bins < step or self.n_bins % step:
            raise ConfigInvalid(
                f"{self.name}: six halvings need T and F divisible by {step}, got {self.n_frames} and {self.n_bins}"
            )
        if self.n_bins > self.n_fft // 2 + 1:
            raise ConfigInvalid(f"{self.name}: F = {self.n_bins} bins are more than frames of {self.n_fft} have")
        if len(self.filters) != N_LEVELS or min(self.filters) < 1:
            raise ConfigInvalid(f"{self.name}: conv_n_filters are six numbers above 0, got {list(self.filters)}")
        if not self.stems or len(set(self.stems)) != len(self.stems):
            raise ConfigInvalid(f"{self.name}: instrument_list needs different names, got {list(self.stems)}")
        if self.sr < 1 or not self.exponent > 0:
            raise ConfigInvalid(f"{self.name}: sample_rate and separation_exponent are above 0")
        check_stems(self.stems)
        check_roles(self.stems, self.roles)

    @property
    def stft(self) -> Stft:
        """Its transform: a frame's length of zeros before the signal."""
        return Stft(self.n_fft, self.hop_length, padding=self.n_fft)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        table = {"family": FAMILY, **asdict(self)}
        if not self.roles:
            del table["roles"]
        return table

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> SpleeterSpec:
        """Undo `to_dict`."""
        known = {one.name: table[one.name] for one in fields(cls) if one.name in table}
        return cls(**{**known, "stems": tuple(table["stems"]), "filters": tuple(table["filters"])})


@dataclass(frozen=True, slots=True)
class SpleeterNetwork:
    """What a training configuration says of U-Nets of Spleeter's; see `SpleeterSpec`."""

    family: Literal["spleeter"] = "spleeter"
    n_frames: int = 512
    n_bins: int = 1024
    filters: tuple[int, ...] = (16, 32, 64, 128, 256, 512)
    conv_activation: Activation = "leaky_relu"
    deconv_activation: Activation = "relu"
    softmax: bool = False

    def __post_init__(self) -> None:
        for name in ("conv_activation", "deconv_activation"):
            if getattr(self, name) not in _ACTIVATIONS.values():
                raise ConfigInvalid(
                    f"network: {name} is {', '.join(_ACTIVATIONS.values())}, got {getattr(self, name)!r}"
                )

    def spec(
        self, name: str, stems: tuple[str, ...], sr: int, n_fft: int, hop_length: int, roles: dict[str, str]
    ) -> SpleeterSpec:
        """Describe the model that has these U-Nets."""
        return SpleeterSpec(
            name=name, folder=name, stems=stems, sr=sr, n_fft=n_fft, hop_length=hop_length, n_frames=self.n_frames,
            n_bins=self.n_bins, filters=self.filters, conv_activation=self.conv_activation,
            deconv_activation=self.deconv_activation, softmax=self.softmax, roles=roles,
        )  # fmt: skip


def published() -> dict[str, SpleeterSpec]:
    """Deezer's published models by name; the ``-16kHz`` ones are the same checkpoints, used up to 16 kHz."""
    four = ("vocals", "drums", "bass", "other")
    five = ("vocals", "piano", "drums", "bass", "other")
    table: dict[str, SpleeterSpec] = {}
    for suffix, n_bins in (("", 1024), ("-16kHz", 1536)):
        specs = (
            SpleeterSpec(f"{PREFIX}2stems{suffix}", "2stems", ("vocals", "accompaniment"), n_bins=n_bins),
            SpleeterSpec(
                f"{PREFIX}4stems{suffix}", "4stems", four, n_bins=n_bins, conv_activation="elu", deconv_activation="elu"
            ),
            SpleeterSpec(
                f"{PREFIX}5stems{suffix}", "5stems", five, n_bins=n_bins, conv_activation="elu",
                deconv_activation="elu", softmax=True,
            ),
        )  # fmt: skip
        table |= {spec.name: spec for spec in specs}
    return table


def read_config(path: str | Path) -> SpleeterSpec:
    """Read one of Spleeter's JSON configurations; what only training needs is left to training.

    Raises
    ------
    ConfigInvalid
        No JSON, a setting missing or of the wrong kind, or a network that is none of Spleeter's U-Nets.
    """
    source = Path(path)
    try:
        table = json.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigInvalid(f"{source} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigInvalid(f"{source} is no JSON: {error}") from error
    if not isinstance(table, Mapping) or not isinstance(table.get("model", {}), Mapping):
        raise ConfigInvalid(f"{source} is no Spleeter configuration: its top level and `model` must be objects")
    try:
        return _parse(source, table)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, ConfigInvalid):
            raise
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise ConfigInvalid(f"{source} is no Spleeter configuration: {what}") from error


def _parse(source: Path, table: Mapping[str, Any]) -> SpleeterSpec:
    model = table.get("model", {})
    params = model.get("params", {})
    kind = model.get("type", "unet.unet")
    if kind not in _TYPES:
        raise ConfigInvalid(f"{source}: no network {kind!r} here; there are {', '.join(_TYPES)}")
    if table.get("n_channels", 2) != 2:
        raise ConfigInvalid(f"{source}: n_channels is {table['n_channels']}; Spleeter's models are stereo (2)")
    extension = table.get("mask_extension", "zeros")
    if extension not in ("zeros", "average"):
        raise ConfigInvalid(f"{source}: mask_extension is zeros or average, got {extension!r}")
    stems: Sequence[Any] = table["instrument_list"]
    return SpleeterSpec(
        name=source.stem,
        folder=Path(str(table.get("model_dir", source.stem))).name,
        stems=tuple(str(stem) for stem in stems),
        sr=int(table["sample_rate"]),
        n_fft=int(table["frame_length"]),
        hop_length=int(table["frame_step"]),
        n_frames=int(table["T"]),
        n_bins=int(table["F"]),
        filters=tuple(
            int(n) for n in params.get("conv_n_filters", SpleeterSpec.__dataclass_fields__["filters"].default)
        ),
        # whatever it does not know Spleeter takes for the default
        conv_activation=_ACTIVATIONS.get(str(params.get("conv_activation")), "leaky_relu"),
        deconv_activation=_ACTIVATIONS.get(str(params.get("deconv_activation")), "relu"),
        softmax=_TYPES[kind],
        exponent=float(table.get("separation_exponent", 2)),
        mask_extension=extension,
        roles={str(stem): str(role) for stem, role in table.get("roles", {}).items()},
    )
