"""Trying an engine in a child process, for some libraries end the process that loads them.

``python -m lithoscope_models.engines.probe ENGINE MODEL CACHE PRECISION`` opens an engine, gives
it the patch that lies beside the model, and writes one line of JSON.
"""

import hashlib
import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lithoscope_models.engines.cache import EngineCache
from lithoscope_models.engines.gpu import find_gpu
from lithoscope_models.engines.parity import compare_logits
from lithoscope_models.engines.protocol import EngineName, EngineRequest, Precision
from lithoscope_models.engines.registry import BACKENDS
from lithoscope_models.errors import ModelError
from lithoscope_models.model_file import Model, load_model

LIMIT_S = 300.0
_PACKAGES = (
    "torch",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "tensorrt",
    "tensorrt_rtx",
    "lithoscope",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What came of trying an engine.

    Parameters
    ----------
    engine
        Which one.
    reason
        Why it does not work here; empty if it does.
    precision, library
        What it computes in and with.
    agreement, volume_change
        See `Parity`.
    """

    engine: EngineName
    reason: str = ""
    precision: str = ""
    library: str = ""
    agreement: float = 0.0
    volume_change: float = 0.0

    @property
    def works(self) -> bool:
        """Whether it may be used."""
        return not self.reason

    @property
    def text(self) -> str:
        """What came of it, in one line."""
        if self.reason:
            return self.reason
        return f"{self.library}, {self.precision}: {self.agreement:.3%} of the labels agree"


def probe_engine(
    name: EngineName,
    model: Model,
    *,
    precision: Precision | None = None,
    cache: Path | None = None,
) -> Probe:
    """Try an engine in a child process; what worked is remembered.

    Parameters
    ----------
    name
        Which one.
    model
        Its patch is what the engine is tested with.
    precision
        As in a request.
    cache
        Folder where engines and results are kept; None takes that of the user.
    """
    problem = BACKENDS[name].find_problem()
    if problem:
        return Probe(engine=name, reason=problem)
    kept = _kept_path(name, model, precision, EngineCache(cache))
    if kept.is_file():
        return Probe(**json.loads(kept.read_text()))
    found = _try(name, model, precision, cache)
    if found.works:
        partial = kept.with_suffix(f".{os.getpid()}")
        partial.write_text(json.dumps(asdict(found)))
        os.replace(partial, kept)
    return found


def _try(name: EngineName, model: Model, precision: Precision | None, cache: Path | None) -> Probe:
    command = [sys.executable, "-m", __name__, name, str(model.folder), str(cache or ""), ""]
    command[-1] = precision or ""
    try:
        child = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        return Probe(engine=name, reason=f"did not end within {LIMIT_S:g} s")
    lines = child.stdout.strip().splitlines()
    if child.returncode < 0:
        reason = f"its library ended the process (signal {-child.returncode})"
        return Probe(engine=name, reason=reason)
    if child.returncode != 0 or not lines:
        said = child.stderr.strip().splitlines()[-1:] or [f"exit code {child.returncode}"]
        return Probe(engine=name, reason=said[0][:300])
    return Probe(**json.loads(lines[-1]))


def _kept_path(
    name: EngineName, model: Model, precision: Precision | None, cache: EngineCache
) -> Path:
    """Name a result by all that it depends on: model, engine, libraries, machine."""
    gpu = find_gpu()
    parts = [
        name,
        model.sha256,
        precision,
        [f"{package} {_version(package)}" for package in _PACKAGES],
        [platform.machine(), platform.python_version(), _processor()],
        None if gpu is None else asdict(gpu),
    ]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return cache.folder / f"{digest}.probe"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    text = path.read_text() if path.is_file() else platform.processor()
    names = [line for line in text.splitlines() if line.startswith(("model name", "flags"))]
    return hashlib.sha256("\n".join(names[:2]).encode()).hexdigest()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "-"


def main() -> None:
    """Try the engine that the arguments name, and say what came of it."""
    name, folder, cache, precision = sys.argv[1:5]
    backend = next(each for each in BACKENDS.values() if each.name == name)
    try:
        model = load_model(folder, polarity=_polarity(folder))
        request = EngineRequest(
            patch=_patch(model),
            gpu_batch=1,
            precision=next((p for p in _PRECISIONS if p == precision), None),
            cache=Path(cache) if cache else None,
        )
        engine = backend.open(model, request)
        parity = compare_logits(engine.run(model.check.x), model.check.logits)
    except ModelError as error:
        found = Probe(engine=backend.name, reason=str(error))
    else:
        found = Probe(
            engine=backend.name,
            reason="" if parity.is_good else _why_not(parity.agreement, parity.volume_change),
            precision=engine.precision,
            library=engine.library,
            agreement=parity.agreement,
            volume_change=parity.volume_change,
        )
    sys.stdout.write(json.dumps(asdict(found)) + "\n")


_PRECISIONS: tuple[Precision, ...] = ("float32", "float16", "bfloat16")


def _patch(model: Model) -> tuple[int, int, int]:
    _, n_channels, rows, columns = model.check.x.shape
    return n_channels, rows, columns


def _polarity(folder: str) -> str:
    from lithoscope_models.model_file import load_card

    stated = load_card(folder).polarity
    return "denser_is_brighter" if stated == "any" else stated


def _why_not(agreement: float, volume_change: float) -> str:
    return (
        f"gives other labels than the network: {agreement:.3%} agree, volumes differ by "
        f"{volume_change:.2%} (99.9 % and 0.2 % are needed)"
    )


if __name__ == "__main__":
    main()
