"""All networks by name; PyTorch and MONAI are imported when one is built."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

from lithoscope_pipeline.errors import MissingLibraryError, ParameterError
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.networks.inputs import ModelInputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A network that can be built.

    Parameters
    ----------
    name
        As the command line has it.
    what
        One line about it.
    module, builder
        Where it is made: ``builder(n_channels, n_classes, **arguments)``.
    divisor
        Edges of patches are multiples of it.
    fixed_px
        The one edge that it takes; 0 for any.
    patch_px
        Edge of the patches that it is trained on.
    """

    name: str
    what: str
    module: str
    builder: str
    divisor: int
    fixed_px: int = 0
    patch_px: int = 256


_HERE: Final = "lithoscope_pipeline.networks"
ARCHITECTURES: Final = {
    each.name: each
    for each in (
        Architecture(
            name="stream-unet",
            what="small U-Net over neighbouring slices and earlier scans; the default",
            module=f"{_HERE}.stream_unet",
            builder="stream_unet",
            divisor=16,
        ),
        Architecture(
            name="residual-unet",
            what="residual U-Net of seven levels (Huang et al. 2023)",
            module=f"{_HERE}.residual_unet",
            builder="residual_unet",
            divisor=64,
        ),
        Architecture(
            name="unet",
            what="U-Net of five levels (Quenum et al. 2023)",
            module=f"{_HERE}.unet",
            builder="unet",
            divisor=16,
            patch_px=128,
        ),
        Architecture(
            name="ynet",
            what="regular and dilated convolutions side by side (Quenum et al. 2023)",
            module=f"{_HERE}.ynet",
            builder="ynet",
            divisor=128,
            fixed_px=128,
            patch_px=128,
        ),
        Architecture(
            name="transforcnn",
            what="transformer encoder, convolutional decoder (Quenum et al. 2023)",
            module=f"{_HERE}.transforcnn",
            builder="transforcnn",
            divisor=128,
            fixed_px=128,
            patch_px=128,
        ),
        Architecture(
            name="enet",
            what="weighted mean of the probabilities of unet, ynet and transforcnn",
            module=f"{_HERE}.enet",
            builder="enet",
            divisor=128,
            fixed_px=128,
            patch_px=128,
        ),
    )
}


def architecture(name: str) -> Architecture:
    """Give the architecture of a name.

    Raises
    ------
    ParameterError
        If there is none of that name.
    """
    if name not in ARCHITECTURES:
        msg = f"no network is called {name!r}; there are {', '.join(ARCHITECTURES)}"
        raise ParameterError(msg)
    return ARCHITECTURES[name]


def build_network(
    name: str,
    inputs: ModelInputs,
    *,
    n_classes: int = len(SegmentClass),
    arguments: dict[str, Any] | None = None,
) -> Any:  # a torch.nn.Module; torch is not in every installation
    """Build an untrained network.

    Weights are drawn from torch's random numbers: set ``torch.manual_seed`` before.

    Parameters
    ----------
    name
        One of `ARCHITECTURES`.
    inputs
        Channels that it takes.
    n_classes
        Channels of its logits; 2 for a binary network.
    arguments
        Of the builder, for other sizes than the published ones.

    Returns
    -------
    torch.nn.Module
        Takes float32 of shape (n, inputs.n_channels, rows, columns) and gives logits of shape
        (n, n_classes, rows, columns).

    Raises
    ------
    ParameterError
        If there is no network of that name.
    MissingLibraryError
        If PyTorch or MONAI is not installed.
    """
    chosen = architecture(name)
    try:
        module = import_module(chosen.module)
    except ImportError as error:
        msg = f"{name} needs PyTorch and MONAI ({error}); pip install 'lithoscope[train]'"
        raise MissingLibraryError(msg) from error
    return getattr(module, chosen.builder)(inputs.n_channels, n_classes, **(arguments or {}))
