"""The U-Net of Quenum et al. 2023 [1]_: max-pooling, transposed convolutions, skips.

References
----------
.. [1] Quenum et al., J. Imaging 9, 111 (2023). doi:10.3390/jimaging9060111
"""

from typing import Final

import torch
from torch import nn

FIRST_CHANNELS: Final = 16  # doubling to 256 at 8 x 8 of a patch of 128 x 128
_LEVELS: Final = 5


def unet(n_channels: int, n_classes: int, *, first_channels: int = FIRST_CHANNELS) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    first_channels
        Of the first of five levels; each further one has twice as many.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, h, w), both edges multiples of 16.
    """
    return _UNet(n_channels, n_classes, first_channels)


class _UNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    def __init__(self, n_channels: int, n_classes: int, first: int) -> None:
        super().__init__()
        widths = [first * 2**level for level in range(_LEVELS)]
        ins = [n_channels, *widths[:-1]]
        self.down = nn.ModuleList(double(i, o) for i, o in zip(ins, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        self.decoder = Decoder(widths, n_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        skips = []
        for level, block in enumerate(self.down):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        return self.decoder(skips)


class Decoder(nn.Module):  # type: ignore[misc]  # torch has no types here
    """The way up: transposed convolutions, each joined with the skip of its level.

    Parameters
    ----------
    widths
        Channels of the levels, the finest first; the last one is what the way up begins with.
    n_classes
        Channels of the logits.
    """

    def __init__(self, widths: list[int], n_classes: int) -> None:
        super().__init__()
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in pairs)
        self.merge = nn.ModuleList(double(2 * o, o) for _, o in pairs)
        self.classify = nn.Conv2d(widths[0], n_classes, 1)

    def forward(self, levels: list[torch.Tensor]) -> torch.Tensor:
        """Give the logits from one tensor a level, the finest first."""
        x = levels[-1]
        skips = levels[-2::-1]
        for up, merge, skip in zip(self.up, self.merge, skips, strict=True):
            x = merge(torch.cat([skip, up(x)], dim=1))
        return self.classify(x)


def double(n_in: int, n_out: int, *, dilation: int = 1, stride: int = 1) -> nn.Module:
    """Two 3 x 3 convolutions with batch normalisation and ReLU; the first one has the stride."""
    return nn.Sequential(
        _convolution(n_in, n_out, dilation, stride), _convolution(n_out, n_out, dilation, 1)
    )


def _convolution(n_in: int, n_out: int, dilation: int, stride: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=dilation, dilation=dilation, stride=stride, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )
