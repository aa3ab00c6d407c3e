"""Pages of lists: the ``Link`` header, on every page."""

from __future__ import annotations

from urllib.parse import urlencode

from flask import Response, request

from jobengine.contents.look_up import Page


def add_links(
    response: Response, path: str, page: Page, has_more: bool, count: int | None = None
) -> Response:
    """``first``, and ``prev`` and ``next`` where there are such pages; ``count`` of one that is cut short."""
    links = [_link(path, 0, page.limit, "first")]
    if page.offset:
        links.append(_link(path, max(0, page.offset - page.limit), min(page.limit, page.offset), "prev"))
    if has_more:
        taken = page.limit if count is None else count
        links.append(_link(path, page.offset + taken, page.limit, "next"))
    response.headers["Link"] = ", ".join(links)
    return response


def _link(path: str, offset: int, limit: int, relation: str) -> str:
    kept = {name: text for name, text in request.args.items() if name not in ("offset", "start", "limit")}
    return f'<{path}?{urlencode({**kept, "offset": offset, "limit": limit})}>; rel="{relation}"'
