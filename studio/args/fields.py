"""The single declaration of an argument: a typed attribute of a Group with `arg(...)` as its default.

    class LoraArguments(Group):
        group = "lora"
        lora_rank: int = arg(8, ge=1, le=1024, basic=True, aliases=("lora_r",))

The widget, the flag, the YAML key, validation, label, tooltip, error sentence and reference page are derived from it.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.fields import FieldInfo


class Kind(Enum):
    """What sort of value an argument holds; the page and the flags choose by it."""

    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    LIST = "list"
    DICT = "dict"


def _split(value: Any) -> Any:
    """`"a, b"` becomes `["a", "b"]`: recipes spell lists both ways."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _text(value: Any) -> Any:
    """A number given where a text belongs is its spelling (`num_beams: 4` as a name is "4")."""
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


NameList = Annotated[list[str], BeforeValidator(_split)]
NumberList = Annotated[list[float], BeforeValidator(_split)]
Text = Annotated[str, BeforeValidator(_text)]


@dataclass(frozen=True)
class Meta:
    """What `arg` says beyond type and default."""

    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    choices: tuple[Any, ...] = ()
    open_choices: bool = False
    aliases: tuple[str, ...] = ()
    basic: bool = False
    path: bool = False
    group: str = ""


def arg(default: Any, *, ge: float | None = None, gt: float | None = None, le: float | None = None,
        lt: float | None = None, choices: Iterable[Any] = (), open_choices: bool = False,
        aliases: Iterable[str] = (), basic: bool = False, path: bool = False, group: str = "") -> Any:
    """Declare an argument: bounds are inclusive (`ge`, `le`) or exclusive (`gt`, `lt`).

    `open_choices` offers the choices but takes other values too; `aliases` are names of older recipes;
    `basic` puts it in sight on the page; `path` marks a file or folder; `group` overrides the class's group.
    """
    meta = Meta(ge, gt, le, lt, tuple(choices), open_choices, tuple(aliases), basic, path, group)
    if isinstance(default, list | dict):
        return Field(default_factory=lambda: type(default)(default), json_schema_extra={"meta": meta})  # type: ignore[dict-item]
    return Field(default, json_schema_extra={"meta": meta})  # type: ignore[dict-item]


class Group(BaseModel):
    """Arguments that stand together on the page; frozen, unknown keys forbidden, infinite numbers refused.

    `stages` and `tuners` name the plug-ins to which all of the group belongs; empty means every one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, protected_namespaces=())

    group: ClassVar[str] = ""
    stages: ClassVar[tuple[str, ...]] = ()
    tuners: ClassVar[tuple[str, ...]] = ()


@dataclass(frozen=True)
class Argument:
    """One declared argument, as everything derived from the declaration sees it."""

    name: str
    kind: Kind
    optional: bool
    default: Any
    group: str
    stages: tuple[str, ...]
    tuners: tuple[str, ...]
    ge: float | None
    gt: float | None
    le: float | None
    lt: float | None
    choices: tuple[Any, ...]
    open_choices: bool
    aliases: tuple[str, ...]
    basic: bool
    path: bool

    def belongs(self, stage: str, tuner: str) -> bool:
        """Whether a run of this stage and tuner has the argument."""
        return (not self.stages or stage in self.stages) and (not self.tuners or tuner in self.tuners)


def arguments(group: type[Group]) -> tuple[Argument, ...]:
    """The arguments that `group` declares itself, in order; those of its bases are not repeated."""
    own = inspect.get_annotations(group)
    return tuple(_argument(group, name, group.model_fields[name]) for name in own if name in group.model_fields)


def _argument(group: type[Group], name: str, info: FieldInfo) -> Argument:
    extra = info.json_schema_extra
    if not isinstance(extra, dict) or not isinstance(extra.get("meta"), Meta):
        raise TypeError(f"{group.__name__}.{name} is not declared with arg(...)")
    meta: Meta = extra["meta"]  # type: ignore[assignment]
    kind, optional = _kind(info.annotation)
    return Argument(name, kind, optional, info.get_default(call_default_factory=True), meta.group or group.group,
                    group.stages, group.tuners, meta.ge, meta.gt, meta.le, meta.lt, meta.choices, meta.open_choices,
                    meta.aliases, meta.basic, meta.path)


_KINDS = {bool: Kind.BOOL, int: Kind.INT, float: Kind.FLOAT, str: Kind.TEXT, list: Kind.LIST, dict: Kind.DICT}


def _kind(annotation: Any) -> tuple[Kind, bool]:
    """The kind of an annotation and whether it admits None."""
    optional = False
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [part for part in get_args(annotation) if part is not type(None)]
        optional, annotation = len(parts) < len(get_args(annotation)), parts[0]
    if get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return _KINDS[get_origin(annotation) or annotation], optional
