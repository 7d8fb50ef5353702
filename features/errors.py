"""What an extractor may refuse."""


class FeatureError(Exception):
    """Root of this package's errors."""


class StemMissing(FeatureError, KeyError):
    """An extractor needs a stem that was not given."""


class StemSilent(FeatureError, ValueError):
    """The stem that an extractor describes does not sound in this track (an instrumental's vocals)."""


class TooShort(FeatureError, ValueError):
    """Too little sound to measure anything; the message says how much there is and how much is needed."""


class SpaceUnknown(FeatureError, ValueError):
    """No extractor of that name; the message lists those there are."""
