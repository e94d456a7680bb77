"""A running instance: its folder of sockets, its supervisor, and the file that says it runs."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import structlog
import zmq
from pydantic import ValidationError

from lithoscope_services.errors import InstanceError, ServiceError
from lithoscope_services.journal_client import JournalClient
from lithoscope_services.loop import endpoint
from lithoscope_services.process import SOURCE_FAILURE, STAGES
from lithoscope_services.settings.dashboard_table import DashboardSettings
from lithoscope_services.settings.tree import Settings
from lithoscope_services.supervisor import ChildPlan, SupervisorPlan
from lithoscope_services.version import software_version
from lithoscope_store import (
    InstanceFile,
    Store,
    find_instance,
    remove_instance,
    runtime_directory,
    write_instance,
)

#: What an instance runs, the journal first.
SERVICES = ("journal", "ingest", *STAGES)
#: With what may act at the beamline, and what people paint: for experiments that are taken now.
ACTING_SERVICES = (*SERVICES, "act", "label")
MAX_SUPERVISORS = 20
STOP_MARGIN_S = 0.8
log = structlog.get_logger()


class Instance:
    """All services of one store, under a supervisor that is itself watched.

    Parameters
    ----------
    store
        Where everything goes.
    settings
        Resolved.
    source
        What plays the beamline, as a JSON file; None waits for a real one.
    has_dashboard
        Whether the page is served.
    log_path
        Where the services write what they have to say.
    only
        Serve this experiment alone, as commands do that write to one experiment only.
    services
        What runs beside page and source, the journal first.
    source_service
        Name of the service that is given the source.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        source_json: str | None = None,
        has_dashboard: bool = True,
        log_path: Path | None = None,
        only: str | None = None,
        services: Sequence[str] = SERVICES,
        source_service: str = "beamline",
    ) -> None:
        self.store = store
        self.settings = settings
        self.id = uuid.uuid4().hex[:8]
        self.runtime_dir = Path()  # made when it is entered
        self._source_json = source_json
        self._has_dashboard = has_dashboard
        self.log_path = log_path
        self._only = only
        self._services = tuple(services)
        self._source_service = source_service
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline = -1
        self._starts = 0

    def __enter__(self) -> "Instance":
        running = find_instance(self.store)
        if running is not None:
            raise InstanceError(
                f"{self.store.root} already has a running instance (pid {running.pid}); "
                "stop it first, or choose another --store"
            )
        if self._has_dashboard:
            self.settings = _settle_port(self.settings)
        self._sweep()
        self.runtime_dir = runtime_directory(self.id)
        try:
            self._write_plan()
            self._start()
            write_instance(self.store, self._describe())
        except BaseException:
            self._clean_up()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._clean_up()

    def look(self) -> None:
        """Start the supervisor again if it has gone.

        Raises
        ------
        InstanceError
            If it goes again and again.
        ServiceError
            If the source cannot go on; the text is its own.
        """
        failure = self.runtime_dir / SOURCE_FAILURE
        if failure.exists():
            raise ServiceError(failure.read_text())
        if self._process is None or self._process.poll() is None:
            return
        log.warning("supervisor_ended", code=self._process.returncode)
        os.close(self._lifeline)
        if self._starts >= MAX_SUPERVISORS:
            raise InstanceError(
                f"the supervisor ended {self._starts} times; its log is {self.log_path}"
            )
        self._start()

    def stop(self) -> None:
        """End all services in order; what does not end in time is killed."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(self.settings.instance.drain_timeout_s + STOP_MARGIN_S)
        except subprocess.TimeoutExpired:
            log.error("supervisor_killed", pid=self._process.pid)
            self._process.kill()
            self._process.wait()
        os.close(self._lifeline)
        self._process = None

    def announce(self, dashboard_url: str) -> None:
        """Let other commands know where the page is."""
        write_instance(self.store, self._describe(dashboard_url))

    def journal(self, context: zmq.Context[zmq.Socket[bytes]], **options: object) -> JournalClient:
        """Make a client of the journal, as the command line."""
        address = endpoint(self.runtime_dir, "journal")
        return JournalClient(context, address, "command_line", **options)  # type: ignore[arg-type] # passed on

    def _clean_up(self) -> None:
        self.stop()
        remove_instance(self.store, self.id)
        # A service whose supervisor was killed may still be ending and taking its files along.
        shutil.rmtree(self.runtime_dir, ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what instances that were killed have left behind."""
        for path in self.store.instances.glob("*.json"):
            try:
                old = InstanceFile.model_validate_json(path.read_bytes())
            except (FileNotFoundError, ValidationError):
                continue
            folder = Path(old.runtime_dir)
            is_ours = old.host == socket.gethostname() and folder.name == old.id
            if is_ours and not old.is_alive:
                shutil.rmtree(folder, ignore_errors=True)
                path.unlink(missing_ok=True)

    def _describe(self, dashboard_url: str | None = None) -> InstanceFile:
        return InstanceFile(
            id=self.id,
            pid=os.getpid(),
            version=software_version(),
            runtime_dir=str(self.runtime_dir),
            endpoints={
                "journal": endpoint(self.runtime_dir, "journal"),
                "feed": endpoint(self.runtime_dir, "feed"),
                "frames": self.settings.instance.frames_endpoint
                or endpoint(self.runtime_dir, "frames"),
            },
            dashboard_url=dashboard_url,
        )

    def _write_plan(self) -> None:
        settings_path = self.runtime_dir / "settings.json"
        settings_path.write_text(self.settings.model_dump_json())
        common = (
            "--store",
            str(self.store.root),
            "--runtime-dir",
            str(self.runtime_dir),
        )
        run = (sys.executable, "-m", "lithoscope_services.process")
        with_settings = (*common, "--settings", str(settings_path))
        only = () if self._only is None else ("--only", self._only)
        children = [
            ChildPlan(name=name, command=(*run, name, *with_settings, *only))
            for name in self._services
        ]
        if self._has_dashboard:
            page = self.settings.dashboard
            children.append(
                ChildPlan(
                    name="dashboard",
                    command=(
                        sys.executable,
                        "-m",
                        "lithoscope_dashboard",
                        *common,
                        "--host",
                        page.host,
                        "--port",
                        str(page.port),
                        *_reach_options(page),
                        "--experiment",
                        self.settings.experiment.name,
                    ),
                )
            )
        if self._source_json is not None:
            source_path = self.runtime_dir / "source.json"
            source_path.write_text(self._source_json)
            name = self._source_service
            command = (*run, name, *with_settings, "--source", str(source_path))
            children.append(ChildPlan(name=name, command=command, ends=True))
        elif self.settings.source.kind != "frame_link":
            children.append(
                ChildPlan(name="source", command=(*run, "source", *with_settings), ends=True)
            )
        SupervisorPlan(
            runtime_dir=self.runtime_dir,
            drain_timeout_s=self.settings.instance.drain_timeout_s,
            children=tuple(children),
        ).save(self.runtime_dir / "plan.json")

    def _start(self) -> None:
        read_fd, self._lifeline = os.pipe()
        log_file = None if self.log_path is None else self.log_path.open("ab")
        command = [
            sys.executable,
            "-m",
            "lithoscope_services.supervisor",
            str(self.runtime_dir / "plan.json"),
            "--lifeline-fd",
            str(read_fd),
        ]
        self._process = subprocess.Popen(
            command,
            pass_fds=(read_fd,),
            stdin=subprocess.DEVNULL,
            stdout=log_file,
            stderr=log_file,
            start_new_session=True,
            # Services run side by side: threads of BLAS would wait for each other. Whoever sets
            # the variable is left to it.
            env={"OPENBLAS_NUM_THREADS": "1", **os.environ},
        )
        os.close(read_fd)
        if log_file is not None:
            log_file.close()
        self._starts += 1


def wait_for_file(path: Path, timeout_s: float, *, look: Callable[[], None]) -> bool:
    """Wait until a file is there; ``look`` is called meanwhile."""
    deadline_s = time.monotonic() + timeout_s
    while not path.exists():
        if time.monotonic() > deadline_s:
            return False
        look()
        time.sleep(0.05)
    return True


def _reach_options(page: DashboardSettings) -> tuple[str, ...]:
    """Say on the command line of the page by whom it is reached."""
    options = [part for name in page.names for part in ("--name", name)]
    if page.certificate is not None and page.private_key is not None:
        options += ["--certificate", str(page.certificate), "--private-key", str(page.private_key)]
    return tuple(options)


def _settle_port(settings: Settings) -> Settings:
    """Choose a free port where any will do, so that a page that is restarted comes back on it."""
    page = settings.dashboard
    if page.port:
        _check_port(page.host, page.port)
        return settings
    with socket.socket() as probe:
        probe.bind((page.host, 0))
        port = probe.getsockname()[1]
    return settings.model_copy(update={"dashboard": page.model_copy(update={"port": port})})


def _check_port(host: str, port: int) -> None:
    if not is_free(host, port):
        raise InstanceError(
            f"port {port} on {host} is taken; end what listens there, or give another with "
            "[dashboard] port in the settings (0 takes any that is free)"
        )


def is_free(host: str, port: int) -> bool:
    """Tell whether a port can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
