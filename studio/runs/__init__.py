"""A run on disk and its process: files, records, identity, store, start, supervise, stop, monitor."""
