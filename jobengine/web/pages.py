"""Serves the dashboard's files. They hold no data: everything shown is asked from the API by the browser."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory
from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter

STATIC = Path(__file__).parent / "static"


class AnyName(BaseConverter):
    """The name of a content, which may have any character: slashes in front, line breaks."""

    regex = "(?s:.+)"
    part_isolating = False


def pages() -> Blueprint:
    """The pages: ``/`` lists jobs, ``/jobs/<id>`` shows one; so do ``/contents`` and ``/contents/<name>``."""
    blueprint = Blueprint("web", __name__, static_folder=str(STATIC), static_url_path="/static")

    @blueprint.record
    def know_names(state: BlueprintSetupState) -> None:
        state.app.url_map.converters["name"] = AnyName

    @blueprint.get("/")
    def index() -> Response:
        return send_from_directory(STATIC, "jobs.html")

    @blueprint.get("/jobs/<job_id>")
    def job(job_id: str) -> Response:
        return send_from_directory(STATIC, "job.html")

    @blueprint.get("/contents")
    def contents() -> Response:
        return send_from_directory(STATIC, "contents.html")

    @blueprint.get("/contents/<name:name>")
    def content(name: str) -> Response:
        return send_from_directory(STATIC, "content.html")

    return blueprint
