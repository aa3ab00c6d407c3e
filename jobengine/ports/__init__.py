"""Protocols between the layers. `jobengine.app` is the only place that joins them to adapters."""
