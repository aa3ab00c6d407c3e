"""The engine: decides, commits in groups, and only then tells anybody."""
