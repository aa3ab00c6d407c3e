"""The pages of the dashboard are found by their addresses."""

from __future__ import annotations

import pytest
from flask import Flask

from jobengine.web.pages import pages


@pytest.mark.parametrize("name", ["news", "a%2Fb", "%2Flead", "a%2F%2Fb", "new%0Aline", "a%3Fb"])
def test_a_content_has_a_page_whatever_its_name(name: str) -> None:
    app = Flask("pages", static_folder=None)
    app.register_blueprint(pages())

    response = app.test_client().get(f"/contents/{name}", buffered=True)

    assert (response.status_code, response.mimetype) == (200, "text/html")
