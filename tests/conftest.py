"""What holds for every test: nothing is left behind, nothing is skipped in silence, randomness is bounded."""

from __future__ import annotations

import importlib.util
import os
import signal
from collections.abc import Generator, Iterator
from typing import Any

import hypothesis
import pytest

from jobengine.ids import new_id
from tests import leaks, needs

PLUGINS = ("tests.databases", "tests.redis_servers", "tests.services", "tests.zero_copy")
pytest_plugins = [name for name in PLUGINS if importlib.util.find_spec(name)]

hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.register_profile("deep", deadline=None, max_examples=2000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "dev")
)

RUN = pytest.StashKey[str]()
OWNED = pytest.StashKey[leaks.Footprint]()


def pytest_configure(config: pytest.Config) -> None:
    """Take this machine's settings out of the environment, and mark it: its processes are then known."""
    # In the background of a shell it is ignored, and the commands that tests interrupt would inherit that.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("JOBENGINE_")]:
        del os.environ[name]
    config.stash[RUN] = os.environ[leaks.MARK] = new_id()
    config.stash[OWNED] = leaks.NOTHING


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail in CI, what needs something that is not here."""
    for marker in item.iter_markers("needs"):
        needs.need(*marker.args)


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, Any, Any]:
    """Remember what fixtures of wider scope start: it is theirs to end, not the test's."""
    if fixturedef.scope == "function":
        return (yield)
    before = leaks.footprint()
    try:
        return (yield)
    finally:
        started = leaks.Footprint(frozenset(leaks.footprint() - before))
        request.config.stash[OWNED] = request.config.stash[OWNED] | started


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that leaves a process, thread, socket, ZeroMQ context, connection or open file."""
    before = leaks.footprint()
    yield
    left = leaks.leaked(before, request.config.stash[OWNED])
    folder = getattr(request.node, "funcargs", {}).get("tmp_path")
    if folder is not None:
        left |= {f"open file {path}" for path in leaks.open_files(folder)}
    if left:
        pytest.fail("the test left behind:\n  " + "\n  ".join(sorted(left)), pytrace=False)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End what still runs of this session's processes, and fail the session for it."""
    left = leaks.orphans(session.config.stash[RUN])
    for process in left:
        print(f"\nleft running after the session, ended now: {process}")
        process.kill()
    if left and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was missing on this machine."""
    counts = needs.skipped_for_want(terminalreporter.stats.get("skipped", []))
    if counts:
        terminalreporter.section("not tested, because this machine lacks")
        for part, count in sorted(counts.items()):
            terminalreporter.line(f"{part}: {count} test{'s' if count > 1 else ''}")
