"""What an index may refuse."""


class IndexesError(Exception):
    """Root of this package's errors."""


class IndexMissing(IndexesError, FileNotFoundError):
    """No index has been published in this folder."""


class IndexDamaged(IndexesError, ValueError):
    """The published files are not what their manifest says (checksum, count, dimension)."""


class IndexIncompatible(IndexesError, ValueError):
    """The index belongs to another catalog, space, version, transform or metric."""


class VectorsInvalid(IndexesError, ValueError):
    """Vectors, ids or a search that no index can take: wrong shape, not of length 1, an id twice."""
