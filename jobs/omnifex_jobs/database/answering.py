"""A connection to PostgreSQL that does not wait for ever for an answer.

The server's timeouts need a server that lives, and `tcp_user_timeout` sees packets that nobody
acknowledges. Where a server hangs, or a proxy swallows its answers, only the client's clock helps.
It is later than the server's own limit of a statement, so that it never cuts a slow one short.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg

ANSWER_S = 11.0  # the server ends a statement after ten


class AnsweringConnection(psycopg.Connection[Any]):
    """Gives a statement up, and the connection with it, when no answer has come in ANSWER_S."""

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        try:
            return super().wait(in_time(gen, time.monotonic() + ANSWER_S), *args, **options)
        except NoAnswer:
            self.pgconn.finish()
            raise


class NoAnswer(psycopg.OperationalError):
    """The server has not answered in time."""


def in_time(gen: Generator[Any, Any, Any], deadline: float) -> Generator[Any, Any, Any]:
    """What psycopg waits for; it is woken every moment, and looks at the clock where nothing came.

    psycopg 3.3 has a timeout of its own for this; older ones have not.
    """
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if not ready and time.monotonic() > deadline:
                raise NoAnswer(f"no answer for {ANSWER_S:g} s")
            wanted = gen.send(ready)
    except StopIteration as done:
        return done.value
