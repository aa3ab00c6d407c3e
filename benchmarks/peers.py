"""Other engines, each in a process of its own and as their manuals set them up.

A peer process waits for orders: (task, members) in, seconds out. The task runs nothing but what is timed.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

Order = Callable[..., Any]


@contextmanager
def peer(serve: Callable[[Connection, str], None], url: str) -> Iterator[Order]:
    """A peer over the database at ``url``; call it with what it is to do."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=serve, args=(theirs, url), daemon=True)
    process.start()
    theirs.close()

    def order(*members: Any) -> Any:
        ours.send(members)
        if not ours.poll(300):
            raise RuntimeError("the peer has not answered for five minutes")
        return ours.recv()

    try:
        order("ready")
        yield order
    finally:
        ours.close()
        process.join(10)
        if process.is_alive():
            process.kill()
            process.join()


def serve_dbos(channel: Connection, url: str) -> None:
    """DBOS Transact: workflows of one step, called directly by so many threads."""
    from dbos import DBOS

    logging.disable(logging.WARNING)
    DBOS(
        config={"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"}
    )

    @DBOS.step()
    def step(number: int) -> int:
        return number + 1

    @DBOS.workflow()
    def workflow(number: int) -> int:
        return step(number)

    DBOS.launch()

    def work(threads: int, count: int) -> float:
        start = time.perf_counter()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(workflow, range(count)))
        return time.perf_counter() - start

    try:
        obey(channel, work)
    finally:
        DBOS.destroy()


def serve_procrastinate(channel: Connection, url: str) -> None:
    """procrastinate: jobs that do nothing, deferred 100 per commit and run by one worker, 10 at a time."""
    warnings.simplefilter("ignore")
    from procrastinate import App, PsycopgConnector

    logging.disable(logging.CRITICAL)
    app = App(connector=PsycopgConnector(conninfo=url, max_size=12))

    @app.task(queue="bench")
    def nothing(number: int) -> None:
        return None

    async def prepare() -> None:
        async with app.open_async():
            await app.schema_manager.apply_schema_async()

    async def defer_and_run(count: int) -> float:
        async with app.open_async():
            start = time.perf_counter()
            for first in range(0, count, 100):
                numbers = [{"number": n} for n in range(first, min(first + 100, count))]
                await nothing.batch_defer_async(*numbers)
            await app.run_worker_async(concurrency=10, wait=False, install_signal_handlers=False)
            return time.perf_counter() - start

    asyncio.run(prepare())
    obey(channel, lambda count: asyncio.run(defer_and_run(count)))


def serve_apscheduler(channel: Connection, url: str) -> None:
    """APScheduler with its SQL job store: date jobs falling due within a second; how late each ran."""
    from datetime import UTC, datetime, timedelta

    from apscheduler.executors.debug import DebugExecutor
    from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
    from apscheduler.schedulers.background import BackgroundScheduler
    from sqlalchemy import create_engine, event

    logging.disable(logging.CRITICAL)
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def connect(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")

    def work(count: int, timeout_s: float) -> list[float]:
        late_ms.clear()
        store = SQLAlchemyJobStore(engine=engine)
        scheduler = BackgroundScheduler(
            jobstores={"default": store}, executors={"default": DebugExecutor()}, timezone=UTC
        )
        scheduler.start(paused=True)
        # Adding takes about 1 ms each; nothing may fall due meanwhile.
        first = datetime.now(UTC) + timedelta(seconds=5 + count * 0.002)
        for number in range(count):
            due = first + timedelta(seconds=number / count)
            scheduler.add_job(fire, "date", run_date=due, args=[due.timestamp()], misfire_grace_time=None)
        if datetime.now(UTC) > first:
            raise RuntimeError("adding took longer than there was time")
        scheduler.resume()
        deadline = first.timestamp() + timeout_s
        while len(late_ms) < count and time.time() < deadline:
            time.sleep(0.05)
        scheduler.shutdown(wait=True)
        return list(late_ms)

    obey(channel, work)


late_ms: list[float] = []


def fire(due: float) -> None:
    """The job of APScheduler; its store keeps it by name, so it stands here."""
    late_ms.append((time.time() - due) * 1000)


def obey(channel: Connection, work: Callable[..., Any]) -> None:
    """Answer orders with what ``work`` returns, until nobody gives any more."""
    while True:
        try:
            members = channel.recv()
        except EOFError:
            return
        channel.send(None if members == ("ready",) else work(*members))
