"""A durable state-machine job engine for media streams."""
