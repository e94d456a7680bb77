"""Following the scan that runs: its frames are taken from disk as they come, in short steps."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lithoscope_messages import ReconstructionPreview
from lithoscope_pipeline.correct import Correction
from lithoscope_pipeline.errors import AngularRangeError
from lithoscope_pipeline.geometry import Angles, field_axis_px
from lithoscope_pipeline.rotation_axis import find_rotation_axis
from lithoscope_services.free_memory import free_host_bytes
from lithoscope_services.stage import Step
from lithoscope_services.stages.reconstruct import preview as previews
from lithoscope_services.stages.reconstruct.axis import AxisBefore, upright_axis
from lithoscope_services.stages.reconstruct.backend import choice_of, is_live
from lithoscope_services.stages.reconstruct.early import EarlyParameters, EarlyTile
from lithoscope_services.stages.reconstruct.preview import Preview, PreviewAxis
from lithoscope_services.stages.reconstruct.tile_scan import (
    TileScan,
    beam_keys,
    correction_of,
    thetas_rad_of,
)
from lithoscope_store import FrameReader, NotStoredError, Store

#: After this long a step looks whether a task has come; what is under way takes less than 0.1 s.
STEP_S: Final = 0.15
PREVIEW_EVERY_S: Final = 1.0
#: Flats that are late are waited for until this share of the projections is there.
_LATE_SHARE: Final = 0.25
_READ_BYTES: Final = 2**26
NOTHING_BEGUN: Final = "nothing of it was begun before its last projection"


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """The running scan, from what :func:`~.plan.watched_scan` says of it."""

    experiment: str
    scan: int
    is_tiled: bool
    n_views: int
    n_beam_frames: int
    frame_shape: tuple[int, int]
    parameters: dict[str, Any]  # JSON
    memory_share: float
    angles_of: int | None
    batch_reason: str

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Watched":  # JSON
        """Read what the plan has said."""
        counts = [(each["kind"], each["tile"], each["count"]) for each in said["expected"]]
        first = min((tile for _, tile, _ in counts), default=0)
        rows, columns = said["frame_shape"]
        return cls(
            experiment=said["experiment"],
            scan=said["scan"],
            is_tiled=len({tile for _, tile, _ in counts}) > 1,
            n_views=sum(n for kind, tile, n in counts if tile == first and kind == "projection"),
            n_beam_frames=sum(
                n for kind, tile, n in counts if tile == first and kind != "projection"
            ),
            frame_shape=(rows, columns),
            parameters=said["parameters"],
            memory_share=said["memory_share"],
            angles_of=said["angles_of"],
            batch_reason=said["batch_reason"],
        )

    @property
    def axis_before(self) -> AxisBefore | None:
        """The axis of its first tile in an earlier scan."""
        return AxisBefore.of(self.parameters["axes_before"].get("0"))

    @property
    def axis(self) -> PreviewAxis:
        """Where the axis is taken to be before anything is seen."""
        before = self.axis_before
        if self.parameters["rotation_axis_px"] is not None:
            return PreviewAxis(position_px=self.parameters["rotation_axis_px"], source="given")
        if before is not None:
            return PreviewAxis(position_px=before.position_px, source="scan_before")
        return PreviewAxis(
            position_px=field_axis_px(self.frame_shape[1]), source="detector_centre"
        )


class LiveScan:
    """What is begun of the running scan, and its preview; all of it may be lost."""

    def __init__(self) -> None:
        self._watched: Watched | None = None
        self._store = Store(Path())
        self._frames: FrameReader | None = None
        self._there: NDArray[np.int64] = np.empty(0, np.int64)
        self._thetas_rad: Angles = np.empty(0)
        self._early: EarlyTile | None = None
        self._reason = ""
        self._preview: Preview | None = None
        self._shown_views = 0
        self._shown_s = 0.0
        self._next_search = 0
        self._is_over = True

    def follow(self, said: Mapping[str, Any] | None, store_root: str) -> None:  # JSON
        """Follow another scan, or know more of the same one, or none."""
        if said is None:
            self._early, self._is_over = None, True
            return
        watched, known = Watched.of(said), self._watched
        self._store = Store(Path(store_root))
        is_same = known is not None and (known.experiment, known.scan) == (
            watched.experiment,
            watched.scan,
        )
        if watched == known:
            return
        self._watched, self._is_over = watched, False
        self._early, self._reason = None, watched.batch_reason
        if not is_same:
            self._frames = None
            self._begin_preview(known, watched)
        elif self._preview is not None and self._preview.axis.source != "found":
            self._preview.set_axis(watched.axis)

    def abandon(self, reason: str) -> None:
        """Forget what was begun."""
        self._early, self._reason, self._is_over = None, reason, True
        self._preview = None

    def step(self) -> Step:
        """Do some of what has come."""
        watched = self._watched
        if watched is None or self._is_over or not self._refresh(watched):
            return Step()
        until_s = time.monotonic() + STEP_S
        is_idle = False
        while not is_idle and time.monotonic() < until_s:
            is_idle = not (self._refine(watched) or self._add(watched))
        shown = self._show(watched)
        return Step(messages=() if shown is None else (shown,), is_idle=is_idle)

    def claim(
        self, experiment: str, scan: int, parameters: Mapping[str, Any], tile: TileScan
    ) -> tuple[EarlyTile | None, str]:
        """Hand over what was begun of a scan, or say why there is nothing to be used.

        Parameters
        ----------
        experiment, scan
            Which scan.
        parameters
            Of its task.
        tile
            Its frames, now that all are there.
        """
        watched = self._watched
        if watched is None or (watched.experiment, watched.scan) != (experiment, scan):
            return None, NOTHING_BEGUN
        early, reason = self._early, self._reason
        self._early, self._is_over = None, True
        if early is None or reason:
            return None, reason or NOTHING_BEGUN
        lacking = watched.n_views - tile.indices.size
        if lacking:
            return None, f"{lacking} of its projections are missing or too dark"
        if watched.parameters != parameters:
            return None, "it was begun with other settings"
        if not np.array_equal(tile.thetas_rad, early.parameters.thetas_rad):
            return None, _other_angles(watched)
        if tile.beam_keys != early.tile.beam_keys:
            return None, "flats or darks came after its projections"
        early.tile.frames.refresh()
        return (early, "") if early.n_views_added else (None, NOTHING_BEGUN)

    def _begin_preview(self, known: Watched | None, watched: Watched) -> None:
        is_alike = known is not None and (
            (known.experiment, known.n_views, known.frame_shape)
            == (watched.experiment, watched.n_views, watched.frame_shape)
        )
        if self._preview is None or not is_alike:
            self._preview = Preview(
                watched.n_views,
                watched.frame_shape,
                watched.parameters["voxel_um"],
                watched.axis,
            )
        else:
            self._preview.begin_scan()
            if watched.axis.source != "detector_centre":
                self._preview.set_axis(watched.axis)
        self._shown_views, self._next_search = 0, watched.n_views // 4

    def _refresh(self, watched: Watched) -> bool:
        """Look what has come; False if there is nothing at all yet."""
        if self._frames is None:
            paths = self._store.experiment(watched.experiment)
            tiles = paths.tiles(watched.scan)
            if not tiles:
                return False
            try:
                self._frames = FrameReader(paths, watched.scan, tiles[0])
            except NotStoredError:
                return False
        else:
            self._frames.refresh()
        there = self._frames.indices("projection")
        self._there = there[there < watched.n_views]
        edge_on_deg = watched.parameters["edge_on_deg"]
        self._thetas_rad = thetas_rad_of(self._frames, self._there, edge_on_deg)
        return True

    def _has_beam(self, watched: Watched, frames: FrameReader) -> bool:
        """Whether the flats and darks are there, or are waited for no longer."""
        if not frames.sets("flat") or not frames.sets("dark"):
            return False
        n_views = self._there.size
        n_beam_frames = len(beam_keys(frames))
        return n_beam_frames >= watched.n_beam_frames or n_views > _LATE_SHARE * watched.n_views

    def _refine(self, watched: Watched) -> bool:
        """Put some projections into the preview; False if there is nothing to put."""
        frames, preview = self._frames, self._preview
        if frames is None or preview is None or not watched.n_views:
            return False
        if not preview.has_beam:
            if not self._has_beam(watched, frames):
                return False
            phase = correction_of(watched.parameters["correction"]).phase
            if phase is not None:
                phase = replace(phase, voxel_um=phase.voxel_um * preview.binning)
            flats = frames.read("flat", frames.sets("flat")[0])
            darks = frames.read("dark", frames.sets("dark")[0])
            preview.set_beam(flats, darks, Correction(flats="before", phase=phase))
            return True
        if not preview.is_settled:
            preview.settle()
            return True
        frame_bytes = 2 * watched.frame_shape[0] * watched.frame_shape[1]
        n_at_once = max(1, min(previews.VIEWS_AT_ONCE, _READ_BYTES // frame_bytes))
        is_new = ~preview.is_new[self._there] & np.isfinite(self._thetas_rad)
        places = np.flatnonzero(is_new)[:n_at_once]
        if places.size == 0:
            return self._search_axis(preview)
        new = self._there[places]
        preview.put(new, self._thetas_rad[places], frames.read("projection", indices=new))
        return True

    def _search_axis(self, preview: Preview) -> bool:
        """Look for an axis that nobody knows, each time there is a quarter more to see."""
        if preview.axis.source != "detector_centre" or preview.n_new < self._next_search:
            return False
        later = preview.n_new + max(1, preview.n_views // 4)
        # The last view counts most: a linear scan shows its axis only then.
        is_last = preview.n_new >= preview.n_views
        self._next_search = later if is_last else min(later, preview.n_views)
        views, thetas_rad = preview.new_views()
        try:
            found = find_rotation_axis(views, thetas_rad, is_quick=True)
        except AngularRangeError:
            return False  # no two views half a turn apart yet
        # Nothing is measured in a preview: with all views, a doubtful axis is better than none.
        if found.verdict == "resolved" or (is_last and found.verdict == "ambiguous"):
            position_px = preview.full_axis_px(found.position_px)
            preview.set_axis(PreviewAxis(position_px=position_px, source="found"))
            self._shown_views = 0  # the same views are to be shown about the new axis
        return True

    def _add(self, watched: Watched) -> bool:
        """Add some projections to a slab; False if there is nothing to add."""
        frames = self._frames
        if frames is None or self._reason or watched.is_tiled:
            return False
        if self._early is None:
            if not self._has_beam(watched, frames):
                return False
            self._begin(watched, frames)
            return True
        n_there = int(np.count_nonzero(self._there == np.arange(self._there.size)))
        expected = self._early.parameters.thetas_rad[:n_there]
        if not np.array_equal(self._thetas_rad[:n_there], expected):
            self._early, self._reason = None, _other_angles(watched)
            return False
        return self._early.advance(n_there)

    def _begin(self, watched: Watched, frames: FrameReader) -> None:
        parameters = watched.parameters
        choice = choice_of(parameters)
        if watched.angles_of is None or not is_live(choice):
            self._reason = f"the backend {choice.backend.name} takes whole scans"
            return
        before = FrameReader(
            self._store.experiment(watched.experiment), watched.angles_of, frames.tile
        )
        indices = before.indices("projection")
        if indices.size != watched.n_views:
            self._reason = f"scan {watched.angles_of} does not tell all angles that were to come"
            return
        tile = TileScan.of(
            frames,
            correction_of(parameters["correction"]),
            edge_on_deg=parameters["edge_on_deg"],
            n_expected=watched.n_views,
        )
        tilt_deg = 0.0 if watched.axis_before is None else watched.axis_before.tilt_deg
        early = EarlyTile(
            tile,
            EarlyParameters(
                thetas_rad=thetas_rad_of(before, indices, parameters["edge_on_deg"]),
                axis=upright_axis(tile, watched.axis.position_px, tilt_deg),
                voxel_um=parameters["voxel_um"],
                extension=parameters["padding"],
                slab_rows=parameters["slab_rows"],
                budget_bytes=int(watched.memory_share * free_host_bytes()),
            ),
        )
        if early.n_begun:
            self._early = early
        else:
            self._reason = "there is not enough memory to begin a slab"

    def _show(self, watched: Watched) -> ReconstructionPreview | None:
        preview, now_s = self._preview, time.monotonic()
        if preview is None or preview.n_new == self._shown_views:
            return None
        if now_s - self._shown_s < PREVIEW_EVERY_S or not preview.is_settled:
            return None
        self._shown_views, self._shown_s = preview.n_new, now_s
        return preview.message(watched.experiment, watched.scan, time.time_ns())


def _other_angles(watched: Watched) -> str:
    return f"its angles are not those of scan {watched.angles_of}"
