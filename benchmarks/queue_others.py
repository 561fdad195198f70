"""Huey on SQLite and Procrastinate on PostgreSQL, as benchmarks.queue_processes drives them."""

from __future__ import annotations

import asyncio
from typing import Any

from benchmarks.queue_processes import Opened, System


def open_huey(address: str) -> Opened:
    from huey import SqliteHuey

    # Its default does not wait for the disk, and would lose tasks at a power cut.
    huey = SqliteHuey(filename=address, fsync=True, timeout=30, results=True)
    held: list[Any] = []

    @huey.task()
    def make(prompt: str) -> str:
        return prompt

    def submit() -> bool:
        make(f"a red circle of {200 * 'x'}")
        return True

    def claim() -> bool:
        held[:] = [task for task in [huey.dequeue()] if task is not None]
        return bool(held)

    def finish() -> bool:
        huey.execute(held[0])
        return True

    return Opened(submit, claim, finish, huey.storage.close)


def open_procrastinate(address: str) -> Opened:
    loop = asyncio.new_event_loop()
    app = loop.run_until_complete(opened_app(address))
    worker = loop.run_until_complete(app.job_manager.register_worker())
    held: list[Any] = []

    def submit() -> bool:
        task = app.configure_task("make", allow_unknown=True)
        loop.run_until_complete(task.defer_async(prompt=f"a red circle of {200 * 'x'}"))
        return True

    def claim() -> bool:
        found = loop.run_until_complete(app.job_manager.fetch_job(None, worker))
        held[:] = [found] if found else []
        return bool(found)

    def finish() -> bool:
        from procrastinate.jobs import Status

        done = app.job_manager.finish_job(held[0], Status.SUCCEEDED, delete_job=False)
        loop.run_until_complete(done)
        return True

    return Opened(submit, claim, finish, lambda: loop.run_until_complete(app.close_async()))


async def opened_app(address: str) -> Any:
    from procrastinate import App, PsycopgConnector

    plain = address.replace("postgresql+psycopg", "postgresql")
    app = App(connector=PsycopgConnector(conninfo=plain))
    await app.open_async()
    if not await app.check_connection_async():  # whether its tables are there
        await app.schema_manager.apply_schema_async()
    return app


HUEY = System("Huey", open_huey)
PROCRASTINATE = System("Procrastinate", open_procrastinate)
