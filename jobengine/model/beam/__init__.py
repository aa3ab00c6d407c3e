"""The documents of the Content Beam API: formats, streams, packets and frames as JSON."""
