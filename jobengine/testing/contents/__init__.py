"""A contents store in memory, with the behaviour of those that last."""
