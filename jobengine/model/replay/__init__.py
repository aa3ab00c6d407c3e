"""Savant Replay's job documents, and what they are as documents of this service. Pure translation."""
