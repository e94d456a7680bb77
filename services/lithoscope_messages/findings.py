"""What stages found out, as parts of their facts: axis, tiles, coverage, faces, greys."""

from typing import Annotated, Literal

from pydantic import Field

from lithoscope_messages._base import TileNumber, Value

Vector3 = tuple[float, float, float]


class RoiVoxels(Value):
    """A box of voxels in the reference frame, half open."""

    z0: int
    z1: int
    y0: int
    y1: int
    x0: int
    x1: int


class AxisFinding(Value):
    """Where the rotation axis was taken to be, and how sure that is."""

    position_px: float
    confidence: Annotated[float, Field(ge=0, le=1)]
    verdict: Literal["resolved", "ambiguous", "border", "flat", "given"]
    tilt_deg: Annotated[
        float,
        Field(description="Against the columns of the detector, taken off; 0: not worth it"),
    ] = 0.0
    methods: Annotated[
        tuple[Annotated[str, Field(max_length=32)], ...],
        Field(description="What bears it out"),
    ] = ()
    reason: Annotated[
        str, Field(max_length=300, description="Why it is not resolved; empty if it is")
    ] = ""


class TileFinding(Value):
    """Where a vertical tile was laid in the volume of its scan."""

    tile: TileNumber
    n_rows: Annotated[int, Field(ge=1, description="Slices of the tile")]
    origin_px: Annotated[
        Vector3, Field(description="Place of its first voxel in the volume (z, y, x), voxels")
    ]
    overlap_rows: Annotated[
        int | None, Field(ge=1, description="Slices shared with the tile below; null: the lowest")
    ] = None
    shift_px: Annotated[
        Vector3,
        Field(description="Against the tile below, beside the overlap (z, y, x), voxels"),
    ] = (0.0, 0.0, 0.0)
    residual_px: Annotated[
        float | None,
        Field(ge=0, description="How far parts of it are off that shift; null: not measured"),
    ] = None
    significance: Annotated[
        float | None, Field(description="Standard deviations of the match above chance")
    ] = None
    offset_per_cm: Annotated[
        float, Field(description="Grey taken off it to meet the tile below, 1/cm")
    ] = 0.0
    verdict: Annotated[
        Literal["first", "resolved", "unresolved"],
        Field(description="unresolved: laid by the rows alone, which the settings gave"),
    ]
    axis: AxisFinding | None = None


class CoverageFinding(Value):
    """What the projections that were used cover; of several tiles the worst."""

    n_expected: Annotated[int, Field(ge=0, description="Projections announced")]
    n_stored: Annotated[int, Field(ge=0, description="Projections on disk")]
    n_low: Annotated[int, Field(ge=0, description="Of these, left out for too little light")]
    completeness: Annotated[float, Field(ge=0, le=1, description="Used / announced")]
    largest_gap_deg: Annotated[float, Field(ge=0, description="Between neighbouring angles")]
    edge_on_coverage: Annotated[
        float, Field(ge=0, le=1, description="Completeness within 15 degrees of edge-on")
    ]
    edge_on_gap_deg: Annotated[float, Field(ge=0, description="Between neighbouring angles there")]
    reasons: Annotated[
        tuple[Annotated[str, Field(max_length=300)], ...],
        Field(description="What is not as it should be; empty for a whole scan"),
    ] = ()


class FaceFinding(Value):
    """How far the outer face of an electrode has moved along y since the first scan."""

    side: Literal["stripping", "plating"]
    verdict: Annotated[
        Literal["resolved", "unresolved"],
        Field(description="unresolved: its map must not be used"),
    ]
    mean_px: Annotated[
        float | None, Field(description="Mean displacement, voxels, up is positive")
    ] = None
    scatter_px: Annotated[
        float | None, Field(ge=0, description="Of single patches about the smooth map, voxels")
    ] = None
    good_share: Annotated[
        float, Field(ge=0, le=1, description="Share of the patches that agree with the map")
    ] = 0.0
    reason: Annotated[str, Field(max_length=300)] = ""


class GreyFinding(Value):
    """Grey values of the materials of a scan, and where its layers lie."""

    electrode: float
    electrolyte: float
    pouch: float
    noise: Annotated[float, Field(ge=0, description="Standard deviation in one material")]
    edges_px: Annotated[
        tuple[float, float, float, float],
        Field(
            description="Outer and inner face of the stripping, inner and outer of the plating "
            "side: mean y in the region, voxels"
        ),
    ]


class DistributionFinding(Value):
    """How far a scan lies from those that its network was trained on."""

    distance: Annotated[
        float, Field(ge=0, description="In standard deviations of the training scans, over all")
    ]
    limit: Annotated[float, Field(gt=0, description="Within which 99 of 100 training scans lie")]
    farthest: Annotated[
        tuple[str, ...], Field(description="Statistics that differ most, the first one most")
    ] = ()


class ConfidenceFinding(Value):
    """How sure a network was of its classes: what tells data that it was not made for."""

    mean: Annotated[float, Field(ge=0, le=1, description="Mean probability of the best class")]
    low_share: Annotated[
        float, Field(ge=0, le=1, description="Share of voxels in which it is below 0.6")
    ]
    single_scan_agreement: Annotated[
        float | None,
        Field(
            ge=0, le=1, description="Share of voxels that get the same class without earlier scans"
        ),
    ] = None
