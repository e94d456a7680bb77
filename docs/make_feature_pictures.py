"""Draw each feature of the simulated cell beside its truth, and write the page of them.

``python docs/make_feature_pictures.py [NAME...]`` writes ``docs/pictures/feature_*.jpg`` (of all
features, or of those named) and ``docs/simulated-features.md``.
"""

import sys
from pathlib import Path

import numpy as np
from feature_list import Feature, features
from numpy.typing import NDArray
from PIL import Image

from lithoscope_pipeline.geometry import FloatImage

DOCS = Path(__file__).parent
PANEL, GAP = 256, 6
LOW, HIGH = 0.5, 99.5  # percentiles that are black and white
HEAD = """# What the simulated cell can do

Each picture: the image with the feature | the truth | the image with it less that without. Grey
levels span the middle 99 % of each panel; a difference is grey where there is none. `small` cell,
seed 5; slices are the middle one, phase retrieved, without noise unless noise is the matter.
Drawn by `docs/make_feature_pictures.py`; what each switch is called stands in
[The simulated cell](simulated-cell.md).
"""


def main() -> None:
    """Draw what was asked for and write the page."""
    chosen = sys.argv[1:]
    lines = [HEAD]
    for feature in features():
        path = DOCS / "pictures" / f"feature_{feature.name}.jpg"
        if not chosen or feature.name in chosen:
            draw(feature, path)
        title = feature.name.replace("_", " ").capitalize()
        lines.append(f"## {title}\n\n{feature.shows}.\n\n![{title}](pictures/{path.name})\n")
    (DOCS / "simulated-features.md").write_text("\n".join(lines))


def draw(feature: Feature, path: Path) -> None:
    """Draw one feature."""
    image = feature.view(feature.with_it, feature.scan)
    change = image - feature.view(feature.without_it, feature.scan)
    truth = feature.truth(feature.with_it, feature.scan)
    largest = float(np.percentile(np.abs(change), HIGH))
    strongest = float(np.abs(change).max())
    reach = largest if largest > 0.05 * strongest else strongest
    image, truth, change = (_cropped(each, feature.crop) for each in (image, truth, change))
    panels = [
        _grey(image, *np.percentile(image, (LOW, HIGH))),
        _grey(truth, *np.percentile(truth, (LOW, HIGH))),
        _grey(change, -reach, reach),
    ]
    sheet = Image.new("L", (3 * PANEL + 2 * GAP, PANEL), 255)
    for number, panel in enumerate(panels):
        sheet.paste(_fitted(panel), (number * (PANEL + GAP), 0))
    sheet.save(path, quality=82)


def _cropped(image: FloatImage, crop: tuple[float, float, float, float]) -> FloatImage:
    top, bottom, left, right = crop
    n_rows, n_columns = image.shape
    return image[
        round(top * n_rows) : round(bottom * n_rows),
        round(left * n_columns) : round(right * n_columns),
    ]


def _grey(image: FloatImage, low: float, high: float) -> NDArray[np.uint8]:
    share = (image - low) / max(high - low, 1e-12)
    return (255.0 * np.clip(share, 0.0, 1.0)).astype(np.uint8)


def _fitted(panel: NDArray[np.uint8]) -> Image.Image:
    """Scale to the width of a panel; images that are wider than high stand in its middle."""
    n_rows, n_columns = panel.shape
    scale = PANEL / max(n_rows, n_columns)
    size = max(1, round(n_columns * scale)), max(1, round(n_rows * scale))
    image = Image.fromarray(panel).resize(size, Image.Resampling.LANCZOS)
    out = Image.new("L", (PANEL, PANEL), 255)
    out.paste(image, ((PANEL - size[0]) // 2, (PANEL - size[1]) // 2))
    return out


if __name__ == "__main__":
    main()
