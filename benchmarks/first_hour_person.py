"""Somebody at the pages in the first hour, by script: a pointer, keys, and an eye for slices."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import FloatRect, Page, expect
from scipy import ndimage

from lithoscope_pipeline.geometry import LabelVolume
from lithoscope_pipeline.labels import SegmentClass
from lithoscope_pipeline.scribbles import ScriptedUser, perceive

PATIENCE_MS: Final = 1_200_000
#: Thin things are painted whole, with a brush of one voxel, and what lies beside them.
THIN: Final = (int(SegmentClass.DENDRITE), int(SegmentClass.PIT), int(SegmentClass.VOID))
_LETTERS: Final = dict(zip(SegmentClass, "BEFLDIV", strict=True))
_BRUSH: Final = 5
_EDGE_PX: Final = 2
_LONGEST_PX: Final = 80
_SHORTEST_PX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """A stroke of a class: from place to place, (row, column), along rows and columns."""

    value: int
    points: tuple[tuple[int, int], ...]
    brush: int


def seen(truth: LabelVolume, *, seed: int) -> LabelVolume:
    """Give what somebody believes a slice to show: faces are seen half a voxel off."""
    return perceive(truth, ScriptedUser(seed=seed))


def strokes_on(believed: LabelVolume, *, coverage: float, seed: int) -> list[Stroke]:
    """Choose strokes that stay within what somebody believes each class to be.

    Parameters
    ----------
    believed
        `SegmentClass` of a slice, shape (rows, columns).
    coverage
        Share of the slice that broad strokes may cover, and of the columns in which both sides
        of each edge are followed.
    seed
        Of where they lie.
    """
    rng = np.random.default_rng([seed, 5])
    thin = np.isin(believed, THIN)
    beside = ndimage.binary_dilation(thin, iterations=2) | _edges(believed, coverage, rng)
    found = [
        Stroke(value=int(value), points=points, brush=1)
        for value in np.unique(believed)
        for points in _filled(beside & (believed == value))
    ]
    painted = beside.copy()
    for value in np.unique(believed[~thin]):
        found += _broad(believed == value, painted, int(value), coverage, rng)
    return found


def corrections(answer: LabelVolume, believed: LabelVolume, *, n_most: int) -> list[Stroke]:
    """Choose strokes over the longest runs in which an answer is wrong."""
    wrong = ndimage.binary_opening(answer != believed, np.ones((2, 2), bool))
    found = [
        Stroke(value=int(value), points=points, brush=1)
        for value in np.unique(believed)
        for points in _filled(wrong & (believed == value))
    ]
    return sorted(found, key=lambda each: -_length_px(each))[:n_most]


def _edges(believed: LabelVolume, coverage: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Mark what lies beside the edges of classes in a stretch of columns."""
    n_columns = believed.shape[1]
    n_followed = round(coverage * n_columns)
    first = int(rng.integers(n_columns - n_followed + 1))
    stretch = slice(first, first + n_followed)
    edges = np.zeros(believed.shape, bool)
    edges[1:] = believed[1:] != believed[:-1]
    beside = np.zeros(believed.shape, bool)
    beside[:, stretch] = ndimage.binary_dilation(edges, np.ones((2 * _EDGE_PX + 1, 1), bool))[
        :, stretch
    ]
    return beside


def _broad(
    inside: NDArray[np.bool_],
    painted: NDArray[np.bool_],
    value: int,
    coverage: float,
    rng: np.random.Generator,
) -> list[Stroke]:
    """Lay strokes of a broad brush in a class until the share of it is covered."""
    reach = _BRUSH // 2
    row, column = np.indices((_BRUSH, _BRUSH)) - reach
    free = ndimage.binary_erosion(inside & ~painted, 4 * (row**2 + column**2) <= _BRUSH**2)
    found: list[Stroke] = []
    left_px = coverage * int(inside.sum())
    rows = rng.permutation(np.flatnonzero(free.any(axis=1)))
    for at in rows:
        runs = [each for each in _runs(free[at : at + 1]) if each[2] - each[1] >= _SHORTEST_PX]
        if left_px <= 0 or not runs:
            continue
        _, first, last = runs[rng.integers(len(runs))]
        left = int(rng.integers(first, max(last - _LONGEST_PX, first) + 1))
        right = min(last, left + _LONGEST_PX)
        ends = ((int(at), left), (int(at), right))
        found.append(Stroke(value=value, points=ends, brush=_BRUSH))
        free[max(at - reach, 0) : at + reach + 1, left : right + 1] = False
        left_px -= _BRUSH * (right - left + 1)
    return found


def _filled(mask: NDArray[np.bool_]) -> list[tuple[tuple[int, int], ...]]:
    """Fill what is true by lines that go down row by row without leaving it."""
    open_: list[tuple[tuple[int, int, int], list[tuple[int, int]]]] = []
    done: list[list[tuple[int, int]]] = []
    for row in range(len(mask)):
        before, open_ = open_, []
        for _, left, right in _runs(mask[row : row + 1]):
            above = next(
                (each for each in before if each[0][1] <= right and left <= each[0][2]), None
            )
            if above is None:
                points = [(row, left), (row, right)]
            else:
                before.remove(above)
                (_, first, last), points = above
                at = min(max(points[-1][1], left), right, last)
                at = max(at, first)
                far, near = (left, right) if right - at < at - left else (right, left)
                points += [(row - 1, at), (row, at), (row, near), (row, far)]
            open_.append(((row, left, right), points))
        done += [points for _, points in before]
    return [tuple(points) for points in (*done, *(each for _, each in open_))]


def _length_px(stroke: Stroke) -> int:
    pairs = pairwise(stroke.points)
    return sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in pairs)


def _runs(mask: NDArray[np.bool_]) -> Iterator[tuple[int, int, int]]:
    """Give row, first and last column of each run of true pixels along a row."""
    edges = np.diff(np.pad(mask.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    rows, lefts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    for row, left, end in zip(rows, lefts, ends, strict=True):
        yield int(row), int(left), int(end) - 1


class Painter:
    """Paints on the Labels page with a pointer.

    Parameters
    ----------
    page, url
        A tab, and the address of the instance.
    shape
        Rows and columns of a slice.
    """

    def __init__(self, page: Page, url: str, shape: tuple[int, int]) -> None:
        self._page = page
        self._shape = shape
        self._round = 1
        page.set_default_timeout(PATIENCE_MS)
        expect.set_options(timeout=PATIENCE_MS)
        page.goto(f"{url}labels")
        page.locator("canvas[data-painted]").wait_for()
        page.fill("#painter", "Ada")
        page.locator("#painter").press("Tab")

    def go_to(self, scan: int, z: int) -> None:
        """Look at a slice."""
        page = self._page
        if page.locator("#labels-scan").input_value() != str(scan):
            page.locator("#labels-scan").select_option(str(scan))
            expect(page.locator("#labels-place")).to_contain_text(f"scan {scan} ")
            self._round = 1
        self._set("#labels-slice", z)
        painted = f"canvas[data-painted='z/{z}/{self._round}'][data-index='{z}']"
        page.locator(painted).wait_for()

    def paint(self, strokes: Sequence[Stroke]) -> None:
        """Paint strokes, and wait until they are stored."""
        if not strokes:
            return
        page = self._page
        brush = None
        frame = page.locator("#labels-viewer canvas").bounding_box()
        if frame is None:
            raise RuntimeError("the slice is not on the page")
        for each in strokes:
            if each.brush != brush:
                brush = each.brush
                self._set("#brush", brush)
            page.keyboard.press(_LETTERS[SegmentClass(each.value)].lower())
            page.mouse.move(*self._at(frame, *each.points[0]))
            page.mouse.down()
            for place in each.points[1:]:
                page.mouse.move(*self._at(frame, *place))
            page.mouse.up()
        self.wait_until_stored()

    def wait_until_stored(self) -> None:
        """Wait for the word that all strokes are on the disk."""
        expect(self._page.locator("#labels-saved")).to_have_text("All strokes are stored.")

    def wait_for_answer(self) -> None:
        """Wait until a forest that has seen all strokes answers; painted slices come first."""
        self._page.locator("#labels-answer[data-fresh=yes]:not([data-token=''])").wait_for()

    def begin_round(self) -> None:
        """Begin the second round on this scan, unless it is begun: corrections on the answer."""
        if self._round == 1:
            self._page.locator("#next-round").click()
            self._round = 2
            expect(self._page.locator("#round")).to_have_text("Round 2")

    def fine_tune(self, n_steps: int) -> None:
        """Press the button, and wait until the page compares before and after."""
        page = self._page
        page.fill("#fine-tune-steps", str(n_steps))
        page.locator("#fine-tune").click()
        page.locator("#labels-network[data-status=learning]").wait_for()
        page.locator("#labels-network:is([data-status=done], [data-status=failed])").wait_for()

    def _set(self, selector: str, value: int) -> None:
        self._page.locator(selector).evaluate(
            "(each, value) => { each.value = value; each.dispatchEvent(new Event('input')); }",
            value,
        )

    def _at(self, frame: FloatRect, row: int, column: int) -> tuple[float, float]:
        rows, columns = self._shape
        x, y, width, height = frame["x"], frame["y"], frame["width"], frame["height"]
        scale = min(width / columns, height / rows)
        at_x = x + width / 2 + (column + 0.5 - columns / 2) * scale
        return at_x, y + height / 2 + (row + 0.5 - rows / 2) * scale
