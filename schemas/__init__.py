"""The published JSON Schemas, written by ``make schemas``; shipped as ``jobengine.schemas``."""
