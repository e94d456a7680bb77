"""A recipe: all that the weights of a network follow from, in one TOML file."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lithoscope_models.card import InputsCard
from lithoscope_models.errors import RecipeError
from lithoscope_pipeline.networks import ARCHITECTURES
from lithoscope_pipeline.phantom import FamilyName

RECIPES_FOLDER = Path(__file__).with_name("recipes")
Seed = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
LossName = Literal["cross-entropy", "balanced", "tversky", "focal-tversky", "mixed"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class SimulatedData(_Table):
    """Simulated experiments of one kind."""

    kind: Annotated[
        Literal["image", "chain"],
        Field(description="image: blurred truth with the noise of the chain; chain: all of it"),
    ] = "chain"
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, description="One cell each")]
    scans: Annotated[
        tuple[Annotated[int, Field(ge=0, le=24)], ...],
        Field(min_length=1, description="Of the 25 of a cycle; scan 0 is always added"),
    ]
    size: Literal["tiny", "small", "medium"] = "small"
    families: Annotated[
        tuple[FamilyName, ...], Field(min_length=1, description="Taken in turn by the seeds")
    ] = ("default",)
    towards: Annotated[
        FamilyName | None,
        Field(description="Another family that the cells are part of the way to"),
    ] = None
    share: Annotated[Share, Field(description="How far towards it")] = 0.0
    spread: Annotated[
        float, Field(ge=0, le=2, description="How far cells differ from the default one")
    ] = 0.0
    swells_only: Annotated[
        bool, Field(description="The plating side moves by 39 um and nothing is plated")
    ] = False


class LabelledFiles(_Table):
    """Grey values and labels from files."""

    grey: Annotated[str, Field(description="OME-Zarr volume, or folder of PNG or TIFF slices")]
    labels: Annotated[str, Field(description="The same; 255 is not labelled")]
    voxel_um: Annotated[float, Field(gt=0)]
    class_of: Annotated[
        dict[str, int], Field(description="Class of each value in the files; empty: as they are")
    ] = {}


class SampleTable(_Table):
    """How patches are drawn; see `lithoscope_models.data.samples.SampleParameters`."""

    patch_px: tuple[Annotated[int, Field(ge=16)], Annotated[int, Field(ge=16)]] = (256, 192)
    absent_share: Share = 0.08
    alone_share: Share = 0.0
    pristine_share: Share = 0.05
    misregistration_px: Annotated[float, Field(ge=0)] = 3.0
    rough_share: Share = 0.25
    focus_share: Share = 0.85
    unlike_share: Share = 0.03
    labelled_share: Share = 0.0
    face_share: Share = 0.1
    face_error_px: Annotated[float, Field(ge=0)] = 1.5
    is_augmented: bool = True


class Recipe(_Table):
    """How a network is trained."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    architecture: str
    arguments: Annotated[dict[str, Any], Field(description="Of the network's constructor")] = {}
    inputs: InputsCard = InputsCard()
    training: Annotated[tuple[SimulatedData, ...], Field(description="What is trained on")] = ()
    validation: Annotated[tuple[SimulatedData, ...], Field(description="Other experiments")] = ()
    files: tuple[LabelledFiles, ...] = ()
    painted: Annotated[
        tuple[str, ...], Field(description="Folders that fine-tune has written")
    ] = ()
    split: Annotated[
        tuple[float, float, float],
        Field(description="Shares of slices of labelled files for training, validation, test"),
    ] = (0.72, 0.13, 0.15)
    samples: SampleTable = SampleTable()
    seed: Seed = 7
    n_steps: Annotated[int, Field(ge=1, description="Not a time: same seed, same weights")]
    batch: Annotated[int, Field(ge=1)] = 4
    validate_every: Annotated[int, Field(ge=1, description="Steps")] = 100
    n_validation_slices: Annotated[int, Field(ge=1, description="Of each scan")] = 4
    patience: Annotated[
        int, Field(ge=1, description="Validations without progress after which it stops")
    ] = 10
    loss: LossName = "mixed"
    optimiser: Literal["adam", "adamw"] = "adamw"
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    averaging: Annotated[
        float,
        Field(
            ge=0, lt=1, description="What is kept at each step of the mean of all weights so far"
        ),
    ] = 0.0
    precision: Literal["32", "bf16-mixed", "16-mixed"] = "32"

    @model_validator(mode="after")
    def _can_be_followed(self) -> "Recipe":
        if self.architecture not in ARCHITECTURES or self.architecture == "enet":
            known = ", ".join(name for name in ARCHITECTURES if name != "enet")
            raise ValueError(f"architecture {self.architecture!r} cannot be trained; {known} can")
        divisor = ARCHITECTURES[self.architecture].divisor
        if any(edge % divisor for edge in self.samples.patch_px):
            raise ValueError(f"samples.patch_px must be multiples of {divisor}")
        if not self.training and not self.files and not self.painted:
            raise ValueError("training and files are empty; name data to train on")
        if abs(sum(self.split) - 1.0) > 1e-6:
            raise ValueError(f"split {self.split} must add up to 1")
        shared = {(d.size, seed) for d in self.training for seed in d.seeds} & {
            (d.size, seed) for d in self.validation for seed in d.seeds
        }
        if shared:
            raise ValueError(f"seeds {sorted(shared)} are trained and validated on; split them")
        return self


def known_recipes() -> tuple[str, ...]:
    """Name the recipes that come with Lithoscope."""
    return tuple(sorted(path.stem for path in RECIPES_FOLDER.glob("*.toml")))


def read_recipe(name_or_path: str) -> Recipe:
    """Read a recipe that comes with Lithoscope, or a TOML file.

    A recipe with ``like = "NAME"`` takes from that one what it does not say itself.

    Raises
    ------
    RecipeError
        If there is none, or it cannot be followed; one line with the first reason.
    """
    path = Path(name_or_path)
    try:
        path, told = _read_table(name_or_path)
        return Recipe.model_validate(told)
    except OSError as error:
        known = ", ".join(known_recipes())
        raise RecipeError(f"no recipe {name_or_path!r}; give a TOML file, or {known}") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: no TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "recipe"
        raise RecipeError(f"{path}: {place}: {first['msg']}") from error


def _read_table(name_or_path: str) -> tuple[Path, dict[str, Any]]:
    """Read a TOML file; what it does not say is as in the recipe it is ``like``."""
    packaged = RECIPES_FOLDER / f"{name_or_path}.toml"
    path = packaged if "/" not in name_or_path and packaged.is_file() else Path(name_or_path)
    told = tomllib.loads(path.read_text())
    like = told.pop("like", None)
    return path, told if like is None else {**_read_table(str(like))[1], **told}


def changed(recipe: Recipe, changes: Mapping[str, Any]) -> Recipe:
    """Change fields of a recipe; None leaves one as it is, ``view`` is that of the inputs.

    Raises
    ------
    RecipeError
        If the recipe cannot be followed then.
    """
    told = recipe.model_dump()
    for name, value in changes.items():
        if value is not None:
            (told["inputs"] if name == "view" else told)[name] = value
    try:
        return Recipe.model_validate(told)
    except ValidationError as error:
        first = error.errors()[0]
        raise RecipeError(f"{recipe.name}: {first['loc']}: {first['msg']}") from error
