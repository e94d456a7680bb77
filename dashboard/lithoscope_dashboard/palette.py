"""Colours and names of the classes in label volumes, and colours of the page.

Colours are those of Okabe and Ito (2008), told apart by colour-blind people too; a letter and the
order through the cell stand beside them, so that nothing is said by colour alone.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelClass:
    """One class: its value in label volumes and how it is drawn.

    ``alpha`` (0..255) is its weight in the overlay at full opacity: what fills the picture is
    drawn thinner, so that the grey values stay visible.
    """

    value: int
    key: str
    name: str
    letter: str
    rgb: tuple[int, int, int]
    alpha: int

    @property
    def css(self) -> str:
        """The colour as style sheets write it."""
        return "#{:02x}{:02x}{:02x}".format(*self.rgb)


# Values as in docs: 0 is what does not belong to the cell.
CLASSES = (
    LabelClass(
        value=1,
        key="stripping_electrode",
        name="stripping electrode",
        letter="S",
        rgb=(0x00, 0x72, 0xB2),
        alpha=200,
    ),
    LabelClass(
        value=4,
        key="redeposited",
        name="redeposited",
        letter="R",
        rgb=(0x00, 0x9E, 0x73),
        alpha=230,
    ),
    LabelClass(value=6, key="pit", name="pit", letter="I", rgb=(0xCC, 0x79, 0xA7), alpha=230),
    LabelClass(
        value=7,
        key="electrolyte",
        name="electrolyte",
        letter="E",
        rgb=(0xF0, 0xE4, 0x42),
        alpha=70,
    ),
    LabelClass(
        value=5, key="dendrite", name="dendrite", letter="D", rgb=(0xD5, 0x5E, 0x00), alpha=255
    ),
    LabelClass(
        value=3, key="deposited", name="deposited", letter="L", rgb=(0xE6, 0x9F, 0x00), alpha=230
    ),
    LabelClass(
        value=2,
        key="plating_electrode",
        name="plating electrode",
        letter="P",
        rgb=(0x56, 0xB4, 0xE9),
        alpha=200,
    ),
    LabelClass(value=8, key="void", name="void", letter="V", rgb=(0xFF, 0xFF, 0xFF), alpha=200),
)
#: What people paint: the classes that networks tell apart.
PAINTED_CLASSES = (
    LabelClass(
        value=0,
        key="background",
        name="background",
        letter="B",
        rgb=(0x88, 0x88, 0x88),
        alpha=200,
    ),
    LabelClass(
        value=2,
        key="electrode",
        name="electrode",
        letter="F",
        rgb=(0x56, 0xB4, 0xE9),
        alpha=220,
    ),
    LabelClass(
        value=1,
        key="electrolyte",
        name="electrolyte",
        letter="E",
        rgb=(0xF0, 0xE4, 0x42),
        alpha=220,
    ),
    LabelClass(
        value=3, key="deposited", name="deposited", letter="L", rgb=(0xE6, 0x9F, 0x00), alpha=230
    ),
    LabelClass(
        value=4, key="dendrite", name="dendrite", letter="D", rgb=(0xD5, 0x5E, 0x00), alpha=255
    ),
    LabelClass(value=5, key="pit", name="pit", letter="I", rgb=(0xCC, 0x79, 0xA7), alpha=230),
    LabelClass(value=6, key="void", name="void", letter="V", rgb=(0xFF, 0xFF, 0xFF), alpha=220),
)
BY_KEY = {each.key: each for each in CLASSES}

GRID = "#263241"
TEXT = "#e8eef4"
MUTED = "#9fb0c0"
ALARM = "#ff6b5e"
WARN = "#e69f00"
