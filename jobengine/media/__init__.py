"""The only place that speaks FFmpeg: sources, mixing, sinks. Pipes start in ``pipe``."""
