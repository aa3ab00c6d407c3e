"""A package of recipes as a user would install one: its module, and the entry points that offer it."""

from __future__ import annotations

from pathlib import Path

MODULE = """
import json
import os
import signal
import threading

from jobengine import Recipe, Result
from jobengine.errors import NotFoundError


class Own(Recipe):
    least_sources = 0

    class Parameters(Recipe.Parameters):
        do: str = "object"
        marks: str = ""

    def run(self, task, parameters):
        self.mark(parameters, task, "begun")
        result = getattr(self, "do_" + parameters.do)(task)
        self.mark(parameters, task, "made")
        return result

    def mark(self, parameters, task, word):
        if parameters.marks:
            with open(parameters.marks, "a") as marks:
                marks.write(f"{task.request.path} {word}\\n")

    def do_object(self, task):
        body = json.dumps({"groups": task.request.groups}).encode()
        return Result(body, media_type="application/json")

    def do_teapot(self, task):
        return Result(b"short and stout", media_type="text/plain", status=418, headers={"X-Spout": "here"})

    def do_decline(self, task):
        return Result(is_declined=True)

    def do_nothing(self, task):
        return Result()

    def do_raise(self, task):
        raise ValueError("the recipe is wrong")

    def do_miss(self, task):
        raise NotFoundError("the ingredients are missing")

    def do_crash(self, task):
        os.kill(os.getpid(), signal.SIGSEGV)

    def do_count(self, task):
        while True:
            threading.Event().wait(0.002)
            task.passed()

    def do_hang(self, task):
        threading.Event().wait(3600)

    def do_slow(self, task):
        threading.Event().wait(4.0)
        return Result(b"slow", media_type="text/plain")
"""


def install(folder: Path) -> Path:
    """Put the package into ``folder``, to be named in PYTHONPATH."""
    folder.mkdir(parents=True)
    (folder / "own_recipes.py").write_text(MODULE)
    about = folder / "own_recipes-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-recipes\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[jobengine.recipes]\nown = own_recipes:Own\n")
    return folder
