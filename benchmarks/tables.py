"""What a benchmark has to say, as Markdown with the machine, the date and the commit."""

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows under a heading.

    Parameters
    ----------
    title
        What was measured on what.
    columns
        Headings.
    rows
        Texts, as many in each as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]

    def as_markdown(self) -> str:
        """Write it."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join([f"## {self.title}", "", *(f"| {' | '.join(row)} |" for row in lines)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one benchmark.

    Parameters
    ----------
    title
        Its name to people.
    method
        What is compared, what counts and what does not, one paragraph each.
    tables
        What came out.
    packages
        Distributions whose versions matter.
    """

    title: str
    method: tuple[str, ...]
    tables: tuple[Table, ...]
    packages: tuple[str, ...] = ()

    def as_markdown(self, *, is_quick: bool) -> str:
        """Write it with where, when and of what it was measured."""
        about = [f"`{_command(is_quick)}`, {_date()}, commit {commit()}.", machine()]
        if self.packages:
            about.append(", ".join(f"{name} {version(name)}" for name in self.packages) + ".")
        parts = [f"# {self.title}", "  \n".join(about), *self.method]
        return "\n\n".join([*parts, *(table.as_markdown() for table in self.tables)]) + "\n"


@cache
def commit() -> str:
    """Name the commit as it is at the first call, and whether the product differs from it."""
    name = _git("rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _git("status", "--porcelain", "--", "pipeline", "services", "benchmarks/*.py")
    return f"{name} with later changes" if changed else name


def machine() -> str:
    """Describe this machine in one line."""
    model, memory_kib = "unknown processor", 0
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal"):
            memory_kib = int(line.split()[1])
    load = os.getloadavg()[0]
    return (
        f"{model}, {os.cpu_count()} cores, {memory_kib / 2**20:.0f} GiB, "
        f"Linux {platform.release()}, Python {platform.python_version()}; "
        f"load while it ran {load:.1f} (1 minute), itself included."
    )


def _command(is_quick: bool) -> str:
    return "python -m benchmarks --quick" if is_quick else "python -m benchmarks"


def _date() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
