"""The fastest engine that works on this machine and gives what the network gives."""

from dataclasses import dataclass
from typing import Literal

from lithoscope_models.engines.probe import Probe, probe_engine
from lithoscope_models.engines.protocol import ENGINES, Engine, EngineName, EngineRequest
from lithoscope_models.engines.registry import BACKENDS
from lithoscope_models.errors import EngineUnavailableError, ModelError
from lithoscope_models.model_file import Model


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """An engine that was chosen.

    Parameters
    ----------
    engine
        Ready to run.
    passed_over
        Faster ones, and why they do not work here.
    """

    engine: Engine
    passed_over: tuple[Probe, ...]

    @property
    def text(self) -> str:
        """What runs, in one line."""
        return f"{self.engine.name} ({self.engine.library}, {self.engine.precision})"


def choose_engine(
    model: Model, request: EngineRequest, wanted: EngineName | Literal["auto"] = "auto"
) -> Chosen:
    """Open the fastest engine that works here, or the one that is wanted and no other.

    Parameters
    ----------
    model
        What is to run.
    request
        Shape, threads, precision.
    wanted
        Name of an engine, or ``auto``.

    Raises
    ------
    EngineUnavailableError
        If the wanted one does not work here, or none does; the text has the reasons.
    """
    passed_over: list[Probe] = []
    for name in ENGINES if wanted == "auto" else (wanted,):
        probe = probe_engine(name, model, precision=request.precision, cache=request.cache)
        if probe.works:
            try:
                engine = BACKENDS[name].open(model, request)
            except ModelError as error:
                # It took the small patch and not this one: memory, mostly.
                probe = Probe(engine=name, reason=str(error))
            else:
                return Chosen(engine=engine, passed_over=tuple(passed_over))
        passed_over.append(probe)
    reasons = "; ".join(f"{each.engine}: {each.reason}" for each in passed_over)
    raise EngineUnavailableError(f"no engine for {model.card.name} works here: {reasons}")
