"""What people paint on slices: what is asked for, and what then stands in the store."""

from typing import Annotated, Literal

from pydantic import Field

from lithoscope_messages._base import Key, RelativePath, Request, ScanFact, ScanNumber

PlaneAxis = Literal["z", "y", "x"]
#: 255 takes the paint away.
PixelRun = Annotated[
    tuple[
        Annotated[int, Field(ge=0, description="First pixel, row by row")],
        Annotated[int, Field(ge=1, description="Pixels")],
        Annotated[int, Field(ge=0, le=255, description="Class, 255: not painted")],
    ],
    Field(description="A run of pixels of one row, or of several"),
]
PlaneIndex = Annotated[int, Field(ge=0, le=99_999, description="Number of the plane, voxels")]
RoundNumber = Annotated[
    int, Field(ge=1, le=99, description="From 1; corrections on an answer are the next")
]
#: A stroke has some hundreds; a slice of 2048 rows that is filled in, some thousands.
MAX_RUNS = 20_000


class PaintRequested(Request):
    """Somebody paints pixels of one plane of a volume, or takes paint away."""

    type: Literal["PaintRequested"] = "PaintRequested"
    version: Literal[1] = 1
    scan: ScanNumber
    path: Annotated[RelativePath, Field(description="The volume that is painted on")]
    axis: Annotated[PlaneAxis, Field(description="Normal of the plane")]
    index: PlaneIndex
    round: RoundNumber
    runs: Annotated[tuple[PixelRun, ...], Field(min_length=1, max_length=MAX_RUNS)]


class SlicePainted(ScanFact):
    """What somebody painted on a plane is on disk."""

    type: Literal["SlicePainted"] = "SlicePainted"
    version: Literal[1] = 1
    request: Annotated[Key | None, Field(description="What it answers; null: read from files")]
    path: Annotated[RelativePath, Field(description="OME-Zarr image; labels lie inside it")]
    label_name: Annotated[str, Field(max_length=64)]
    axis: PlaneAxis
    index: PlaneIndex
    round: RoundNumber
    person: Annotated[str, Field(min_length=1, max_length=128, description="Who painted")]
    n_pixels: Annotated[
        dict[str, int], Field(description="Painted pixels of each class on this plane now")
    ]
