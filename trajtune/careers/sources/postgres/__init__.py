"""Read a PostgreSQL table or query through Ray Data: many readers, one snapshot, no row lost or read twice.

An exporting connection stays open and holds the snapshot. Each read task imports the snapshot, copies
its own range to the client and closes its connection. The rows of a range are passed on only when the
range is complete, so a reader whose connection drops reads its range again.

The database's URL is only in the memory of the tasks. It is pickled with the task. It is not passed through
Ray's runtime environment, which writes its variables into a log and onto the worker's command line.
psycopg2's own messages may repeat the URL, so they are never shown or chained.
"""
