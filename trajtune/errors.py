"""Errors that a user can cause and fix.

Each message is one line: the rule, the values, the remedy. The command line prints a `TrajtuneError` as that
line and exits with 2; any other exception is a bug and keeps its traceback. This module imports nothing, so
that every part of trajtune may import it.
"""


class TrajtuneError(ValueError):
    """Base class of all errors that the user can fix; the message is one line."""


class ExperimentError(TrajtuneError):
    """The experiment file or a search space breaks a rule."""


class StorageError(TrajtuneError):
    """An object store or a directory does not answer or refuses access."""


class SourceError(TrajtuneError):
    """The careers cannot be read: no database, no such table or column, no rows, unreadable files."""


class SplitError(TrajtuneError):
    """The careers cannot be split at the requested dates."""


class SnapshotError(TrajtuneError):
    """A snapshot is missing, incomplete, or does not match its hashes."""


class TrainingError(TrajtuneError):
    """Training cannot continue: the loss is not finite, or a checkpoint does not match."""


class RunError(TrajtuneError):
    """A run is missing, cannot be resumed with these settings, or has no result yet."""


class ExportError(TrajtuneError):
    """The exported graph violates the serving contract or differs from the torch model."""


class BundleError(TrajtuneError):
    """A bundle is missing, incomplete or changed, or got an input that it cannot predict."""


class ServingError(TrajtuneError):
    """A bundle cannot be served or registered as asked: an extra, an address or a store is missing."""


class GateError(TrajtuneError):
    """A required gate did not pass. The bundle was written and is marked. The command line exits with 3."""


class SnapshotLostError(RuntimeError):
    """The connection with the database's snapshot was lost, so reading must start again.

    Users never see this error: `careers.read` reads again, or gives up with a `SourceError`.
    """
