"""The residual U-Net of Huang et al. 2023 [1]_.

References
----------
.. [1] Huang et al., npj Comput. Mater. 9, 93 (2023). doi:10.1038/s41524-023-01039-y
"""

from typing import Final

import torch
from monai.networks.blocks import ResidualUnit
from monai.networks.nets import UNet
from torch import nn

CHANNELS: Final = (32, 64, 128, 256, 512, 512, 512)
_UNITS: Final = 2
_DROPOUT: Final = 0.2


def residual_unet(
    n_channels: int,
    n_classes: int,
    *,
    channels: tuple[int, ...] = CHANNELS,
    sampling: str = "strided",
) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    channels
        Of the levels, each at half the resolution of the one before.
    sampling
        ``strided`` as in the authors' code: convolutions with stride 2 make the levels.
        ``pooled`` as in the text of the paper: max-pooling down, transposed convolution up, the
        units at full resolution of their level, five times the operations.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, h, w), both edges multiples of ``2 ** (len(channels) - 1)``.
    """
    if sampling == "pooled":
        return _PooledResidualUNet(n_channels, n_classes, channels)
    return UNet(
        spatial_dims=2,
        in_channels=n_channels,
        out_channels=n_classes,
        channels=channels,
        strides=(2,) * (len(channels) - 1),
        kernel_size=3,
        up_kernel_size=3,
        num_res_units=_UNITS,
        act="PRELU",
        norm="batch",
        dropout=_DROPOUT,
        adn_ordering="ADN",
    )


class _PooledResidualUNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    """Residual units between max-pooling and transposed convolutions, joined by skips."""

    def __init__(self, n_channels: int, n_classes: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        ins = (n_channels, *channels[:-1])
        self.down = nn.ModuleList(_unit(i, o) for i, o in zip(ins, channels, strict=True))
        self.pool = nn.MaxPool2d(2)
        pairs = list(zip(channels[:0:-1], channels[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in pairs)
        self.merge = nn.ModuleList(_unit(2 * o, o) for _, o in pairs)
        self.classify = nn.Conv2d(channels[0], n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        skips = []
        for level, unit in enumerate(self.down):
            x = unit(x if level == 0 else self.pool(x))
            skips.append(x)
        skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.classify(x)


def _unit(n_in: int, n_out: int) -> nn.Module:
    return ResidualUnit(
        spatial_dims=2,
        in_channels=n_in,
        out_channels=n_out,
        subunits=_UNITS,
        act="PRELU",
        norm="batch",
        dropout=_DROPOUT,
        adn_ordering="ADN",
    )
