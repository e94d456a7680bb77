"""The TransforCNN of Quenum et al. 2023 [1]_: a transformer reads, convolutions draw.

The text asks for sub-patches of 16 x 16 pixels, which make a map of 8 x 8 tokens, and for
max-pooling *to* 8 x 8, which only makes sense for a larger map. A grid of 16 x 16 sub-patches of
8 x 8 pixels fits both sentences and is taken; the other reading is a switch.

References
----------
.. [1] Quenum et al., J. Imaging 9, 111 (2023). doi:10.3390/jimaging9060111
"""

from typing import Final

import torch
from torch import nn
from torch.nn import functional

from lithoscope_pipeline.networks.unet import double

PATCH_PX: Final = 128
GRID: Final = 16
WIDTH: Final = 64
_UNITS: Final = 8
_HEADS: Final = 4
_EVERY: Final = 2  # the output of every second unit is drawn from
_WIDTHS: Final = (32, 64, 128, 256, 512)  # of 128, 64, 32, 16 and 8 pixels
_FREQUENCY_SD: Final = 1.0


def transforcnn(n_channels: int, n_classes: int, *, grid: int = GRID) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    grid
        Sub-patches along each edge: 16 for 256 tokens of 8 x 8 pixels, 8 for 64 of 16 x 16.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, 128, 128): positions are learnt for patches of this size.
    """
    return _TransforCNN(n_channels, n_classes, grid)


class _TransforCNN(nn.Module):  # type: ignore[misc]  # torch has no types here
    def __init__(self, n_channels: int, n_classes: int, grid: int) -> None:
        super().__init__()
        edge = PATCH_PX // grid
        self.grid = grid
        self.embed = nn.Conv2d(n_channels, WIDTH, edge, stride=edge)
        self.register_buffer("places", _places(grid))
        self.position = nn.Linear(WIDTH, WIDTH)
        self.units = nn.ModuleList(
            nn.TransformerEncoderLayer(
                WIDTH, _HEADS, 4 * WIDTH, dropout=0.0, batch_first=True, norm_first=True
            )
            for _ in range(_UNITS)
        )
        self.image = double(n_channels, _WIDTHS[0])
        self.bottom = double(WIDTH, _WIDTHS[-1])
        pairs = list(zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True))
        self.up = nn.ModuleList(nn.ConvTranspose2d(i, o, 2, stride=2) for i, o in pairs)
        joined = [WIDTH, WIDTH, WIDTH, _WIDTHS[0]]
        self.merge = nn.ModuleList(
            double(o + extra, o) for (_, o), extra in zip(pairs, joined, strict=True)
        )
        self.classify = nn.Conv2d(_WIDTHS[0], n_classes, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logits."""
        maps = self._read(x)
        drawn = self.bottom(functional.adaptive_max_pool2d(maps.pop(), PATCH_PX // 16))
        for level, (up, merge) in enumerate(zip(self.up, self.merge, strict=True)):
            drawn = up(drawn)
            beside = self.image(x) if level == len(self.up) - 1 else maps.pop()
            if beside.shape[2:] != drawn.shape[2:]:
                beside = functional.interpolate(beside, size=drawn.shape[2:], mode="nearest")
            drawn = merge(torch.cat([beside, drawn], dim=1))
        return self.classify(drawn)

    def _read(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Give the tokens after every second unit as maps (n, WIDTH, grid, grid)."""
        tokens = self.embed(x).flatten(2).transpose(1, 2) + self.position(self.places)
        maps = []
        for number, unit in enumerate(self.units, start=1):
            tokens = unit(tokens)
            if number % _EVERY == 0:
                maps.append(tokens.transpose(1, 2).unflatten(2, (self.grid, self.grid)))
        return maps


def _places(grid: int) -> torch.Tensor:
    """Fourier features of the middles of the sub-patches, shape (grid ** 2, WIDTH)."""
    generator = torch.Generator().manual_seed(0)
    frequencies = _FREQUENCY_SD * torch.randn(2, WIDTH // 2, generator=generator)
    middles = (torch.arange(grid) + 0.5) / grid
    at = torch.cartesian_prod(middles, middles)
    phases = 2.0 * torch.pi * at @ frequencies
    return torch.cat([phases.sin(), phases.cos()], dim=1)
