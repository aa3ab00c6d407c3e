"""Work kind ``ingest``: what comes over a socket is recorded into contents."""
