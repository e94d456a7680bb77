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
from lithoscope_dashboard.guard import Place
from lithoscope_dashboard.machine import MachineWatch
from lithoscope_dashboard.post import Post
from lithoscope_dashboard.shelf import ShelfWatch
from lithoscope_dashboard.web import WebServer, bind, url_of
from lithoscope_messages import Life
from lithoscope_messages.hosts import is_loopback
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
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--name", action="append", default=[], help="host name it is reached by")
    parser.add_argument("--certificate", type=Path, help="TLS certificate, PEM")
    parser.add_argument("--private-key", type=Path, help="its key, PEM")
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
    place = _place(options)
    if not options.runtime_dir.is_dir():
        raise DashboardError(
            f"--runtime-dir {options.runtime_dir} is not there; start an instance first, "
            "`lithoscope status` says where it runs"
        )
    listener = bind(options.host, options.port)
    board, post, store = Board(), Post(), Store(options.store)
    port = listener.getsockname()[1]
    tls = None if options.certificate is None else (options.certificate, options.private_key)
    web = WebServer(make_app(board, post, store, place=place, port=port), listener, tls=tls)
    machine, shelf = MachineWatch(store.root), ShelfWatch(store)
    follower = Follower(
        options.runtime_dir,
        board,
        post,
        experiment=options.experiment,
        machine=machine,
        shelf=shelf,
        is_sealed=lambda name: store.experiment(name).manifest.exists(),
        lifeline_fd=options.lifeline_fd,
    )
    with follower:
        web.start()
        machine.start()
        shelf.start()
        is_announced = False
        while not follower.is_stopping:
            follower.turn()
            if web.is_up and not is_announced:
                url = url_of(listener, is_secure=tls is not None, name=_shown_name(options))
                _announce(options.runtime_dir, url)
                follower.life = Life.RUNNING
                is_announced = True
            if not web.is_alive:
                raise DashboardError("the web server has stopped; see the traceback above")
        follower.life = Life.DRAINING
        machine.stop()
        shelf.stop()
        web.stop(STOP_S)
    post.close()
    return 0


def _place(options: argparse.Namespace) -> Place:
    """Say where the page is reached; refuses what would carry passwords in the clear.

    Raises
    ------
    DashboardError
        If other machines can reach it without TLS, or the certificate has no key.
    """
    if (options.certificate is None) != (options.private_key is None):
        raise DashboardError("--certificate and --private-key belong together; give both or none")
    is_secure = options.certificate is not None
    if not is_loopback(options.host) and not is_secure:
        raise DashboardError(
            f"--host {options.host} can be reached from other machines, and passwords would go "
            "there in the clear; give dashboard.certificate and dashboard.private_key, or take "
            "127.0.0.1 and an ssh tunnel from elsewhere"
        )
    names = {name.lower() for name in options.name}
    if not is_loopback(options.host) and options.host not in ("0.0.0.0", "::"):
        names.add(f"[{options.host}]" if ":" in options.host else options.host)
    if not is_loopback(options.host) and not names:
        raise DashboardError(
            f"--host {options.host} listens on all addresses; say by which names the page is "
            "reached with dashboard.names"
        )
    # A name beside a loopback address: a proxy with TLS of its own stands before the page.
    return Place(names=frozenset(names), is_secure=is_secure or bool(names))


def _shown_name(options: argparse.Namespace) -> str | None:
    """Give a name that can be opened where it listens on all addresses."""
    return options.name[0] if options.host in ("0.0.0.0", "::") else None


def _announce(runtime_dir: Path, url: str) -> None:
    write_atomic(runtime_dir / "dashboard.json", json.dumps({"url": url}).encode())
    structlog.get_logger().info("dashboard_ready", url=url)


if __name__ == "__main__":
    sys.exit(main())
