"""Messages to bytes and back. Bytes in, messages or :class:`MessageError` out, nothing else."""

from functools import cache
from typing import Annotated, Any, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from lithoscope_messages._base import Message
from lithoscope_messages.errors import MessageError, UnknownMessageError

MAX_HEADER_BYTES = 16 * 2**20
M = TypeVar("M")


def encode(message: Message) -> bytes:
    """Write a message as UTF-8 JSON."""
    return message.model_dump_json().encode()


def decode(data: bytes | memoryview, adapter: TypeAdapter[M]) -> M:
    """Read a message of one of the types of ``adapter``.

    Parameters
    ----------
    data
        UTF-8 JSON.
    adapter
        From :func:`adapter_of`.

    Raises
    ------
    MessageError
        If it is too long, no JSON, of an unknown type or with a wrong field; the text names it.
    """
    if len(data) > MAX_HEADER_BYTES:
        raise MessageError(f"header of {len(data)} bytes, at most {MAX_HEADER_BYTES} are taken")
    try:
        return adapter.validate_json(bytes(data))
    except ValidationError as error:
        raise _translate(error) from error


def adapter_of(union: Any) -> TypeAdapter[Any]:  # a union type is no type to mypy
    """Make the reader of a union of message types, told apart by their ``type``."""
    return _adapter(union)


@cache
def _adapter(union: Any) -> TypeAdapter[Any]:
    return TypeAdapter(Annotated[union, Field(discriminator="type")])


def _translate(error: ValidationError) -> MessageError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    # Keys and tags are what somebody sent: of any length, with any characters.
    field = ".".join(_printable(str(part)[:64]) for part in first["loc"])[:200] or "message"
    text = f"{field}: {_printable(first['msg'][:500])}"
    if first["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return UnknownMessageError(text)
    return MessageError(text)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
