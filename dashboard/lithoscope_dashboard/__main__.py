"""Run the dashboard: ``python -m lithoscope_dashboard --store DIR --runtime-dir DIR``."""

import argparse
import json
import logging
import sys
from pathlib import Path

import structlog

from lithoscope_dashboard.app import make_app
from lithoscope_dashboard.board import Board
from lithoscope_dashboard.errors import DashboardError
from lithoscope_dashboard.follower import Follower
from lithoscope_dashboard.guard import is_loopback
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.web import WebServer, bind, url_of
from lithoscope_messages import Life
from lithoscope_store.durable import write_atomic
from lithoscope_store.layout import Store

STOP_S = 3.0


def main(arguments: list[str] | None = None) -> int:
    """Serve the page until told to stop; 0 when it was, 1 for a failure that is named."""
    options = _parse(arguments)
    _configure_logs()
    try:
        return _run(options)
    except DashboardError as error:
        print(f"lithoscope: error: dashboard: {error}", file=sys.stderr)  # noqa: T201 - for people
        return 1


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="lithoscope_dashboard", description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="folder of the experiments")
    parser.add_argument("--runtime-dir", type=Path, required=True, help="folder of the sockets")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (loopback)")
    parser.add_argument("--port", type=int, default=8050, help="port; 0 takes a free one")
    parser.add_argument("--lifeline-fd", type=int, help="pipe that closes with the supervisor")
    parser.add_argument("--experiment", help="experiment to show (default: the newest)")
    return parser.parse_args(arguments)


def _configure_logs() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _run(options: argparse.Namespace) -> int:
    if not is_loopback(options.host):
        raise DashboardError(
            f"--host {options.host} can be reached from other machines and the page has no "
            "login; take 127.0.0.1, and an ssh tunnel from elsewhere"
        )
    if not options.runtime_dir.is_dir():
        raise DashboardError(
            f"--runtime-dir {options.runtime_dir} is not there; start an instance first, "
            "`lithoscope status` says where it runs"
        )
    listener = bind(options.host, options.port)
    board, post = Board(), Post()
    web = WebServer(make_app(board, post, Store(options.store)), listener)
    follower = Follower(
        options.runtime_dir,
        board,
        post,
        experiment=options.experiment,
        lifeline_fd=options.lifeline_fd,
    )
    with follower:
        web.start()
        is_announced = False
        while not follower.is_stopping:
            follower.turn()
            if web.is_up and not is_announced:
                _announce(options.runtime_dir, url_of(listener))
                follower.life = Life.RUNNING
                is_announced = True
            if not web.is_alive:
                raise DashboardError("the web server has stopped; see the traceback above")
        follower.life = Life.DRAINING
        web.stop(STOP_S)
    post.close()
    return 0


def _announce(runtime_dir: Path, url: str) -> None:
    write_atomic(runtime_dir / "dashboard.json", json.dumps({"url": url}).encode())
    structlog.get_logger().info("dashboard_ready", url=url)


if __name__ == "__main__":
    sys.exit(main())
