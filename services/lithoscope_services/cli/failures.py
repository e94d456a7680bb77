"""Which exceptions are failures with a name, and the one line that a person reads of them."""

import errno
import sys

#: Error families that say what, where and what to do; looked up only if their package is loaded.
_FAMILIES = (
    ("lithoscope_services.errors", "ServiceError"),
    ("lithoscope_models.errors", "ModelError"),
    ("lithoscope_store.errors", "StoreError"),
    ("lithoscope_pipeline.errors", "PipelineError"),
    ("lithoscope_messages.errors", "MessageError"),
)
_ADVICE = {
    errno.ENOENT: "check the path",
    errno.EACCES: "ask for the permission, or choose another place",
    errno.EPERM: "ask for the permission, or choose another place",
    errno.EROFS: "choose a place that can be written to",
    errno.ENOTDIR: "check the path",
    errno.EISDIR: "give a file, not a folder",
    errno.EEXIST: "choose another name, or remove what is there",
    errno.ENOSPC: "free space on this disk; nothing already stored is lost",
    errno.EDQUOT: "free space within your quota; nothing already stored is lost",
    errno.EADDRINUSE: "stop the other program, or choose another port",
}


def named_failures() -> tuple[type[BaseException], ...]:
    """Give the classes of all failures with a name that can have been raised so far."""
    modules = [(sys.modules.get(module), name) for module, name in _FAMILIES]
    return (OSError, *(getattr(module, name) for module, name in modules if module is not None))


def describe_failure(error: BaseException) -> str | None:
    """Say in one line what went wrong, or None if it is a bug of ours.

    Parameters
    ----------
    error
        One of :func:`named_failures`.
    """
    is_ours = type(error).__module__.startswith("lithoscope_")
    if isinstance(error, OSError) and not is_ours:
        return _describe_os_error(error)
    problems = getattr(error, "problems", None) or (str(error),)
    first = " ".join(str(problems[0]).split())
    if len(problems) > 1:
        return f"{first} (and {len(problems) - 1} more: see lithoscope config check)"
    return first


def _describe_os_error(error: OSError) -> str | None:
    advice = _ADVICE.get(error.errno or 0)
    if advice is None:
        return None
    where = error.filename if error.filename is not None else "this machine"
    what = (error.strerror or str(error)).lower()
    return f"{where}: {what}; {advice}"
