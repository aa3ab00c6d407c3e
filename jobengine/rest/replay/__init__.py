"""``/api/v1``: Savant Replay's endpoints, each a thin translation onto jobs and contents of this service."""
