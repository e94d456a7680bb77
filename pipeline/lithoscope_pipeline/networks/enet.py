"""The E-Net of Quenum et al. 2023 [1]_: a weighted mean of what three networks find likely.

References
----------
.. [1] Quenum et al., J. Imaging 9, 111 (2023). doi:10.3390/jimaging9060111
"""

from typing import Final

import torch
from torch import nn

from lithoscope_pipeline.networks.transforcnn import transforcnn
from lithoscope_pipeline.networks.unet import unet
from lithoscope_pipeline.networks.ynet import ynet

MEMBERS: Final = ("unet", "ynet", "transforcnn")
_LEAST: Final = 1e-7  # of a probability, below which its logarithm says no more


def enet(
    n_channels: int, n_classes: int, *, weights: tuple[float, ...] = (0.3, 0.3, 0.4)
) -> nn.Module:
    """Build the network.

    Parameters
    ----------
    n_channels, n_classes
        Of its input and of its logits.
    weights
        Of `MEMBERS`, adding up to 1; chosen by `ensemble_weights` on validation data.

    Returns
    -------
    nn.Module
        Takes (n, n_channels, 128, 128); gives the logarithms of the mean probabilities. Its
        members are trained apart: load their weights into ``members``.
    """
    return _ENet([build(n_channels, n_classes) for build in (unet, ynet, transforcnn)], weights)


class _ENet(nn.Module):  # type: ignore[misc]  # torch has no types here
    def __init__(self, members: list[nn.Module], weights: tuple[float, ...]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.register_buffer("weights", torch.tensor(weights, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Give the logarithms of the mean probabilities."""
        mean = sum(
            self.weights[i] * member(x).softmax(dim=1) for i, member in enumerate(self.members)
        )
        return mean.clamp(min=_LEAST).log()
