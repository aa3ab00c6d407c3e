"""Run as a program: serves with http processes that can't begin. Each prints a line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jobengine.app.http_server import HttpServer
from jobengine.app.template import start_template
from tests.integration.app.serving import new_server


def fail() -> Callable[..., Any]:
    print("begun", flush=True)
    raise RuntimeError("it can't begin")


def main() -> None:
    start_template()
    server = new_server(HttpServer, "failing")
    server.serve(target_loader=fail, wrap_loader=False)


if __name__ == "__main__":
    main()
