"""Frames to volumes: corrected, filtered and reconstructed slab by slab."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import AxisFinding, Fact, FrameKind, SlabReady, StageName, VolumeReady
from lithoscope_pipeline.normalise import CountStack, correct_flat_dark, minus_log
from lithoscope_pipeline.phase_retrieval import PaganinFilter, retrieve_phase
from lithoscope_pipeline.reconstruct import FourierBackend, reconstruct_slab
from lithoscope_pipeline.rotation_axis import find_rotation_axis
from lithoscope_services.errors import ServiceError
from lithoscope_services.history import History, ScanHistory
from lithoscope_services.phase_choice import SaidOfScan, choose_phase_filter, halo_rows
from lithoscope_services.stage import Task, make_task
from lithoscope_services.stages.inputs import edge_on_deg, fact_parts, settings_of
from lithoscope_store import FrameReader, Store, create_volume, finish_volume, write_slab

MIN_COMPLETENESS = 0.8
AXIS_ROWS = 64


class ReconstructStage:
    """One task a scan, as soon as its frames are complete."""

    name: StageName = "reconstruct"
    algorithm_version = 2

    def plan(self, history: History) -> Sequence[Task]:
        """Give the scans that are complete and have no volume."""
        return [
            self._task(history, scan)
            for scan in history.in_order()
            if scan.completed is not None and scan.volume is None and scan.failure is None
        ]

    def _task(self, history: History, scan: ScanHistory) -> Task:
        settings = settings_of(history)
        started, completed = scan.started, scan.completed
        if started is None or completed is None:
            raise ServiceError(f"scan {scan.scan} is complete without having started")
        axis = settings.scan.rotation_axis
        phase = choose_phase_filter(
            settings.reconstruct,
            settings.scan,
            said=SaidOfScan(
                distance_mm=started.distance_mm,
                energy_kev=started.energy_keV,
                voxel_um=started.voxel_size_um,
            ),
        )
        return make_task(
            self,
            scan.scan,
            inputs=[completed.frames_sha256],
            parameters={
                **settings.reconstruct.model_dump(mode="json"),
                "rotation_axis_px": started.rotation_axis_px if axis == "auto" else axis,
                "edge_on_deg": edge_on_deg(history),
                "voxel_um": started.voxel_size_um,
                "paganin": None if phase is None else asdict(phase),
            },
            arguments={
                "experiment": history.experiment,
                "completeness": completed.account.completeness,
                "sets": [each.model_dump(mode="json") for each in completed.account.sets],
            },
        )

    def execute(self, task: Task, store_root: str) -> Iterator[Fact]:
        """Reconstruct a scan; each slab is announced when it is on disk."""
        _check_account(task)
        paths = Store(Path(store_root)).experiment(task.arguments["experiment"])
        parameters = task.parameters
        frames = FrameReader(paths, task.scan, 0)
        flats, darks = _all_sets(frames, "flat"), _all_sets(frames, "dark")
        thetas_rad = np.deg2rad(frames.thetas_deg("projection") - parameters["edge_on_deg"] + 90.0)
        n_rows, n_columns = flats.shape[1:]
        phase = PaganinFilter(**parameters["paganin"]) if parameters["paganin"] else None
        axis = _find_axis(frames, flats, darks, thetas_rad, parameters["rotation_axis_px"], phase)

        path = paths.reconstruction(task.scan, task.key)
        relative = paths.relative(path)
        slab_rows = parameters["slab_rows"]
        create_volume(
            path,
            shape=(n_rows, n_columns, n_columns),
            voxel_um=parameters["voxel_um"],
            dtype="float32",
            name=f"scan {task.scan}",
            slab_slices=slab_rows,
            # The sample is wider than the view: what lies outside adds an unknown constant.
            offset_unknown=True,
            provenance={"work_key": task.key},
        )
        backend = FourierBackend(extension=parameters["padding"])
        digests = []
        for z0 in range(0, n_rows, slab_rows):
            rows = slice(z0, min(z0 + slab_rows, n_rows))
            needed, before, after = halo_rows(rows, n_rows, phase)
            volume = reconstruct_slab(
                frames.read("projection", rows=needed),
                flats[:, needed],
                darks[:, needed],
                thetas_rad,
                rotation_axis_px=axis.position_px,
                voxel_um=parameters["voxel_um"],
                backend=backend,
                phase=phase,
                halo_rows=(before, after),
            )
            digests.append(write_slab(path, z0, volume))
            yield SlabReady(
                **fact_parts(task, self.name, f"{task.key}:{z0}"),
                algorithm_version=self.algorithm_version,
                stage=self.name,
                path=relative,
                z0=z0,
                z1=rows.stop,
                sha256=digests[-1],
            )
        finish_volume(path)
        yield VolumeReady(
            **fact_parts(task, self.name, task.key),
            algorithm_version=self.algorithm_version,
            stage=self.name,
            path=relative,
            shape=(n_rows, n_columns, n_columns),
            voxel_um=parameters["voxel_um"],
            sha256=hashlib.sha256("".join(digests).encode()).hexdigest(),
            backend=backend.name,
            axis=axis,
            batch_reason="this version reconstructs after the last projection",
            flags=() if axis.verdict in ("resolved", "given") else (f"axis_{axis.verdict}",),
        )


def _check_account(task: Task) -> None:
    stored = {each["kind"]: 0 for each in task.arguments["sets"]}
    for each in task.arguments["sets"]:
        stored[each["kind"]] += each["stored"]
        if each["tile"] != 0:
            raise ServiceError(
                f"scan {task.scan} has tile {each['tile']}; this version takes one tile a scan"
            )
    for kind in ("flat", "dark", "projection"):
        if not stored.get(kind):
            raise ServiceError(
                f"scan {task.scan} has no {kind}s, so its transmission is unknown; "
                f"take {kind}s and scan again"
            )
    if task.arguments["completeness"] < MIN_COMPLETENESS:
        raise ServiceError(
            f"scan {task.scan} has {100 * task.arguments['completeness']:.0f} % of its "
            f"projections, {100 * MIN_COMPLETENESS:.0f} % are needed; scan again"
        )


def _all_sets(frames: FrameReader, kind: FrameKind) -> CountStack:
    """Read the frames before and after the projections as one stack."""
    return np.concatenate([frames.read(kind, number) for number in frames.sets(kind)])


def _find_axis(
    frames: FrameReader,
    flats: CountStack,
    darks: CountStack,
    thetas_rad: NDArray[np.float64],
    given_px: float | None,
    phase: PaganinFilter | None,
) -> AxisFinding:
    if given_px is not None:
        return AxisFinding(position_px=given_px, confidence=1.0, verdict="given")
    n_rows = flats.shape[1]
    first = max(0, (n_rows - AXIS_ROWS) // 2)
    rows = slice(first, min(n_rows, first + AXIS_ROWS))
    attenuation = minus_log(
        correct_flat_dark(frames.read("projection", rows=rows), flats[:, rows], darks[:, rows])
    )
    if phase is not None:  # without its noise the plates show
        attenuation = retrieve_phase(attenuation, phase)
    found = find_rotation_axis(attenuation, thetas_rad)
    return AxisFinding(
        position_px=found.position_px, confidence=found.confidence, verdict=found.verdict
    )


STAGE = ReconstructStage()
