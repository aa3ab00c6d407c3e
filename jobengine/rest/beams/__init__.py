"""``/beams``: the Content Beam API over the contents store."""
