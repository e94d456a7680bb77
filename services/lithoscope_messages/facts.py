"""Facts of the journal, but for those about decisions."""

from typing import Annotated, Any, Literal

from pydantic import Field

from lithoscope_messages._base import (
    ExperimentName,
    Fact,
    Lifted,
    RelativePath,
    ScanFact,
    ScanNumber,
    Sha256,
    TileNumber,
)
from lithoscope_messages.account import ScanAccount, lift_scan_completed
from lithoscope_messages.findings import (
    AxisFinding,
    ConfidenceFinding,
    CoverageFinding,
    DistributionFinding,
    FaceFinding,
    GreyFinding,
    RoiVoxels,
    TileFinding,
    Vector3,
)
from lithoscope_messages.frames import (
    ExpectedCount,
    ExperimentDescription,
    FrameDtype,
    FrameKind,
    Origin,
    ScanPhase,
)
from lithoscope_messages.metrics import MetricValue

StageName = Literal["reconstruct", "register", "segment", "measure", "decide"]


class ServiceStarted(Fact):
    """A service is up."""

    type: Literal["ServiceStarted"] = "ServiceStarted"
    version: Literal[1] = 1
    service: Annotated[str, Field(max_length=64)]
    pid: Annotated[int, Field(ge=1)]
    software_version: Annotated[str, Field(max_length=64)]


class ExperimentStarted(Lifted, Fact):
    """An experiment begins; version 1 knew no ``made_from``."""

    type: Literal["ExperimentStarted"] = "ExperimentStarted"
    version: Literal[2] = 2
    description: ExperimentDescription
    settings: Annotated[dict[str, Any], Field(description="Resolved settings, as JSON")]
    format_version: Annotated[int, Field(ge=1, description="Of the store")]


class ScanStarted(Lifted, ScanFact):
    """The first message of a scan has come; version 1 had no ``origin``."""

    type: Literal["ScanStarted"] = "ScanStarted"
    version: Literal[2] = 2
    expected: tuple[ExpectedCount, ...]
    frame_shape: tuple[int, int]
    dtype: FrameDtype
    voxel_size_um: Annotated[float, Field(gt=0)]
    energy_keV: float | None = None  # noqa: N815 - the unit is keV
    distance_mm: float | None = None
    rotation_axis_px: float | None = None
    phase: ScanPhase = ScanPhase()
    origin: Origin = ""


class FramesStored(ScanFact):
    """A block of frames with fixed first index is on disk."""

    type: Literal["FramesStored"] = "FramesStored"
    version: Literal[1] = 1
    tile: TileNumber
    kind: FrameKind
    set: Annotated[int, Field(ge=0)]
    first: Annotated[int, Field(ge=0, description="First index of the block")]
    count: Annotated[int, Field(ge=0, description="Frames of the block that are on disk")]


class ScanCompleted(Lifted, ScanFact):
    """No further frame of this scan is taken; its account is closed."""

    type: Literal["ScanCompleted"] = "ScanCompleted"
    version: Literal[2] = 2
    reason: Literal["scan_end", "run_stop", "timeout"]
    account: ScanAccount
    frames_sha256: Annotated[Sha256, Field(description="Hash of the ordered frame checksums")]

    @classmethod
    def lift(cls, older: dict[str, Any]) -> dict[str, Any]:
        """Read version 1; see :func:`~lithoscope_messages.account.lift_scan_completed`."""
        return lift_scan_completed(older)


class WorkStarted(ScanFact):
    """A stage begins a task; written before the work."""

    type: Literal["WorkStarted"] = "WorkStarted"
    version: Literal[1] = 1
    stage: StageName
    work_key: Sha256
    attempt: Annotated[int, Field(ge=1)]


class SlabReady(ScanFact):
    """A run of slices is on disk and may be read."""

    type: Literal["SlabReady"] = "SlabReady"
    version: Literal[1] = 1
    stage: StageName
    work_key: Sha256
    path: RelativePath
    z0: Annotated[int, Field(ge=0)]
    z1: Annotated[int, Field(ge=1)]
    sha256: Annotated[Sha256, Field(description="Of dtype, shape and C-order voxels")]


class VolumeReady(Lifted, ScanFact):
    """A volume is complete; version 1 had neither ``tiles`` nor ``coverage``."""

    type: Literal["VolumeReady"] = "VolumeReady"
    version: Literal[2] = 2
    stage: StageName
    work_key: Sha256
    path: RelativePath
    shape: tuple[int, int, int]
    voxel_um: Annotated[float, Field(gt=0)]
    sha256: Sha256
    backend: Annotated[str, Field(max_length=64)] = ""
    axis: AxisFinding | None = None
    batch_reason: Annotated[
        str, Field(max_length=300, description="What forced the batch path; empty: none")
    ] = ""
    tiles: Annotated[
        tuple[TileFinding, ...], Field(description="Of a scan of several tiles, the lowest first")
    ] = ()
    coverage: CoverageFinding | None = None
    flags: tuple[str, ...] = ()


class TransformReady(Lifted, ScanFact):
    """Where the scan lies in the reference frame.

    Version 1 knew nothing of levelling and faces.
    """

    type: Literal["TransformReady"] = "TransformReady"
    version: Literal[2] = 2
    work_key: Sha256
    fixed_scan: ScanNumber
    rotation_deg: Annotated[Vector3, Field(description="About z, y, x; applied in this order")]
    shift_px: Annotated[Vector3, Field(description="Along z, y, x, voxels")]
    centre_px: Annotated[Vector3, Field(description="Centre of rotation (z, y, x), voxels")]
    residual_px: Annotated[float | None, Field(ge=0)]
    verdict: Literal["reference", "resolved", "unregistered"]
    reason: Annotated[str, Field(max_length=300)] = ""
    roi: Annotated[
        RoiVoxels,
        Field(description="Region compared, in voxels of the reference frame: scan 0 made level"),
    ]
    y_outer_px: Annotated[
        float,
        Field(description="Outer face of the stationary electrode, y in the reference frame"),
    ]
    planes_px: Annotated[
        tuple[float, ...],
        Field(description="Of the first scan: six planes across y, lower pouch face first"),
    ] = ()
    edge_on_change_deg: Annotated[
        float | None,
        Field(description="Of the first scan: true edge-on angle minus the one taken, degrees"),
    ] = None
    faces: tuple[FaceFinding, ...] = ()
    stack_thickness_um: Annotated[
        float | None, Field(gt=0, description="Mean distance of the outer faces; null: not seen")
    ] = None
    maps_path: Annotated[
        RelativePath | None,
        Field(description="Maps of the outer faces; those of an unresolved side are not in it"),
    ] = None
    overview_path: Annotated[
        RelativePath | None, Field(description="Picture of the first scan in its frame")
    ] = None
    homography: Annotated[
        tuple[float, ...] | None,
        Field(
            min_length=9,
            max_length=9,
            description="Of the first scan: warp of the slices by corners given by hand, row by "
            "row; takes (y, x, 1) of the region to the levelled slice. Not metric",
        ),
    ] = None
    frame_flags: Annotated[
        tuple[str, ...],
        Field(description="small_margin, edges_excluded, level_by_hand, homography"),
    ] = ()
    engine: Annotated[str, Field(max_length=64, description="What registered the scan")] = ""
    is_anchored: Annotated[
        bool, Field(description="Compared with the first scan itself, not only by those between")
    ] = True
    closure_px: Annotated[
        float | None,
        Field(ge=0, description="How far the ways by the previous and by the first scan differ"),
    ] = None
    uncertainty_px: Annotated[
        float | None, Field(ge=0, description="Of the farthest corner, from noise; standard dev.")
    ] = None
    texture_score: Annotated[
        float | None, Field(description="Standard deviations of the match above chance")
    ] = None


class LabelsReady(Lifted, ScanFact):
    """The labels of a scan are complete; version 2 did not say what the model was tried out on."""

    type: Literal["LabelsReady"] = "LabelsReady"
    version: Literal[3] = 3
    work_key: Sha256
    path: Annotated[RelativePath, Field(description="OME-Zarr image; labels lie inside it")]
    label_name: Annotated[str, Field(max_length=64)] = "cell"
    single_scan_label_name: Annotated[
        str | None,
        Field(max_length=64, description="Labels made without earlier scans; null: the same"),
    ] = None
    shape: tuple[int, int, int]
    voxel_um: Annotated[float, Field(gt=0)]
    sha256: Annotated[Sha256, Field(description="Of dtype, shape and C-order voxels")]
    model: Annotated[str, Field(max_length=128)]
    model_sha256: Annotated[Sha256 | None, Field(description="Of the card of the network")] = None
    engine: Annotated[
        str, Field(max_length=128, description="What ran the network, its library and precision")
    ] = ""
    earlier_scans: Annotated[
        tuple[ScanNumber, ...], Field(description="That the network was shown, the first one last")
    ] = ()
    polarity: Literal["denser_is_brighter", "denser_is_darker"] = "denser_is_brighter"
    cnr_li_electrolyte: float | None = None
    grey: GreyFinding | None = None
    soft_voxels: dict[str, float] = Field(
        default_factory=dict,
        description="Sum of the probability of each class of the network, voxels",
    )
    confidence: ConfidenceFinding | None = None
    distribution: DistributionFinding | None = None
    validated_on: Annotated[
        tuple[ExperimentName, ...],
        Field(description="Experiments whose painted slices the model was judged by and passed"),
    ] = ()
    validated_on_simulated: Annotated[
        bool, Field(description="Whether it was scored on simulated cells with such voxels")
    ] = False
    relabelled: dict[str, int] = Field(
        default_factory=dict,
        description="Voxels that a rule of the anatomy gave another class, by rule",
    )
    unsegmented: Annotated[
        tuple[str, ...], Field(description="Classes that the method does not tell apart")
    ] = ("pit", "void")
    flags: tuple[str, ...] = ()


class MetricsReady(Lifted, ScanFact):
    """The numbers of a scan; version 1 had no objects."""

    type: Literal["MetricsReady"] = "MetricsReady"
    version: Literal[2] = 2
    work_key: Sha256
    experiment_time_s: float
    charge_mAh: float | None = None  # noqa: N815 - the unit is mAh
    cycle: int
    half_cycle: int
    completeness: Annotated[float, Field(ge=0, le=1)]
    metrics: dict[str, MetricValue]
    maps_path: RelativePath | None = None
    objects_path: Annotated[
        RelativePath | None, Field(description="Table of dendrites and pits, JSON")
    ] = None
    labels_sha256: Sha256 | None = None


class SurfacesReady(ScanFact):
    """The surfaces of a scan are on disk; nothing else waits for them."""

    type: Literal["SurfacesReady"] = "SurfacesReady"
    version: Literal[1] = 1
    work_key: Sha256
    path: Annotated[RelativePath, Field(description="Folder of the surfaces and their index")]
    triangles: Annotated[
        dict[str, int], Field(description="Of each class that has a surface, by its name")
    ]


class ElectrochemistryAppended(Fact):
    """Samples of the cycler are on disk."""

    type: Literal["ElectrochemistryAppended"] = "ElectrochemistryAppended"
    version: Literal[1] = 1
    first: Annotated[int, Field(ge=0)]
    count: Annotated[int, Field(ge=1)]
    time_s: Annotated[float, Field(description="Of the last sample, s")]
    charge_mAh: Annotated[  # noqa: N815 - the unit is mAh
        float, Field(description="Signed charge up to the last sample, mAh")
    ]


class StageFailed(ScanFact):
    """A stage gave up on a scan; skipped until somebody asks for a retry."""

    type: Literal["StageFailed"] = "StageFailed"
    version: Literal[1] = 1
    stage: Literal["ingest", "reconstruct", "register", "segment", "measure", "decide"]
    work_key: Sha256 | None = None
    attempts: Annotated[int, Field(ge=0)]
    error: Annotated[str, Field(max_length=2000, description="What, where, what to do")]


class Pruned(ScanFact):
    """Somebody thinned out a scan; it may come after the end of the experiment."""

    type: Literal["Pruned"] = "Pruned"
    version: Literal[1] = 1
    part: Literal["frames", "reconstructions", "probabilities"]
    paths: Annotated[
        tuple[RelativePath, ...], Field(description="Folders and files that were removed")
    ]
    n_files: Annotated[int, Field(ge=0, description="Files in them")]
    n_bytes: Annotated[int, Field(ge=0, description="Bytes in them")]
    person: Annotated[str, Field(min_length=1, max_length=128, description="Who did it")]


class ExperimentEnded(Fact):
    """The experiment is over; the journal is sealed after it."""

    type: Literal["ExperimentEnded"] = "ExperimentEnded"
    version: Literal[1] = 1
    n_scans: Annotated[int, Field(ge=0)]
