"""Who is in the made-up library: four singers, four bands, and eight acts that cross them.

Each singer sings with two bands and each band plays for two singers. So two acts that share a singer share
nothing else, two acts that share a band share everything else, and whoever compares whole recordings finds
the wrong pair.
"""

from __future__ import annotations

from dataclasses import dataclass

from mir.demo.drums import Kit
from mir.demo.voice import Singer


@dataclass(frozen=True, slots=True)
class Layer:
    """One chordal instrument: sound, rhythm, lowest MIDI note, level in dB under the mix."""

    sound: str
    rhythm: str
    octave: int
    level_db: float


@dataclass(frozen=True, slots=True)
class Band:
    """A band: how it plays and what on.

    Parameters
    ----------
    style
        A name of `mir.demo.drums.GROOVES`; also the genre that its files are tagged with.
    tempo_bpm
        Slowest and fastest song.
    swing
        Where the second sixteenth falls, see `mir.demo.drums.play`.
    n_bars
        Length of a song in bars of four quarter notes.
    quarters_per_beat
        How many quarter notes of the drums pass in a beat of everybody else (2: half-time).
    room_s
        Reverberation time of the mix in seconds.
    tone_db
        What the band's desk does to its instruments below 200 Hz and above 3 kHz.
    levels_db
        Level of vocals, drums and bass relative to full scale.
    """

    name: str
    style: str
    tempo_bpm: tuple[float, float]
    swing: float
    n_bars: int
    quarters_per_beat: int
    kit: Kit
    bass: str
    layers: tuple[Layer, ...]
    room_s: float
    tone_db: tuple[float, float]
    levels_db: tuple[float, float, float]


SINGERS = (
    Singer(
        name="Ottoline Wren",
        low=62,
        high=77,
        tract_cm=14.0,
        rd=(0.9, 1.5),
        breath=0.05,
        vibrato_hz=6.3,
        vibrato_semitones=0.45,
        vibrato_delay_s=0.15,
        glide_s=0.03,
        bandwidth=0.9,
        ring_db=4.0,
        shape=(1.0, 1.03, 0.98, 1.02, 1.0),
        nasality=0.0,
        sibilance_hz=8200.0,
    ),
    Singer(
        name="Bruno Kessel",
        low=50,
        high=64,
        tract_cm=17.6,
        rd=(0.6, 1.1),
        breath=0.04,
        vibrato_hz=4.9,
        vibrato_semitones=0.35,
        vibrato_delay_s=0.3,
        glide_s=0.06,
        bandwidth=0.8,
        ring_db=7.0,
        shape=(0.98, 0.95, 0.96, 0.9, 0.88),
        nasality=0.1,
        sibilance_hz=5200.0,
    ),
    Singer(
        name="Mirela Dusk",
        low=53,
        high=68,
        tract_cm=15.4,
        rd=(1.3, 2.0),
        breath=0.12,
        vibrato_hz=5.4,
        vibrato_semitones=0.12,
        vibrato_delay_s=0.5,
        glide_s=0.05,
        bandwidth=1.35,
        ring_db=-3.0,
        shape=(1.05, 0.97, 1.06, 1.0, 1.04),
        nasality=0.0,
        sibilance_hz=6800.0,
    ),
    Singer(
        name="Caspian Lowe",
        low=53,
        high=68,
        tract_cm=17.2,
        rd=(0.45, 0.8),
        breath=0.015,
        vibrato_hz=5.7,
        vibrato_semitones=0.8,
        vibrato_delay_s=0.2,
        glide_s=0.09,
        bandwidth=0.7,
        ring_db=5.0,
        shape=(1.04, 1.1, 0.94, 1.03, 1.0),
        nasality=0.6,
        sibilance_hz=6000.0,
    ),
)

BANDS = (
    Band(
        name="Night Bus Cartel",
        style="House",
        tempo_bpm=(120.0, 128.0),
        swing=0.54,
        n_bars=8,
        quarters_per_beat=1,
        kit=Kit(
            kick_from=180.0,
            kick_to=55.0,
            kick_decay=0.24,
            kick_click=0.25,
            snare_tone=190.0,
            snare_wires=0.8,
            snare_decay=0.2,
            hat_pitch=420.0,
            hat_decay=0.07,
            drive=1.3,
            room_decay_s=0.4,
            room=0.08,
        ),
        bass="synth",
        layers=(Layer("organ", "stabs", 55, -23.0), Layer("pad", "pad", 52, -24.0)),
        room_s=1.1,
        tone_db=(1.0, 0.0),
        levels_db=(-16.5, -16.5, -19.0),
    ),
    Band(
        name="Tin Cathedral",
        style="Drum & Bass",
        tempo_bpm=(170.0, 177.0),
        swing=0.5,
        n_bars=10,
        quarters_per_beat=2,
        kit=Kit(
            kick_from=260.0,
            kick_to=62.0,
            kick_decay=0.18,
            kick_click=0.8,
            snare_tone=235.0,
            snare_wires=1.1,
            snare_decay=0.16,
            hat_pitch=560.0,
            hat_decay=0.045,
            drive=2.0,
            room_decay_s=0.3,
            room=0.12,
        ),
        bass="reese",
        layers=(Layer("bell", "stabs", 64, -24.0), Layer("pad", "pad", 55, -27.0)),
        room_s=1.3,
        tone_db=(2.0, 4.0),
        levels_db=(-15.5, -16.0, -18.5),
    ),
    Band(
        name="Gravel Saints",
        style="Rock",
        tempo_bpm=(114.0, 138.0),
        swing=0.5,
        n_bars=8,
        quarters_per_beat=1,
        kit=Kit(
            kick_from=150.0,
            kick_to=66.0,
            kick_decay=0.24,
            kick_click=0.7,
            snare_tone=172.0,
            snare_wires=0.7,
            snare_decay=0.3,
            hat_pitch=310.0,
            hat_decay=0.11,
            drive=1.1,
            room_decay_s=0.9,
            room=0.28,
        ),
        bass="picked",
        layers=(Layer("drive", "strum", 43, -23.0), Layer("string", "strum", 55, -25.0)),
        room_s=0.7,
        tone_db=(-2.0, 3.0),
        levels_db=(-15.0, -17.0, -20.5),
    ),
    Band(
        name="Paper Dials",
        style="Hip Hop",
        tempo_bpm=(86.0, 95.0),
        swing=0.62,
        n_bars=5,
        quarters_per_beat=1,
        kit=Kit(
            kick_from=120.0,
            kick_to=52.0,
            kick_decay=0.4,
            kick_click=0.15,
            snare_tone=205.0,
            snare_wires=0.6,
            snare_decay=0.22,
            hat_pitch=380.0,
            hat_decay=0.05,
            drive=2.6,
            room_decay_s=0.35,
            room=0.05,
        ),
        bass="fm",
        layers=(Layer("electric piano", "keys", 57, -20.5), Layer("electric piano", "arpeggio", 69, -28.0)),
        room_s=0.9,
        tone_db=(2.0, -9.0),
        levels_db=(-16.0, -17.0, -18.5),
    ),
)


@dataclass(frozen=True, slots=True)
class Act:
    """An artist as the files' tags have it: one singer in front of one band."""

    name: str
    singer: Singer
    band: Band
    album: str
    year: int
    titles: tuple[str, str, str]
    instrumentals: tuple[str, ...] = ()


_A, _B, _C, _D = BANDS
_WREN, _KESSEL, _DUSK, _LOWE = SINGERS

ACTS = (
    Act(
        "Salt Meridian",
        _WREN,
        _A,
        "Low Tide Arithmetic",
        2017,
        ("Paper Lighthouse", "Copper Rain", "Half the Harbour"),
    ),
    Act("Glasswing Avenue", _WREN, _B, "Aviary", 2020, ("Seven Magpies", "Glass Engine", "Run the Weather")),
    Act("Ferrous Choir", _KESSEL, _B, "Smelter Hymns", 2019, ("Anvil Season", "Slow Magnet", "Rust Psalm")),
    Act(
        "Barrel of Owls",
        _KESSEL,
        _C,
        "Barn Light",
        2012,
        ("Long Division", "Gate Money", "Owl Parliament"),
        instrumentals=("Owl Parliament",),
    ),
    Act("Juniper Static", _DUSK, _C, "Hedgerow Radio", 2014, ("Bramble", "Telegraph Hill", "Cold Orchard")),
    Act(
        "Velvet Ledger",
        _DUSK,
        _D,
        "Double Entry",
        2016,
        ("Interest", "Carbon Copy", "Balance Brought Forward"),
    ),
    Act(
        "Kite Department",
        _LOWE,
        _D,
        "String Theory for Boys",
        2018,
        ("Lost Property", "Counterfeit Spring", "Window Seat"),
    ),
    Act(
        "Sunday Turbine",
        _LOWE,
        _A,
        "Idle Speed",
        2021,
        ("Ninth Floor", "Borrowed Chrome", "Test Pattern"),
        instrumentals=("Test Pattern",),
    ),
)
