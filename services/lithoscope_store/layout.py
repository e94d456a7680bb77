"""Where everything lies: the one place that knows the names of files and folders."""

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lithoscope_messages import SYSTEM_JOURNAL
from lithoscope_store.durable import make_directory, write_atomic
from lithoscope_store.errors import StoreFormatError, UnsafePathError

#: Raised when what is on disk changes; a newer one is refused, an older one migrated on a copy.
FORMAT_VERSION = 1
_KEY_CHARACTERS = 8
_EXPERIMENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_RELATIVE_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


@dataclass(frozen=True, slots=True)
class ExperimentPaths:
    """Files and folders of one experiment; nothing is touched by asking for a path."""

    root: Path

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return self.root.name

    @property
    def format_file(self) -> Path:
        """The version of the format."""
        return self.root / "format.json"

    @property
    def journal(self) -> Path:
        """The facts."""
        return self.root / "journal.sqlite"

    @property
    def lock(self) -> Path:
        """Held by the one instance that writes here."""
        return self.root / ".lock"

    @property
    def electrochemistry(self) -> Path:
        """Samples of the cycler."""
        return self.root / "electrochemistry.zarr"

    @property
    def documents(self) -> Path:
        """Bluesky documents as they came, one a line."""
        return self.root / "documents.jsonl"

    @property
    def truth(self) -> Path:
        """Truth of a simulated experiment."""
        return self.root / "truth"

    @property
    def manifest(self) -> Path:
        """Checksums of all files, written when the experiment is sealed."""
        return self.root / "manifest.sha256"

    def frames(self, scan: int, tile: int) -> Path:
        """Projections, darks and flats of one tile."""
        return self.root / "frames" / f"{scan:04d}" / f"{tile}.zarr"

    def index(self, scan: int, tile: int) -> Path:
        """One record for each frame of a tile that is on disk."""
        return self.root / "frames" / f"{scan:04d}" / f"{tile}.index"

    def tally(self, scan: int) -> Path:
        """File in which frames that were not stored are counted while a scan runs."""
        return self.root / "frames" / f"{scan:04d}" / "tally.json"

    def tiles(self, scan: int) -> tuple[int, ...]:
        """Tiles of a scan that have an index."""
        found = (self.root / "frames" / f"{scan:04d}").glob("*.index")
        return tuple(sorted(int(path.stem) for path in found if path.stem.isdecimal()))

    def reconstruction(self, scan: int, key: str) -> Path:
        """Volume of a scan in its own frame."""
        return self.root / "reconstructions" / _keyed(scan, key)

    def volume(self, scan: int, key: str) -> Path:
        """Volume of a scan in the reference frame, labels inside it."""
        return self.root / "volumes" / _keyed(scan, key)

    def maps(self, scan: int, key: str) -> Path:
        """In-plane and cross-section maps of a scan."""
        return self.root / "maps" / _keyed(scan, key)

    def objects(self, scan: int, key: str) -> Path:
        """Dendrites and pits of a scan."""
        return self.root / "objects" / f"{scan:04d}-{key[:_KEY_CHARACTERS]}.json"

    def meshes(self, scan: int, labels_key: str) -> Path:
        """Surfaces of the classes of a scan; the key is that of its labels."""
        return self.root / "meshes" / f"{scan:04d}-{labels_key[:_KEY_CHARACTERS]}"

    def picture(self, scan: int, key: str) -> Path:
        """Picture of a scan, for people."""
        return self.root / "pictures" / f"{scan:04d}-{key[:_KEY_CHARACTERS]}.png"

    def relative(self, path: Path) -> str:
        """Write a path as it stands in facts: below the experiment, with slashes.

        Raises
        ------
        UnsafePathError
            If it lies elsewhere, or has a part that facts do not allow.
        """
        try:
            text = path.relative_to(self.root).as_posix()
        except ValueError as error:
            raise UnsafePathError(f"{path} does not lie in {self.root}") from error
        _check_relative(text)
        return text

    def resolve(self, relative: str) -> Path:
        """Find the file that a fact names; it need not exist.

        Raises
        ------
        UnsafePathError
            If it would leave the experiment, or if a part of it is a symlink.
        """
        _check_relative(relative)
        path = self.root
        for part in ("", *PurePosixPath(relative).parts):
            path = path / part
            if path.is_symlink():
                raise UnsafePathError(f"{path} is a symlink; replace it by what it points to")
        return path

    def create(self) -> None:
        """Make the folder with its format version, or check that of the one that is there.

        Raises
        ------
        StoreFormatError
            If a newer version has written it.
        """
        make_directory(self.root)
        if self.format_file.exists():
            self.check_format()
        else:
            text = json.dumps({"format_version": FORMAT_VERSION})
            write_atomic(self.format_file, f"{text}\n".encode())

    def check_format(self) -> None:
        """Refuse an experiment that this version cannot read.

        Raises
        ------
        StoreFormatError
            If a newer version has written it, or if it is no experiment.
        """
        try:
            version = json.loads(self.format_file.read_text())["format_version"]
        except FileNotFoundError as error:
            raise StoreFormatError(
                f"{self.root} is no experiment: it has no format.json; check --store and the name"
            ) from error
        except (ValueError, KeyError, TypeError) as error:
            raise StoreFormatError(
                f"{self.format_file} cannot be read: {error}; restore it from a copy"
            ) from error
        check_format_version(version, self.format_file)


class Store:
    """The folder that holds all experiments of an instance.

    Parameters
    ----------
    root
        The folder; it need not exist. It may be reached over a symlink, what is in it may not.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root).resolve()

    @property
    def instances(self) -> Path:
        """Where running instances say that they run."""
        return self.root / ".lithoscope" / "instances"

    @property
    def system_journal(self) -> Path:
        """Facts about the instance itself."""
        return self.root / ".lithoscope" / "system.sqlite"

    @property
    def accounts(self) -> Path:
        """Who may sign in to the page."""
        return self.root / ".lithoscope" / "accounts.json"

    @property
    def page_secret(self) -> Path:
        """What sessions of the page are signed with."""
        return self.root / ".lithoscope" / "page.secret"

    @property
    def unfinished(self) -> "Store":
        """Where experiments are made that nobody shall see before they are whole."""
        return Store(self.root / ".lithoscope" / "unfinished")

    def experiment(self, name: str) -> ExperimentPaths:
        """Paths of an experiment, whether it exists or not.

        Raises
        ------
        UnsafePathError
            If the name is none that a folder may have.
        """
        if not _EXPERIMENT_NAME.fullmatch(name) or name == SYSTEM_JOURNAL:
            raise UnsafePathError(
                f"{name!r} cannot name an experiment; take 1 to 64 letters, digits, '.', '_' or "
                f"'-', not beginning with a sign, and not {SYSTEM_JOURNAL!r}"
            )
        return ExperimentPaths(self.root / name)

    def journal(self, name: str) -> Path:
        """Journal file of an experiment, or of the instance for the name ``system``."""
        return self.system_journal if name == SYSTEM_JOURNAL else self.experiment(name).journal

    def experiments(self) -> list[str]:
        """Names of all experiments, in order; links and hidden folders are none."""
        if not self.root.is_dir():
            return []
        return sorted(
            path.name
            for path in self.root.iterdir()
            if _EXPERIMENT_NAME.fullmatch(path.name)
            and not path.is_symlink()
            and (path / "format.json").is_file()
        )


def is_plain_name(name: str) -> bool:
    """Whether a name can stand between the slashes of a path that facts carry."""
    return bool(_RELATIVE_PATH.fullmatch(name)) and "/" not in name


def check_format_version(version: object, path: Path) -> None:
    """Refuse what a newer version has written.

    Raises
    ------
    StoreFormatError
        If ``version`` is newer than :data:`FORMAT_VERSION`, or no version at all.
    """
    if not isinstance(version, int) or version < 1:
        raise StoreFormatError(f"{path} has no valid format_version: {version!r}")
    if version > FORMAT_VERSION:
        raise StoreFormatError(
            f"{path} has format_version {version}, this program knows up to {FORMAT_VERSION}; "
            "install a newer lithoscope"
        )


def _keyed(scan: int, key: str) -> str:
    return f"{scan:04d}-{key[:_KEY_CHARACTERS]}.zarr"


def _check_relative(text: str) -> None:
    if not _RELATIVE_PATH.fullmatch(text):
        raise UnsafePathError(
            f"{text!r} is no path below an experiment: plain names between slashes, none of "
            "which begins with a dot"
        )
