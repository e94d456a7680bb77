"""The card of a model: what it takes, what it gives, and where it comes from."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lithoscope_pipeline.networks import FACE_STEP_PX, ModelInputs

CARD_FILE = "model.json"
ONNX_FILE = "model.onnx"
WEIGHTS_FILE = "model.safetensors"
CHECK_FILE = "check.safetensors"
#: A folder of these is a model; nothing else in it is looked at.
FILES = (ONNX_FILE, WEIGHTS_FILE, CHECK_FILE)

ModelPolarity = Literal["any", "denser_is_brighter", "denser_is_darker"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Edge = Annotated[int, Field(ge=1, le=4096)]


class _Card(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class InputsCard(_Card):
    """Channels of the network; see `lithoscope_pipeline.networks.ModelInputs`."""

    n_neighbours: Annotated[int, Field(ge=0, le=16)] = 2
    n_earlier_neighbours: Annotated[int, Field(ge=0, le=16)] = 1
    has_previous: bool = True
    has_first: bool = True
    has_depth: bool = True
    n_around: Annotated[int, Field(ge=0, le=64)] = 0
    has_faces: bool = False
    view: Literal["cross-section", "in-plane"] = "cross-section"
    face_phase_px: Annotated[int | None, Field(ge=0, lt=FACE_STEP_PX)] = None

    @property
    def inputs(self) -> ModelInputs:
        """The channels as the pipeline takes them."""
        return ModelInputs(**self.model_dump())


class ValidationCard(_Card):
    """What a model was judged by on slices that people painted and it has not learned from."""

    experiment: Annotated[
        str | None, Field(description="Whose slices; null: from files, which validate nothing")
    ]
    voxel_um: Annotated[float, Field(gt=0)]
    slices: Annotated[tuple[tuple[int, int], ...], Field(description="Scan, and number along z")]
    voxels: Annotated[dict[str, int], Field(description="Painted, by class")]
    before: Annotated[dict[str, float], Field(description="IoU of the model it began with")]
    scores: Annotated[dict[str, float], Field(description="IoU, by class")]
    why_not: Annotated[str, Field(description="Why it does not count; empty if it does")] = ""


class CardDraft(_Card):
    """What is known of a model before its files are written."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    architecture: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="Of the constructor, besides the inputs"
    )
    classes: Annotated[
        tuple[str, ...], Field(min_length=2, max_length=255, description="In order of channels")
    ]
    inputs: InputsCard
    polarity: Annotated[
        ModelPolarity, Field(description="any: grey values are scaled by two references")
    ] = "any"
    tile_px: Annotated[tuple[Edge, Edge], Field(description="Largest tile, rows and columns")] = (
        512,
        512,
    )
    divisor: Annotated[int, Field(ge=1, le=512, description="Edges are multiples of it")] = 16
    is_fixed_size: Annotated[bool, Field(description="Takes tiles of the largest size alone")] = (
        False
    )
    temperature: Annotated[
        float, Field(gt=0, description="Divides the logits before the softmax")
    ] = 1.0
    voxel_um: Annotated[
        float | None, Field(gt=0, description="Edge of the voxels it was trained on")
    ] = None
    training: dict[str, Any] = Field(
        default_factory=dict, description="Data, difficulty version, seeds, steps, command"
    )
    scores: dict[str, Any] = Field(default_factory=dict, description="On data not trained on")
    validated_on: Annotated[
        tuple[ValidationCard, ...], Field(description="Painted slices it was judged by")
    ] = ()

    @property
    def was_scored_on_simulated_cells(self) -> bool:
        """Whether other simulated cells than those of the training chose and scored it."""
        recipe = self.training.get("recipe")
        named = recipe.get("validation") if isinstance(recipe, dict) else None
        return bool(named) and bool(self.scores.get("validation"))

    @model_validator(mode="after")
    def _fits_the_tiles(self) -> "CardDraft":
        if any(edge % self.divisor for edge in self.tile_px):
            raise ValueError(f"tile_px {self.tile_px} is no multiple of {self.divisor}")
        return self


class ModelCard(CardDraft):
    """The card as it lies beside the files."""

    format_version: Literal[1] = 1
    n_parameters: Annotated[int, Field(ge=1)]
    opset: Annotated[int, Field(ge=1, description="Version of the ONNX operators")]
    files: Annotated[dict[str, Sha256], Field(description="SHA-256 of each file")]
