"""Work kind ``restream``: elements of a stored stream, sent again to a sink, paced and resumable."""
