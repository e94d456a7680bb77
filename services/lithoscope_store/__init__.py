"""What is on disk: layout, frames, volumes, journal file."""

from lithoscope_store.chain import (
    verify_chain,
)
from lithoscope_store.checksums import (
    array_sha256,
)
from lithoscope_store.discovery import (
    InstanceFile,
    find_instance,
    ipc_endpoint,
    remove_instance,
    runtime_directory,
    write_instance,
)
from lithoscope_store.electrochemistry import (
    Electrochemistry,
    ElectrochemistryWriter,
    read_electrochemistry,
)
from lithoscope_store.errors import (
    CorruptDataError,
    ElectrochemistryError,
    JournalSealedError,
    LockedError,
    NotStoredError,
    StoreError,
    StoreFormatError,
    StoreFullError,
    UnsafeArrayError,
    UnsafePathError,
    WrongFrameError,
    WrongJournalError,
    WrongVolumeError,
)
from lithoscope_store.frame_index import (
    FrameRecord,
)
from lithoscope_store.frame_reader import (
    FrameReader,
    frames_sha256,
)
from lithoscope_store.frame_store import (
    FrameWriter,
)
from lithoscope_store.journal_database import (
    JournalDatabase,
    JournalPage,
)
from lithoscope_store.journal_reading import (
    read_journal,
)
from lithoscope_store.layout import (
    FORMAT_VERSION,
    ExperimentPaths,
    Store,
)
from lithoscope_store.locks import (
    experiment_lock,
    lock_holder,
)
from lithoscope_store.manifest import (
    experiment_size,
    verify_manifest,
    write_manifest,
)
from lithoscope_store.maps import (
    Maps,
    read_maps,
    write_maps,
)
from lithoscope_store.ngff import (
    LabelClass,
)
from lithoscope_store.objects import (
    StoredObjects,
    read_objects,
    write_objects,
)
from lithoscope_store.prune import (
    Prunable,
    find_prunable,
    pruned_scans,
    remove_pruned,
)
from lithoscope_store.verify import (
    Finding,
    Verified,
    verify_experiment,
)
from lithoscope_store.volume_metadata import (
    VolumeInfo,
    label_classes,
    volume_info,
)
from lithoscope_store.volumes import (
    create_labels,
    create_volume,
    finish_volume,
    read_region,
    read_slab,
    write_slab,
)

__all__ = [
    "FORMAT_VERSION",
    "CorruptDataError",
    "Electrochemistry",
    "ElectrochemistryError",
    "ElectrochemistryWriter",
    "ExperimentPaths",
    "Finding",
    "FrameReader",
    "FrameRecord",
    "FrameWriter",
    "InstanceFile",
    "JournalDatabase",
    "JournalPage",
    "JournalSealedError",
    "LabelClass",
    "LockedError",
    "Maps",
    "NotStoredError",
    "Prunable",
    "Store",
    "StoreError",
    "StoreFormatError",
    "StoreFullError",
    "StoredObjects",
    "UnsafeArrayError",
    "UnsafePathError",
    "Verified",
    "VolumeInfo",
    "WrongFrameError",
    "WrongJournalError",
    "WrongVolumeError",
    "array_sha256",
    "create_labels",
    "create_volume",
    "experiment_lock",
    "experiment_size",
    "find_instance",
    "find_prunable",
    "finish_volume",
    "frames_sha256",
    "ipc_endpoint",
    "label_classes",
    "lock_holder",
    "pruned_scans",
    "read_electrochemistry",
    "read_journal",
    "read_maps",
    "read_objects",
    "read_region",
    "read_slab",
    "remove_instance",
    "remove_pruned",
    "runtime_directory",
    "verify_chain",
    "verify_experiment",
    "verify_manifest",
    "volume_info",
    "write_instance",
    "write_manifest",
    "write_maps",
    "write_objects",
    "write_slab",
]
