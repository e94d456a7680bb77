"""A random forest from scribbles: grown by scikit-learn, kept and applied as plain arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lithoscope_pipeline.errors import MissingLibraryError, ParameterError, ShapeError
from lithoscope_pipeline.geometry import FloatImage, LabelVolume
from lithoscope_pipeline.labels import UNLABELLED
from lithoscope_pipeline.scribbles.features import (
    SIGMAS_PX,
    Features,
    feature_names,
    reach_px,
    slice_features,
)

LEAF: Final = -1
_LEAST_SHARE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ForestParameters:
    """How a forest is grown.

    Parameters
    ----------
    sigmas_px
        Scales of the features, in pixels.
    n_trees, min_leaf
        Trees, and labelled pixels in each leaf at least.
    max_pixels
        Of more labelled pixels about so many are drawn, in the proportions that were painted, but
        of no class less than a twentieth: a forest gains little from further neighbours, and a
        person waits for it. Even shares would make rare classes too large at their faces.
    seed
        Makes every random choice.
    """

    sigmas_px: tuple[float, ...] = SIGMAS_PX
    n_trees: int = 30
    min_leaf: int = 3
    max_pixels: int = 10_000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Forest:
    """Decision trees, one after the other in flat arrays.

    Parameters
    ----------
    classes
        Value of the labels of each class, rising, shape (classes,), uint8.
    sigmas_px
        Scales of the features, in pixels.
    roots
        First node of each tree, shape (trees,), int32.
    feature
        Feature that a node asks for, or `LEAF`, shape (nodes,), int32.
    threshold
        A node goes on at ``below`` if its feature is at most this, else at ``above``, float64.
    below, above
        Next nodes, int32; always later ones, so that every walk ends.
    shares
        Share of each class in a node, shape (nodes, classes), float32.
    """

    classes: NDArray[np.uint8]
    sigmas_px: tuple[float, ...]
    roots: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float64]
    below: NDArray[np.int32]
    above: NDArray[np.int32]
    shares: NDArray[np.float32]

    def check(self) -> None:
        """Raise `ParameterError` unless applying it ends and stays inside its arrays."""
        n_nodes, n_classes = len(self.feature), len(self.classes)
        inner = np.flatnonzero(self.feature != LEAF)
        fits = (
            len(self.roots) > 0
            and n_classes > 1
            and all(0 < sigma <= 100 for sigma in self.sigmas_px)
            and self.shares.shape == (n_nodes, n_classes)
            and all(len(each) == n_nodes for each in (self.threshold, self.below, self.above))
            and bool(np.all((self.roots >= 0) & (self.roots < n_nodes)))
            and bool(np.all(self.feature >= LEAF))
            and bool(np.all(self.feature < len(feature_names(self.sigmas_px))))
            and bool(np.all((self.below[inner] > inner) & (self.below[inner] < n_nodes)))
            and bool(np.all((self.above[inner] > inner) & (self.above[inner] < n_nodes)))
            and bool(np.isfinite(self.threshold[inner]).all() and np.isfinite(self.shares).all())
        )
        if not fits:
            raise ParameterError("these arrays are no forest; train it again from the labels")


def train_forest(
    slices: Sequence[FloatImage],
    labels: Sequence[LabelVolume],
    parameters: ForestParameters | None = None,
) -> Forest:
    """Grow a forest on the labelled pixels of some slices.

    Parameters
    ----------
    slices
        Grey values, each of shape (rows, columns), finite.
    labels
        Class of each pixel, the same shapes, uint8; `UNLABELLED` where nobody painted.
    parameters
        How it is grown.

    Returns
    -------
    Forest
        The same bytes for the same input, seed and version of scikit-learn.

    Raises
    ------
    ShapeError
        If slices and labels do not fit together.
    ParameterError
        If fewer than two classes are labelled.
    MissingLibraryError
        If scikit-learn is not installed.

    References
    ----------
    .. [1] L. Breiman, Mach. Learn. 45, 5 (2001). doi:10.1023/A:1010933404324
    """
    chosen = parameters or ForestParameters()
    if len(slices) != len(labels) or any(
        grey.shape != painted.shape for grey, painted in zip(slices, labels, strict=False)
    ):
        raise ShapeError("slices and labels differ in number or shape; give labels of the slices")
    x, y = _labelled(slices, labels, chosen)
    if len(np.unique(y)) < 2:
        raise ParameterError(f"{len(np.unique(y))} classes are labelled; paint two or more")
    return _flattened(_grown(x, y, chosen), chosen)


def predict_slice(forest: Forest, slice_: FloatImage, *, band_rows: int = 256) -> Features:
    """Give the probability of each class in each pixel.

    Features are made for bands of rows, with as many more around as they look at: the bytes do
    not depend on ``band_rows``, the memory does.

    Parameters
    ----------
    forest
        A forest that was checked.
    slice_
        Grey values, shape (rows, columns), finite, scaled as those it was trained on.
    band_rows
        Rows at a time.

    Returns
    -------
    Features
        Shape (rows, columns, classes), float32, adding up to 1.
    """
    n_rows, n_columns = slice_.shape
    margin = reach_px(forest.sigmas_px)
    out = np.empty((n_rows, n_columns, len(forest.classes)), np.float32)
    for first in range(0, n_rows, band_rows):
        stop = min(first + band_rows, n_rows)
        low, high = max(first - margin, 0), min(stop + margin, n_rows)
        features = slice_features(slice_[low:high], forest.sigmas_px)[first - low : stop - low]
        rows = np.ascontiguousarray(features.reshape(-1, features.shape[-1]))
        shares = _walk(
            rows,
            forest.roots,
            forest.feature,
            forest.threshold,
            forest.below,
            forest.above,
            forest.shares,
        )
        out[first:stop] = shares.reshape(stop - first, n_columns, -1)
    return out


def label_slice(forest: Forest, slice_: FloatImage) -> LabelVolume:
    """Give the most probable class of each pixel, shape of the slice, uint8."""
    best = predict_slice(forest, slice_).argmax(axis=-1)
    return np.asarray(forest.classes[best])


def _labelled(
    slices: Sequence[FloatImage], labels: Sequence[LabelVolume], chosen: ForestParameters
) -> tuple[Features, NDArray[np.uint8]]:
    """Draw labelled pixels in the proportions that were painted."""
    rng = np.random.default_rng(chosen.seed)
    painted = (
        np.concatenate([each.ravel() for each in labels]) if labels else np.zeros(0, np.uint8)
    )
    counts = np.bincount(painted, minlength=UNLABELLED + 1)[:UNLABELLED]
    kept = min(chosen.max_pixels / max(int(counts.sum()), 1), 1.0)
    taken = np.zeros(painted.size, bool)
    for class_ in np.flatnonzero(counts):
        places = np.flatnonzero(painted == class_)
        n_taken = max(round(kept * len(places)), round(_LEAST_SHARE * chosen.max_pixels))
        taken[rng.permutation(places)[:n_taken]] = True
    x, first = [], 0
    for grey in slices:
        here = taken[first : first + grey.size].reshape(grey.shape)
        first += grey.size
        if here.any():
            x.append(slice_features(grey, chosen.sigmas_px)[here])
    n_features = len(feature_names(chosen.sigmas_px))
    return (np.concatenate(x) if x else np.zeros((0, n_features), np.float32)), painted[taken]


def _grown(x: Features, y: NDArray[np.uint8], chosen: ForestParameters) -> Any:  # untyped
    try:
        from sklearn.ensemble import RandomForestClassifier
    except ImportError as error:
        raise MissingLibraryError(
            "growing a forest needs scikit-learn; pip install 'lithoscope[labels]'"
        ) from error
    return RandomForestClassifier(
        n_estimators=chosen.n_trees,
        min_samples_leaf=chosen.min_leaf,
        random_state=chosen.seed,
        n_jobs=1,
    ).fit(x, y)


def _flattened(grown: Any, chosen: ForestParameters) -> Forest:  # scikit-learn has no types
    trees = [each.tree_ for each in grown.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1].astype(np.int32)
    shares = np.concatenate([tree.value[:, 0, :] for tree in trees])
    feature = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
    return Forest(
        classes=grown.classes_.astype(np.uint8),
        sigmas_px=chosen.sigmas_px,
        roots=roots,
        feature=np.where(feature < 0, LEAF, feature).astype(np.int32),
        threshold=np.concatenate([tree.threshold for tree in trees]),
        below=_moved([tree.children_left for tree in trees], roots),
        above=_moved([tree.children_right for tree in trees], roots),
        shares=(shares / shares.sum(axis=1, keepdims=True)).astype(np.float32),
    )


def _moved(children: list[NDArray[np.intp]], roots: NDArray[np.int32]) -> NDArray[np.int32]:
    moved = [
        np.where(each < 0, LEAF, each + root) for each, root in zip(children, roots, strict=True)
    ]
    return np.concatenate(moved).astype(np.int32)


@njit(cache=True, nogil=True)
def _walk(
    rows: Features,
    roots: NDArray[np.int32],
    feature: NDArray[np.int32],
    threshold: NDArray[np.float64],
    below: NDArray[np.int32],
    above: NDArray[np.int32],
    shares: NDArray[np.float32],
) -> Features:
    n_classes = shares.shape[1]
    out = np.zeros((rows.shape[0], n_classes), np.float32)
    for row in range(rows.shape[0]):
        for tree in range(roots.shape[0]):
            node = roots[tree]
            while feature[node] >= 0:
                is_below = rows[row, feature[node]] <= threshold[node]
                node = below[node] if is_below else above[node]
            for class_ in range(n_classes):
                out[row, class_] += shares[node, class_]
        for class_ in range(n_classes):
            out[row, class_] /= roots.shape[0]
    return out
