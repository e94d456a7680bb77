"""All settings of an experiment: one frozen tree, a unit in every name, a reason at every default.

The tables of the file are the fields of :class:`Settings`, in this order.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from lithoscope_messages import ExperimentName
from lithoscope_pipeline.decide import default_rules
from lithoscope_services.settings.actuator_table import ActuatorPlanSettings, ActuatorSettings
from lithoscope_services.settings.backends import BackendName
from lithoscope_services.settings.cluster_table import ClusterSettings
from lithoscope_services.settings.dashboard_table import DashboardSettings
from lithoscope_services.settings.decide_table import DecideSettings
from lithoscope_services.settings.measure_table import MeasureSettings
from lithoscope_services.settings.rule_table import RuleSettings, rule_settings
from lithoscope_services.settings.segment_table import SegmentSettings
from lithoscope_services.settings.source_table import SourceSettings
from lithoscope_services.settings.table import Table

MEBIBYTE = 2**20


class ExperimentSettings(Table):
    """What is being measured: one cell from its first scan to its last."""

    name: Annotated[
        ExperimentName, Field(description="Folder of the experiment in the store; letters first")
    ] = "experiment"
    sample: Annotated[
        str, Field(max_length=200, description="Name of the cell, for people; may be empty")
    ] = ""
    active_area_cm2: Annotated[
        float | None,
        Field(
            gt=0,
            description="Electrode area of the whole cell, cm²; left out, charge is not compared "
            "with the lithium that was seen",
        ),
    ] = None
    first_current_sign: Annotated[
        Literal[-1, 1],
        Field(
            description="Sign of the current in the first half-cycle: net charge is counted "
            "positive while the side that was plated first receives lithium"
        ),
    ] = 1
    edge_on_deg: Annotated[
        float,
        Field(
            ge=-360,
            le=360,
            description="Stage angle at which the beam runs along the electrode planes, degrees",
        ),
    ] = 90.0
    n_scans: Annotated[
        int | None, Field(ge=1, le=10_000, description="Scans planned; left out, until it ends")
    ] = None
    stack_thickness_um: Annotated[
        float | None,
        Field(
            gt=0,
            le=1e5,
            description="Distance of the electrodes' outer faces before cycling, by a gauge, "
            "µm: test-scan checks the size of a pixel by it; left out, it cannot",
        ),
    ] = None
    clock_offset_s: Annotated[
        float,
        Field(
            ge=-86_400,
            le=86_400,
            description="Added to the times that the cycler writes, s, so that they are those of "
            "the scans; a marker pulse tells it",
        ),
    ] = 0.0


class ScanSettings(Table):
    """How a scan is taken, where the source of the frames does not say so itself."""

    voxel_size_um: Annotated[
        float | None,
        Field(
            gt=0, le=1000, description="Detector pixel in the sample, µm; left out, the source's"
        ),
    ] = None
    energy_keV: Annotated[  # noqa: N815 - the unit is keV
        float | None,
        Field(gt=0, le=1000, description="Photon energy, keV; left out, the source's"),
    ] = None
    distance_mm: Annotated[
        float | None,
        Field(
            ge=0,
            le=1e6,
            description="Sample to detector, mm; left out, the source's. 0 for no phase contrast",
        ),
    ] = None
    rotation_axis: Annotated[
        Literal["auto"] | float,
        Field(description='Detector column of the rotation axis, or "auto" to find it'),
    ] = "auto"
    tile_overlap_rows: Annotated[
        int | None,
        Field(
            ge=1,
            description="Detector rows that neighbouring tiles share; left out, they are found",
        ),
    ] = None
    n_tiles: Annotated[
        int,
        Field(
            ge=1,
            le=100,
            description="Vertical fields of view of a scan: what test-scan expects, and counts "
            "the disk by",
        ),
    ] = 1


class IngestSettings(Table):
    """How frames are taken in and made safe."""

    buffer_bytes: Annotated[
        int,
        Field(
            ge=MEBIBYTE,
            description="Bytes a source may have under way; 256 MiB are 24 frames of 2560 × 2160",
        ),
    ] = 256 * MEBIBYTE
    scan_timeout_s: Annotated[
        float,
        Field(
            gt=0,
            description="Silence after which an unfinished scan is closed, s; longer than a "
            "change of tile takes",
        ),
    ] = 300.0
    min_free_fraction: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Free part of the disk below which no frame is taken: the journal must "
            "always find room",
        ),
    ] = 0.05
    group_commit_ms: Annotated[
        float,
        Field(
            ge=0,
            le=1000,
            description="Longest wait of a frame for others to share one flush to disk, ms",
        ),
    ] = 50.0


class ReconstructSettings(Table):
    """How projections become slices."""

    backend: Annotated[
        BackendName,
        Field(
            description="Method; auto takes the fastest that this machine can run. Others are for "
            "comparison: astra and tomopy must be installed, and are slower"
        ),
    ] = "auto"
    padding: Annotated[
        Literal["edge", "cosine", "zero"],
        Field(description="How projections go on outside the view; edge for a wide sample"),
    ] = "edge"
    flats: Annotated[
        Literal["before", "mean", "interpolate", "eigen"],
        Field(
            description="Beam that a projection is compared with: flats before it alone; the mean "
            "of all; interpolated between flats before and after; fitted to each projection. "
            "Flats after are waited for, unless before: it makes slices while the scan runs"
        ),
    ] = "interpolate"
    zingers: Annotated[
        float,
        Field(
            ge=0,
            le=100,
            description="Direct hits: a pixel that exceeds its neighbours in the row by more than "
            "this, in open beams, takes their value; 0 for none, for the fringes of a plate seen "
            "edge-on reach 0.8",
        ),
    ] = 0.0
    rings: Annotated[
        Literal["none", "median", "titarenko", "sorting", "wavelet"],
        Field(
            description="Ring removal; median changes a scan without rings least, and like "
            "titarenko is taken off slices that were begun while the scan runs. The others need "
            "the whole scan: sorting is for pixels that err with brightness"
        ),
    ] = "median"
    phase: Annotated[
        Literal["auto", "none", "paganin"],
        Field(
            description="Phase retrieval; auto is paganin where distance and energy are known, "
            "for fringes hide what is between them"
        ),
    ] = "auto"
    delta_beta: Annotated[
        float,
        Field(
            gt=0,
            description="For paganin: differences of delta and beta of the two main materials, "
            "divided; lithium in a polymer at 27.5 keV, with the total attenuation",
        ),
    ] = 1840.0
    slab_rows: Annotated[
        int,
        Field(
            ge=1,
            le=1024,
            description="Detector rows worked on at a time: bounds memory, sets the shard height",
        ),
    ] = 32
    memory_share: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Share of the free memory that a slab may take; fewer rows are worked on "
            "at a time if it would not do. Half, for other stages work beside it",
        ),
    ] = 0.5


class RegisterSettings(Table):
    """How scans are laid over each other."""

    engine: Annotated[
        Literal["auto", "gauss-newton", "simpleitk"],
        Field(
            description="Who finds the transform; auto is gauss-newton, which is faster and no "
            "less accurate. simpleitk is the reference"
        ),
    ] = "auto"
    level_deg: Annotated[
        tuple[float, float] | None,
        Field(
            description="Rotations about z and x that make the electrodes of the first scan "
            "level, degrees; left out, they are found"
        ),
    ] = None
    corners_px: Annotated[
        tuple[tuple[float, float], tuple[float, float], tuple[float, float], tuple[float, float]]
        | None,
        Field(
            description="Corners (y, x) of the stack in a slice of the first scan, voxels: low y "
            "and low x first, then along the electrode. The slices are warped so that they make a "
            "rectangle; lengths are then no longer those of the cell, which is flagged"
        ),
    ] = None
    max_shift_px: Annotated[
        float,
        Field(
            gt=0,
            le=100,
            description="Largest drift from one scan to the next looked for, voxels, along each "
            "axis; a few are usual",
        ),
    ] = 12.0
    residual_limit_px: Annotated[
        float,
        Field(
            gt=0,
            description="Residual above which a scan counts as unregistered, voxels: beyond one "
            "voxel growth can no longer be told from motion",
        ),
    ] = 1.0
    anchor_every: Annotated[
        int,
        Field(
            ge=1,
            le=1000,
            description="Scans after which one is compared with the first itself, so that errors "
            "from scan to scan do not add up; 1 for every scan",
        ),
    ] = 4
    max_bytes: Annotated[
        int,
        Field(
            ge=16 * MEBIBYTE,
            description="Bytes that the sub-volumes of a pair of scans may take: few of them "
            "know as much as the whole",
        ),
    ] = 1024 * MEBIBYTE


class PlanSettings(Table):
    """What the acquisition plan does while it waits for an answer."""

    verdict_timeout_s: Annotated[
        float, Field(gt=0, description="How long a plan waits for the verdict on a scan, s")
    ] = 600.0
    on_timeout: Annotated[
        Literal["continue", "hold"],
        Field(
            description="What it does when none came: a monitor that is down should not end an "
            "experiment, so continue"
        ),
    ] = "continue"


class InstanceSettings(Table):
    """How the processes run."""

    frames_endpoint: Annotated[
        str | None,
        Field(description="Where sources connect; left out, an ipc socket that only you can open"),
    ] = None
    drain_timeout_s: Annotated[
        float,
        Field(gt=0, le=60, description="Time a service has to finish when told to stop, s"),
    ] = 3.5

    @field_validator("frames_endpoint")
    @classmethod
    def _is_private(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not endpoint.startswith("ipc:///"):
            raise ValueError(
                f"{endpoint!r} is no ipc:///absolute/path; a tcp:// address needs CURVE keys, "
                "which this version does not have yet: run the source on this machine"
            )
        return endpoint


class Settings(Table):
    """The settings of one experiment."""

    experiment: ExperimentSettings = ExperimentSettings()
    scan: ScanSettings = ScanSettings()
    source: SourceSettings = SourceSettings()
    ingest: IngestSettings = IngestSettings()
    reconstruct: ReconstructSettings = ReconstructSettings()
    # pydantic models have a method of the name of the table.
    registration: Annotated[RegisterSettings, Field(alias="register")] = RegisterSettings()
    segment: SegmentSettings = SegmentSettings()
    measure: MeasureSettings = MeasureSettings()
    rules: Annotated[
        tuple[RuleSettings, ...], Field(description="Rules; an empty list switches all off")
    ] = tuple(rule_settings(rule) for rule in default_rules())
    decide: DecideSettings = DecideSettings()
    actuators: ActuatorSettings = ActuatorSettings()
    actuator_plans: Annotated[
        tuple[ActuatorPlanSettings, ...],
        Field(description="Plans that may be queued, one table for an action; none by default"),
    ] = ()
    plan: PlanSettings = PlanSettings()
    dashboard: DashboardSettings = DashboardSettings()
    instance: InstanceSettings = InstanceSettings()
    cluster: ClusterSettings = ClusterSettings()

    @model_validator(mode="after")
    def _has_distinct_rules(self) -> Self:
        ids = [rule.id for rule in self.rules]
        doubles = sorted({id_ for id_ in ids if ids.count(id_) > 1})
        if doubles:
            raise ValueError(f"rules: more than one has the id {doubles[0]!r}; name each once")
        return self

    @model_validator(mode="after")
    def _has_one_plan_an_action(self) -> Self:
        actions = [each.action for each in self.actuator_plans]
        doubles = sorted({each for each in actions if actions.count(each) > 1})
        if doubles:
            raise ValueError(
                f"actuator_plans: more than one is for {doubles[0]!r}; give one an action"
            )
        return self

    @model_validator(mode="after")
    def _fits_the_stream(self) -> Self:
        if self.source.kind == "frame_link":
            return self
        # The start of a Bluesky run may say it, and so may a file.
        if self.scan.voxel_size_um is None and self.source.kind not in ("bluesky", "folder"):
            raise ValueError(
                "scan.voxel_size_um is missing; a stream does not say how large a pixel is"
            )
        quiet_s, names = self.source.silence_s, "source.silence_s"
        if self.source.detector_file is not None:
            quiet_s += self.source.detector_file_wait_s
            names += " with detector_file_wait_s"
        if quiet_s >= self.ingest.scan_timeout_s:
            raise ValueError(
                f"{names} {quiet_s:g} must be shorter than ingest.scan_timeout_s "
                f"{self.ingest.scan_timeout_s:g}"
            )
        return self
