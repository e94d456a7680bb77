"""Our default: a small U-Net over neighbouring slices and earlier scans.

Everything that time and neighbours add comes in by the channels (`ModelInputs`), so the network
itself is plain and cheap: MONAI's U-Net of five levels with batch normalisation, which folds into
the convolutions and makes a voxel depend on its surroundings alone, never on the tile.
"""

from typing import Final

from monai.networks.nets.basic_unet import BasicUNet, UpCat
from torch import nn

FEATURES: Final = (16, 24, 48, 64, 96, 16)
_SLOPE: Final = 0.1


def stream_unet(
    n_channels: int, n_classes: int, *, features: tuple[int, ...] = FEATURES
) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    features
        Channels of the five levels, and of the last one on the way up.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, h, w), both edges multiples of 16; gives (n, n_classes, h, w).
    """
    network = BasicUNet(
        spatial_dims=2,
        in_channels=n_channels,
        out_channels=n_classes,
        features=features,
        act=("leakyrelu", {"inplace": True, "negative_slope": _SLOPE}),
        norm="batch",
        upsample="deconv",
    )
    for part in network.modules():
        if isinstance(part, UpCat):
            # Edges are multiples of 16: nothing is ever padded, and padding by nothing copies all,
            # in mixed precision as float32.
            part.is_pad = False
    return network
