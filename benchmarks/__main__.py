"""Run benchmarks by name, and write their tables."""

import argparse
import sys
import time
from importlib import import_module
from pathlib import Path

from benchmarks.tables import commit

NAMES = (
    "frame_store",
    "ingest",
    "journal",
    "correct",
    "coverage",
    "reconstruct",
    "slab_memory",
    "simulate",
    "frame",
    "register",
    "segment",
    "measure",
    "chain",
    "reprocess",
    "live",
    "dashboard",
    "backtest",
    "short_warning",
)
#: Only when asked for: one trains a network, with the extra `train`, two take half an hour, one
#: needs a CUDA device.
ON_DEMAND = (
    *("yardstick", "gap_experiments", "interval_chain", "reconstruct_gpu"),
    *("fine_tune", "first_hour", "out_of_distribution", "generality", "earlier_scans"),
    "segmentation_limits",
)
RESULTS = Path(__file__).parent / "results"
HELP = f"{', '.join(NAMES)} [all]; {', '.join(ON_DEMAND)}"


def main() -> None:
    """Run what was asked for, in the order given."""
    arguments = _parse()
    out: Path | None = arguments.out or (None if arguments.quick else RESULTS)
    commit()  # before others work on: what is measured is what stands now
    for name in arguments.names or NAMES:
        begin_s = time.monotonic()
        # Imported one by one: what one of them needs must not slow another.
        report = import_module(f"benchmarks.{name}").measure(is_quick=arguments.quick)
        text = report.as_markdown(is_quick=arguments.quick)
        print(text)
        print(f"{name}: {time.monotonic() - begin_s:.0f} s", file=sys.stderr)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / f"{name}.md").write_text(text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=HELP)
    parser.add_argument(
        "--quick", action="store_true", help="smaller and fewer; prints and keeps nothing"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where tables go [results]")
    arguments = parser.parse_args()
    for name in arguments.names:
        if name not in (*NAMES, *ON_DEMAND):
            parser.error(f"no benchmark {name!r}; there are {HELP}")
    return arguments


if __name__ == "__main__":
    main()
