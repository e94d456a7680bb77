"""The volume of a scan while it is written, and what is announced of it."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from lithoscope_messages import (
    AxisFinding,
    CoverageFinding,
    SlabReady,
    StageName,
    TileFinding,
    VolumeReady,
)
from lithoscope_pipeline.coverage import Coverage
from lithoscope_pipeline.geometry import FloatVolume
from lithoscope_services.stage import Task
from lithoscope_services.stages.inputs import fact_parts
from lithoscope_services.stages.reconstruct.slab_order import anchors_first
from lithoscope_store import ExperimentPaths, create_volume, finish_volume, write_slab

STAGE: Final[StageName] = "reconstruct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the fact says beside where the volume lies."""

    axis: AxisFinding
    coverage: CoverageFinding
    backend: str
    batch_reason: str
    flags: tuple[str, ...] = ()
    tiles: tuple[TileFinding, ...] = ()


@dataclass(slots=True, kw_only=True)
class WrittenVolume:
    """The volume of a scan while it is written; its slabs are announced one by one.

    Parameters
    ----------
    task
        Of the scan.
    paths
        Of the experiment.
    algorithm_version
        For the facts.
    shape
        Voxels (z, y, x).
    digests
        SHA-256 of each slab that is written, by its first slice.
    """

    task: Task
    paths: ExperimentPaths
    algorithm_version: int
    shape: tuple[int, int, int]
    digests: dict[int, str] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self.paths.reconstruction(self.task.scan, self.task.key)

    @property
    def slabs(self) -> tuple[slice, ...]:
        """Rows of all slabs, those first that tell most."""
        return anchors_first(self.shape[0], self.task.parameters["slab_rows"])

    def create(self) -> None:
        """Make the empty volume; slabs that one has keep."""
        create_volume(
            self.path,
            shape=self.shape,
            voxel_um=self.task.parameters["voxel_um"],
            dtype="float32",
            name=f"scan {self.task.scan}",
            slab_slices=self.task.parameters["slab_rows"],
            # The sample is wider than the view: what lies outside adds an unknown constant.
            offset_unknown=True,
            provenance={"work_key": self.task.key},
        )

    def write(
        self, slab_of: Callable[[slice], FloatVolume], slabs: Sequence[slice]
    ) -> Iterator[SlabReady]:
        """Write slabs in this order."""
        for rows in slabs:
            self.digests[rows.start] = write_slab(self.path, rows.start, slab_of(rows))
            yield SlabReady(
                **fact_parts(self.task, STAGE, f"{self.task.key}:{rows.start}"),
                algorithm_version=self.algorithm_version,
                stage=STAGE,
                path=self.paths.relative(self.path),
                z0=rows.start,
                z1=rows.stop,
                sha256=self.digests[rows.start],
            )

    def finish(self, finding: Finding) -> VolumeReady:
        """Make the lower levels of a volume that has all slabs, and announce the whole."""
        finish_volume(self.path)
        rising = "".join(self.digests[z0] for z0 in sorted(self.digests))
        return VolumeReady(
            **fact_parts(self.task, STAGE, self.task.key),
            algorithm_version=self.algorithm_version,
            stage=STAGE,
            path=self.paths.relative(self.path),
            shape=self.shape,
            voxel_um=self.task.parameters["voxel_um"],
            sha256=hashlib.sha256(rising.encode()).hexdigest(),
            backend=finding.backend,
            axis=finding.axis,
            batch_reason=finding.batch_reason[:300],
            tiles=finding.tiles,
            coverage=finding.coverage,
            flags=finding.flags,
        )


def unsure(axes: Sequence[AxisFinding]) -> tuple[str, ...]:
    """Flag axes that are not to be relied on."""
    flags = (f"axis_{a.verdict}" for a in axes if a.verdict not in ("resolved", "given"))
    return tuple(dict.fromkeys(flags))


def coverage_finding(coverage: Coverage) -> CoverageFinding:
    """Write what projections cover as a part of a fact."""
    return CoverageFinding(
        n_expected=coverage.n_expected,
        n_stored=coverage.n_stored,
        n_low=coverage.n_low,
        completeness=coverage.completeness,
        largest_gap_deg=float(np.rad2deg(coverage.largest_gap_rad)),
        edge_on_coverage=coverage.edge_on_coverage,
        edge_on_gap_deg=float(np.rad2deg(coverage.edge_on_gap_rad)),
        reasons=coverage.reasons,
    )
