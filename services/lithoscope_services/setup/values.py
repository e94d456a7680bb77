"""What a person is asked when an experiment is set up: one list for terminal and page."""

from dataclasses import dataclass
from typing import Any, Literal

from lithoscope_services.report import JsonObject
from lithoscope_services.settings import Settings

ValueKind = Literal["text", "number", "whole number", "choice"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupValue:
    """One value of the set-up.

    Parameters
    ----------
    name
        Of the option of ``lithoscope new``, without dashes in front; unique.
    key
        Of the settings; of ``first-plating-side`` that of the angle that it changes.
    question
        What is asked.
    unit
        Of the answer; empty for none.
    kind
        Of the answer.
    choices
        Of a choice.
    check
        What later looks whether it is true.
    """

    name: str
    key: str
    question: str
    unit: str = ""
    kind: ValueKind = "number"
    choices: tuple[str, ...] = ()
    check: str = ""

    @property
    def default(self) -> Any:  # as the settings have it
        """Value without an answer."""
        if self.choices:
            return self.choices[0]
        table, name = self.key.split(".")
        return getattr(getattr(Settings(), table), name)

    @property
    def help(self) -> str:
        """What the settings say of it."""
        table, name = self.key.split(".")
        field = type(getattr(Settings(), table)).model_fields[name]
        return str(field.description or "")

    def as_json(self) -> JsonObject:
        """Give all of it as JSON has it."""
        return {
            "name": self.name,
            "key": self.key,
            "question": self.question,
            "unit": self.unit,
            "kind": self.kind,
            "choices": list(self.choices),
            "default": self.default,
            "help": self.help,
            "check": self.check,
        }

    def parse(self, text: str) -> Any:  # as the settings have it
        """Read an answer.

        Raises
        ------
        ValueError
            If it is none; the text says what was expected.
        """
        try:
            match self.kind:
                case "number":
                    return float(text)
                case "whole number":
                    return int(text)
        except ValueError:
            raise ValueError(f"{text!r} is no {self.kind}") from None
        if self.choices and text not in self.choices:
            raise ValueError(f"{text!r} is none of {', '.join(self.choices)}")
        return text


SETUP_VALUES: tuple[SetupValue, ...] = (
    SetupValue(
        name="sample",
        key="experiment.sample",
        question="Name of the cell, for people",
        kind="text",
    ),
    SetupValue(
        name="scans",
        key="experiment.n_scans",
        question="Scans planned",
        kind="whole number",
        check="test-scan: disk",
    ),
    SetupValue(
        name="voxel-um",
        key="scan.voxel_size_um",
        question="Detector pixel in the plane of the sample",
        unit="µm",
        check="test-scan: pixel size",
    ),
    SetupValue(
        name="stack-um",
        key="experiment.stack_thickness_um",
        question="Distance of the electrodes' outer faces before cycling, by a gauge",
        unit="µm",
        check="test-scan: pixel size",
    ),
    SetupValue(
        name="energy-kev",
        key="scan.energy_keV",
        question="Photon energy",
        unit="keV",
    ),
    SetupValue(
        name="distance-mm",
        key="scan.distance_mm",
        question="Sample to detector",
        unit="mm",
    ),
    SetupValue(
        name="edge-on-deg",
        key="experiment.edge_on_deg",
        question="Stage angle at which the beam runs along the electrode planes",
        unit="degrees",
        check="test-scan: alignment",
    ),
    SetupValue(
        name="stationary-side",
        key="experiment.edge_on_deg",
        question="Electrode that does not move against the stage",
        kind="choice",
        choices=("stripping", "plating"),
    ),
    SetupValue(
        name="first-plating-side",
        key="experiment.edge_on_deg",
        question="Side of a slice, at that angle, that receives lithium first: high or low y",
        kind="choice",
        choices=("high", "low"),
        check="test-scan: sides",
    ),
    SetupValue(
        name="active-area-cm2",
        key="experiment.active_area_cm2",
        question="Electrode area of the whole cell",
        unit="cm²",
    ),
    SetupValue(
        name="current-sign",
        key="experiment.first_current_sign",
        question="Sign of the current in the first half-cycle, as the cycler writes it",
        kind="choice",
        choices=("1", "-1"),
        check="test-scan: sign of current",
    ),
    SetupValue(
        name="clock-offset-s",
        key="experiment.clock_offset_s",
        question="Seconds to add to the cycler's times; a marker pulse tells them",
        unit="s",
        check="test-scan: clock",
    ),
    SetupValue(
        name="tiles",
        key="scan.n_tiles",
        question="Vertical fields of view of a scan",
        kind="whole number",
        check="test-scan: tiles, disk",
    ),
    SetupValue(
        name="deadline-s",
        key="plan.verdict_timeout_s",
        question="Time from the last projection until the answer must be there",
        unit="s",
        check="test-scan: deadline",
    ),
    SetupValue(
        name="darks",
        key="source.n_darks",
        question="Darks before the projections of a scan",
        kind="whole number",
    ),
    SetupValue(
        name="flats",
        key="source.n_flats",
        question="Flats before the projections of a scan",
        kind="whole number",
    ),
    SetupValue(
        name="projections",
        key="source.n_projections",
        question="Projections of a scan",
        kind="whole number",
    ),
    SetupValue(
        name="flats-after",
        key="source.n_flats_after",
        question="Flats after the projections of a scan",
        kind="whole number",
    ),
    SetupValue(
        name="folder",
        key="source.folder",
        question="Folder into which scans, or the files of detectors, are written",
        kind="text",
    ),
)
