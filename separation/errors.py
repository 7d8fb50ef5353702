"""What can go wrong between a file and its stems; every error also is the builtin a stranger would catch."""


class SeparationError(Exception):
    """Root of this package's errors."""


class AudioMissing(SeparationError, FileNotFoundError):
    """The path that was given names no file."""


class AudioUnreadable(SeparationError, ValueError):
    """The file is there, but no decoder makes sound of it."""


class AudioInvalid(SeparationError, ValueError):
    """An array that is no audio: wrong shape, no samples, no channels, an impossible sample rate."""


class ModelUnknown(SeparationError, ValueError):
    """No model of that name; the message lists those there are."""


class WeightsMissing(SeparationError, FileNotFoundError):
    """The model is known, its weights are not on this machine."""


class WeightsDamaged(SeparationError, ValueError):
    """The weights do not fit the model, or are not the ones their checksum names."""


class TrainingDataMissing(SeparationError, FileNotFoundError):
    """A source named in a training configuration has nothing to train on."""


class ConfigInvalid(SeparationError, ValueError):
    """A training configuration that asks for what does not exist."""


class RunBusy(SeparationError, BlockingIOError):
    """Another process trains in the same run folder."""


class TrainingDiverged(SeparationError, ArithmeticError):
    """A loss that is no number: nothing can be learned from there on."""


class DownloadFailed(SeparationError, ConnectionError):
    """A file could not be had from the network."""


class ChecksumWrong(SeparationError, ValueError):
    """A file is not the one that its SHA-256 names."""


class ArchiveUnsafe(SeparationError, ValueError):
    """An archive that is damaged, or would write where it must not."""


class PullBusy(SeparationError, BlockingIOError):
    """Another process is getting the same model."""


class WriteFailed(SeparationError, OSError):
    """The system refused to write: the disk is full, the folder is not ours, a folder stands in the file's place.

    `errno` is the system's number for the reason, the message ours.
    """

    def __str__(self) -> str:
        """Return the message alone; the system's number means nothing to a reader."""
        return self.strerror or super().__str__()


class PrecisionUnsupported(SeparationError, ValueError):
    """A precision that there is not, or that this machine has no arithmetic for."""


class StemUnknown(SeparationError, ValueError):
    """A stem that the model does not give; the message lists those it does."""
