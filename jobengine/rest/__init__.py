"""The REST API: ROAD-style jobs, events, variables, health. Flask and flask-openapi3; reads from the
database, writes by asking the engine. Documents are checked by `jobengine.model`, not here."""
