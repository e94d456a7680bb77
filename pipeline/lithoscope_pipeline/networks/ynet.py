"""The Y-Net of Quenum et al. 2023 [1]_: two ways down, one of them dilated, and one way up.

References
----------
.. [1] Quenum et al., J. Imaging 9, 111 (2023). doi:10.3390/jimaging9060111
"""

from typing import Final

import torch
from torch import nn
from torch.nn import functional

FIRST_CHANNELS: Final = 24  # of the regular way, doubling to 8 x 8 of a patch of 128 x 128
DILATED_CHANNELS: Final = 16  # throughout
_LEVELS: Final = 5
_DILATIONS: Final = (1, 2, 4, 8, 8)
_POOLED_TO: Final = (1, 2, 4, 8)


def ynet(
    n_channels: int,
    n_classes: int,
    *,
    first_channels: int = FIRST_CHANNELS,
    dilated_channels: int = DILATED_CHANNELS,
) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    first_channels, dilated_channels
        Of the first level of the regular way, and of all levels of the dilated one.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, h, w), both edges multiples of 16. Its pyramid pools over the whole
        patch: it is meant for patches of the size it was trained on.
    """
    return _YNet(n_channels, n_classes, first_channels, dilated_channels)


class _YNet(nn.Module):  # type: ignore[misc]  # torch has no types here
    def __init__(self, n_channels: int, n_classes: int, first: int, dilated: int) -> None:
        super().__init__()
        widths = [first * 2**level for level in range(_LEVELS)]
        ins = [n_channels, *widths[:-1]]
        self.regular = nn.ModuleList(_block(i, o) for i, o in zip(ins, widths, strict=True))
        self.pool = nn.MaxPool2d(2)
        narrow = [n_channels, *[dilated] * (_LEVELS - 1)]
        self.dilated = nn.ModuleList(
            _block(n_in, dilated, dilation=dilation, stride=1 if level == 0 else 2)
            for level, (n_in, dilation) in enumerate(zip(narrow, _DILATIONS, strict=True))
        )
        self.pyramid = nn.ModuleList(nn.Conv2d(dilated, dilated, 1) for _ in _POOLED_TO)
        met = widths[-1] + dilated * (1 + len(_POOLED_TO))
        self.meet = nn.Conv2d(met, widths[-1], 1)
        pairs = list(zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in pairs)
        self.merge = nn.ModuleList(_block(2 * o + dilated, o) for _, o in pairs)
        self.classify = nn.Conv2d(widths[0], n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        image, skips = x, []
        for level, block in enumerate(self.regular):
            x = block(x if level == 0 else self.pool(x))
            skips.append(x)
        narrow = []
        for block in self.dilated:
            image = block(image)
            narrow.append(image)
        deepest = narrow.pop()
        x = self.meet(torch.cat([skips.pop(), deepest, *self._pooled(deepest)], dim=1))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), narrow.pop(), up(x)], dim=1))
        return self.classify(x)

    def _pooled(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Means over parts of the patch, brought back to its size."""
        return [
            functional.interpolate(
                convolution(functional.adaptive_avg_pool2d(x, n)), size=x.shape[2:], mode="nearest"
            )
            for n, convolution in zip(_POOLED_TO, self.pyramid, strict=True)
        ]


def _block(n_in: int, n_out: int, *, dilation: int = 1, stride: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(n_in, n_out, 3, padding=dilation, dilation=dilation, stride=stride, bias=False),
        nn.BatchNorm2d(n_out),
        nn.ReLU(inplace=True),
    )
