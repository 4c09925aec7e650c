"""The one fault of a database that reading again from the start can mend."""


class SnapshotLostError(RuntimeError):
    """The connection that held the snapshot is gone, so what was read so far cannot be completed."""
