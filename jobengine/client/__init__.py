"""The Python client: REST nouns, typed errors, events without loss."""

from jobengine.client.client import Client
from jobengine.client.event_feed import Event
from jobengine.client.job import Job

__all__ = ["Client", "Event", "Job"]
