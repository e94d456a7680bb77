"""Errors of the store.

StoreError                              anything the store refuses or cannot do
├── StoreFormatError (ValueError)       written by a newer version, or by something else
├── UnsafePathError (ValueError)        a symlink, or a path that leaves its folder
├── UnsafeArrayError (ValueError)       an array whose metadata ask for what is not allowed
├── CorruptDataError (ValueError)       a checksum does not fit its bytes
├── WrongFrameError (ValueError)        a frame that does not belong into this tile
├── WrongVolumeError (ValueError)       a slab or a volume that does not fit its grid
├── ElectrochemistryError (ValueError)  samples with a gap, or that are no numbers
├── WrongJournalError (ValueError)      a message of another experiment
├── JournalSealedError (ValueError)     the experiment is over, nothing can be added
├── AccountError (ValueError)           a login, a password or their file that will not do
├── NotStoredError (LookupError)        nothing is stored under this name or key
├── StoreFullError (OSError)            no space left; nothing already stored is lost
└── LockedError (OSError)               somebody else works on this experiment
"""


class StoreError(Exception):
    """Anything that the store refuses or cannot do."""


class StoreFormatError(StoreError, ValueError):
    """The store was written by a newer version, or is none of ours."""


class UnsafePathError(StoreError, ValueError):
    """A path is a symlink, or leaves the folder that it belongs to."""


class UnsafeArrayError(StoreError, ValueError):
    """The metadata of an array ask for something that is not on the allow-list."""


class CorruptDataError(StoreError, ValueError):
    """A checksum does not fit the bytes it stands for."""


class WrongFrameError(StoreError, ValueError):
    """A frame does not belong into this tile, or not into this set."""


class WrongVolumeError(StoreError, ValueError):
    """A slab does not fit the grid of its volume."""


class ElectrochemistryError(StoreError, ValueError):
    """Samples leave a gap, go back in time or are no numbers."""


class WrongJournalError(StoreError, ValueError):
    """A message of another experiment was to be appended."""


class JournalSealedError(StoreError, ValueError):
    """The experiment is over: its journal takes nothing more."""


class NotStoredError(StoreError, LookupError):
    """Nothing is stored under this name or key."""


class StoreFullError(StoreError, OSError):
    """There is no space left; what had been stored before is untouched."""


class LockedError(StoreError, OSError):
    """Another process works on this experiment."""


class AccountError(StoreError, ValueError):
    """A login, a password or the file of them will not do."""
