"""Structured logs: one event a line on standard error, JSON or, on a terminal, for people."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

Level = Literal["debug", "info", "warning", "error"]


def configure_logs(
    service: str,
    *,
    level: Level = "info",
    stream: TextIO | None = None,
    pretty: bool | None = None,
) -> None:
    """Set up logging; called once, in the ``main`` of a process.

    Parameters
    ----------
    service
        Name of the process, bound to every event.
    level
        Least level that is written.
    stream
        Where to; standard error by default, because standard output belongs to ``--json``.
    pretty
        Coloured lines for people instead of JSON; by default if ``stream`` is a terminal.
    """
    target = sys.stderr if stream is None else stream
    is_pretty = target.isatty() if pretty is None else pretty
    renderers: list[Processor]
    if is_pretty:
        renderers = [structlog.dev.ConsoleRenderer(colors=target.isatty())]
    else:
        # Without local variables: they may be large arrays, or somebody's secrets.
        tracebacks = structlog.processors.ExceptionRenderer(
            structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
        )
        renderers = [tracebacks, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *renderers,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(service=service)


def logger() -> FilteringBoundLogger:
    """Give a logger; events are constant ``snake_case`` words, data are keys with units."""
    bound: FilteringBoundLogger = structlog.get_logger()
    return bound


@contextmanager
def log_context(*, experiment: str, scan: int | None = None) -> Iterator[None]:
    """Bind the experiment, and the scan if it is known, to all events inside."""
    bound = (
        {"experiment": experiment} if scan is None else {"experiment": experiment, "scan": scan}
    )
    with structlog.contextvars.bound_contextvars(**bound):
        yield
