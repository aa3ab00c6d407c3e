"""The dashboard: static pages and scripts that use the REST API like any other client."""
