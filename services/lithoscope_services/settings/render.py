"""Write settings as a TOML file that explains itself."""

import textwrap
from typing import Any

import tomli_w
from pydantic import BaseModel

from lithoscope_services.settings.table import Table
from lithoscope_services.settings.tree import Settings


def render_settings(settings: Settings, *, with_comments: bool = True) -> str:
    """Write resolved settings as TOML.

    Parameters
    ----------
    settings
        What to write.
    with_comments
        Whether the meaning of each key stands above it.

    Returns
    -------
    str
        TOML that reads back to equal settings. A key that is left out stands as a comment.
    """
    parts: list[str] = []
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        key = field.alias or name
        if isinstance(value, Table):
            parts.append(_render_table(f"[{key}]", value, with_comments=with_comments))
        elif value:
            first, *others = value
            parts.append(_render_table(f"[[{key}]]", first, with_comments=with_comments))
            # The first one shows all keys; the others what sets them apart.
            parts += [_render_changes(f"[[{key}]]", item) for item in others]
        else:
            # A key of the root must stand before the first table.
            parts.insert(0, f"{key} = []")
    return "\n\n".join(parts) + "\n"


def _render_table(header: str, table: BaseModel, *, with_comments: bool) -> str:
    lines = []
    if with_comments and table.__doc__:
        lines += _comment(table.__doc__)
    lines.append(header)
    for name, field in type(table).model_fields.items():
        if with_comments and field.description:
            lines += _comment(field.description)
        value = getattr(table, name)
        lines.append(f"# {name} =" if value is None else f"{name} = {_literal(value)}")
    return "\n".join(lines)


def _render_changes(header: str, table: BaseModel) -> str:
    lines = [header]
    for name, field in type(table).model_fields.items():
        value = getattr(table, name)
        is_default = value == field.get_default(call_default_factory=True)
        if value is not None and (name == "id" or not is_default):
            lines.append(f"{name} = {_literal(value)}")
    return "\n".join(lines)


def _literal(value: Any) -> str:  # a value of any key
    if isinstance(value, tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        pairs = ", ".join(f"{key} = {_literal(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    plain = value if isinstance(value, bool | int | float | str) else str(value)
    return tomli_w.dumps({"value": plain}).removeprefix("value = ").strip()


def _comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, width=95)]
