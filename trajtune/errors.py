"""Errors that a user can cause and fix.

Each message is one line: the rule, the values, the remedy. The command line prints a
`TrajtuneError` as that line and exits 2; any other exception is a bug and keeps its traceback.
Nothing here imports anything, so that every part of trajtune may import it.
"""


class TrajtuneError(ValueError):
    """Base of every error that the user can fix; the message is one line."""


class ExperimentError(TrajtuneError):
    """The experiment file or a search space breaks a rule."""


class StorageError(TrajtuneError):
    """A store of files does not answer, or refuses what is asked of it."""


class SourceError(TrajtuneError):
    """The careers cannot be read: no database, no such table or column, no rows, unreadable files."""


class SplitError(TrajtuneError):
    """The careers cannot be split in time as asked."""


class SnapshotError(TrajtuneError):
    """A snapshot is missing, incomplete or not what its hashes say."""


class TrainingError(TrajtuneError):
    """Training cannot go on: a loss that is not finite, or a checkpoint that does not fit."""


class RunError(TrajtuneError):
    """A run is missing, is not resumable as asked, or has no result yet."""


class ExportError(TrajtuneError):
    """The exported graph is not what the serving contract or torch says it must be."""


class BundleError(TrajtuneError):
    """A bundle is missing, incomplete or altered, or was asked something it cannot answer."""


class ServingError(TrajtuneError):
    """A bundle cannot be served or registered as asked: an extra, an address or a store is missing."""


class GateError(TrajtuneError):
    """A gate did not pass and gates were required; the bundle is there, marked. The command line exits 3."""


class SnapshotLostError(RuntimeError):
    """The connection that held the database's snapshot is gone, so the reading must start again.

    Not the user's to fix: `careers.read` reads again, and gives up with a `SourceError`.
    """
