"""The service ``act``: leases, and proposals that may be sent, one at a time.

The loop stays with sockets and clocks; what asks the beamline runs in one thread beside it, so
that a disarming is heard while an answer is waited for.
"""

import os
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import structlog
import zmq

from lithoscope_messages import (
    SYSTEM_JOURNAL,
    FactMessage,
    FeedHead,
    Heartbeat,
    Life,
    MessageError,
    adapter_of,
    decode,
)
from lithoscope_services.actuators.choose import choose_actuator, limits_of
from lithoscope_services.actuators.leases import Now
from lithoscope_services.actuators.machine import (
    Look,
    Machine,
    Patience,
    Preflight,
    Send,
    Step,
    Write,
)
from lithoscope_services.actuators.protocol import Seen, Sent
from lithoscope_services.announce import service_started
from lithoscope_services.errors import JournalRefusedError, StopRequested
from lithoscope_services.journal_client import FeedReader, JournalClient
from lithoscope_services.loop import Loop, endpoint
from lithoscope_services.settings.tree import Settings
from lithoscope_services.sockets import TELEMETRY

#: Beats come once a second; after this the other is taken as gone.
SILENCE_S = 3.5
TICK_S = 0.1
_BEATS = adapter_of(Heartbeat)
log = structlog.get_logger()


class ActService:
    """Acts for all experiments of an instance that are not over.

    Parameters
    ----------
    loop
        Of this process.
    settings
        Of the instance.
    """

    def __init__(self, loop: Loop, settings: Settings) -> None:
        self._loop = loop
        self._limits = limits_of(settings)
        self._patience = Patience(
            confirm_s=settings.actuators.confirm_s, give_up_s=3 * settings.actuators.confirm_s
        )
        self._actuator = choose_actuator(settings)
        self._machines: dict[str, Machine] = {}
        self._journal = JournalClient(
            loop.context, endpoint(loop.runtime_dir, "journal"), "act", idle=self._idle
        )
        self._feed = FeedReader(loop.context, endpoint(loop.runtime_dir, "feed"))
        self._beats = loop.socket(zmq.SUB, TELEMETRY)
        self._beats.setsockopt(zmq.SUBSCRIBE, b"")
        self._beats.connect(endpoint(loop.runtime_dir, "decide.telemetry"))
        self._decide_s = self._journal_s = time.monotonic()
        self._has_caught_up = False
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="actuator")
        self._step: tuple[Machine, Step] | None = None
        self._result: Future[str | Sent | Seen] | None = None
        self._bell_fd, self._ring_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def run(self) -> None:
        """Act until told to stop."""
        self._loop.watch(self._feed.socket, self._follow)
        self._loop.watch(self._beats, self._hear)
        self._loop.watch(self._bell_fd, self._answered)
        try:
            self._journal.append([service_started("act")])
            self._catch_up()
            self._loop.every(TICK_S, self._advance)
            self._loop.run()
        except StopRequested:
            log.info("stopped_while_waiting")
        finally:
            self._thread.shutdown(wait=True, cancel_futures=True)
            self._actuator.close()
            self._journal.close()
            self._feed.close()
            for fd in (self._bell_fd, self._ring_fd):
                os.close(fd)

    def _catch_up(self) -> None:
        for head in self._journal.experiments():
            if not head.sealed:
                self._read(head.experiment)
        # What was asked before this process could hear it is asked again by who wants it.
        for machine in self._machines.values():
            machine.leases.started()
        self._journal_s = time.monotonic()
        self._has_caught_up = True

    def _machine(self, experiment: str) -> Machine:
        machine = self._machines.get(experiment)
        if machine is None:
            machine = Machine(
                experiment,
                limits=self._limits,
                patience=self._patience,
                describe=self._actuator.describe,
                actuator=self._actuator.name,
                new_id=lambda: uuid.uuid4().hex,
            )
            self._machines[experiment] = machine
        return machine

    def _read(self, experiment: str) -> None:
        if experiment == SYSTEM_JOURNAL:
            return
        machine = self._machine(experiment)
        while True:
            page = self._journal.read_since(experiment, machine.record.number)
            machine.fold(page.entries)
            if machine.record.number >= page.head or not page.entries:
                return

    def _follow(self) -> None:
        while (message := self._feed.receive()) is not None:
            self._journal_s = time.monotonic()
            if message.experiment == SYSTEM_JOURNAL:
                continue
            machine = self._machines.get(message.experiment)
            known = 0 if machine is None else machine.record.number
            if isinstance(message, FeedHead):
                if message.head > known:
                    self._read(message.experiment)
            elif machine is not None and message.entry.number == known + 1:
                machine.fold([message.entry])
            elif message.entry.number > known:
                self._read(message.experiment)
        self._advance()

    def _hear(self) -> None:
        with suppress(zmq.Again):
            while True:
                data = self._beats.recv(zmq.NOBLOCK)
                with suppress(MessageError):  # previews and progress go the same way
                    beat: Heartbeat = decode(data, _BEATS)
                    if beat.state not in (Life.FAILED, Life.STOPPED):
                        self._decide_s = time.monotonic()

    def _advance(self) -> None:
        """Look after leases; do the next step if none is being done."""
        self._check_others()
        for machine in list(self._machines.values()):
            while (urgent := machine.urgent(_now())) is not None:
                self._write(machine, urgent)
        if self._step is None:
            while self._one_step():
                pass
        is_acting = self._step is not None or any(m.is_acting for m in self._machines.values())
        self._loop.pulse.state = Life.RUNNING if is_acting else Life.READY
        armed = [name for name, m in self._machines.items() if m.leases.number]
        self._loop.pulse.doing = f"armed: {', '.join(armed)}" if armed else ""

    def _one_step(self) -> bool:
        """Do one step; whether another may follow at once."""
        machines = sorted(self._machines.values(), key=lambda each: not each.is_acting)
        is_busy = any(machine.is_acting for machine in machines)
        for machine in machines:
            may_begin = machine.is_acting or not is_busy
            step = machine.next(_now(), may_begin=may_begin)
            if isinstance(step, Write):
                self._write(machine, step)
                return True
            if step is not None:
                self._step = (machine, step)
                self._result = self._thread.submit(self._do, step)
                self._result.add_done_callback(lambda _: self._ring())
                return False
        return False

    def _do(self, step: Step) -> str | Sent | Seen:
        """Ask the beamline; in the thread."""
        match step:
            case Preflight():
                return self._actuator.preflight(step.command)
            case Send():
                return self._actuator.send(step.command)
            case Look():
                return self._actuator.look(step.command)
            case Write():
                raise TypeError("a fact is written by the loop")

    def _ring(self) -> None:
        with suppress(BlockingIOError):  # the bell rings already
            os.write(self._ring_fd, b"\0")

    def _answered(self) -> None:
        with suppress(BlockingIOError):  # nobody rang
            os.read(self._bell_fd, 4096)
        if self._result is None or self._step is None or not self._result.done():
            return
        machine, step = self._step
        result = self._result.result()
        self._step = self._result = None
        log.info("actuator_step", step=type(step).__name__, result=str(result)[:200])
        machine.took(step, result, _now())
        self._advance()

    def _write(self, machine: Machine, step: Write) -> None:
        fact: FactMessage = step.fact
        try:
            self._journal.append([fact])
        except JournalRefusedError:
            self._read(machine.record.experiment)
            if machine.record.is_over:
                return  # it ended meanwhile, and its journal takes no more
            raise
        self._read(machine.record.experiment)
        machine.took(step, None, _now())
        self._loop.pulse.handled += 1
        log.info("act_wrote", fact=fact.type, experiment=fact.experiment)

    def _check_others(self) -> None:
        """Note who is silent; no lease outlives it."""
        now_s = time.monotonic()
        trouble = ""
        if now_s - self._decide_s > SILENCE_S:
            trouble = "decide has been silent for some seconds"
        elif now_s - self._journal_s > SILENCE_S:
            trouble = "the journal has been silent for some seconds"
        for machine in self._machines.values():
            machine.leases.trouble = trouble

    def _idle(self) -> None:
        """Go on living while the journal is waited for; leases end meanwhile."""
        self._loop.idle()
        if self._has_caught_up and time.monotonic() - self._journal_s > SILENCE_S:
            for machine in self._machines.values():
                machine.leases.lose("the journal has been silent for some seconds")


def _now() -> Now:
    return Now(time.monotonic(), time.time_ns())
