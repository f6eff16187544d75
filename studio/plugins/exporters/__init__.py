"""How a model leaves the studio, one file a form; the file's name is the form's name in `export_to` and on the page.

A form's module has
    ORDER            its place in lists
    TAKES            the kinds of source that it can be made of: "whole" (a model), "lora", "prefix"
    RUNTIME          the program that opens the result and by which it is accepted: a module of engine/export/runtimes
    write(work)      makes the files in `work.into`, an empty folder aside; torch-free where the form allows
    size(source, spec)     bytes of the result on disk, before it is made
    limits(spec)     how far the result may be from its source: Limits
and may have
    Arguments        a Group of its own arguments, all beginning with the form's name
    HOLDS            the forms that it may hold (zip, hub, server …); such a form has neither RUNTIME nor limits
    inside(spec)     which of those it holds this time
    sizes(source)    {argument: {value: bytes}}: how large each choice makes the result
    room(source, spec)     bytes on the disk while it is made, where that is more than the result
    memory(source, spec)   bytes of memory that writing takes, where that is more than a few tensors
    refuse(source, spec)   problems: what cannot be made of this source, each beside its argument; loads no weights
    needs()          raises InputError when an optional part is not installed: `require("onnx")`
    opened(folder)   the file or folder inside the result that RUNTIME opens; the folder itself otherwise
    pack(work)       a last change when card and verdict are written, still aside (an archive)
    deliver(work)    what happens with the finished folder `work.target`: a push, an import into a running program
    variant(told)    which of its kinds a result is ("Q4_K_M"), from its frozen spec, to tell it from others in lists
    commands(work)   {program: the lines that run the result there} for card and page
Words: `exporters.<name>.label` and `.help`.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

from studio.errors import InputError
from studio.plugins import plugin
from studio.prepare import parts


@dataclass(frozen=True)
class Bound:
    """What is asked of a result: tokens that agree (share, at least), logits (difference, at most), perplexity (ratio,
    at most). None: not asked."""

    agreement: float
    logit: float | None
    perplexity: float


@dataclass(frozen=True)
class Limits:
    """`passed`: as good as its source; `lossy`: worse than that, and no worse than the form must be."""

    passed: Bound
    lossy: Bound


EXACT = Limits(Bound(1.0, 1e-3, 1.001), Bound(0.98, 0.05, 1.01))


def require(part: str) -> None:
    """Raise InputError part_missing when an optional part of the studio (`llama-cpp`, `onnx`, …) is not installed."""
    if not parts.is_installed(part):
        raise InputError("part_missing", part=part)


def exporter(form: str) -> ModuleType:
    """The module of a form."""
    return plugin("exporters", form)


def innermost(spec: Any) -> ModuleType:
    """The form that holds no other: what is really written, opened and accepted."""
    found = exporter(spec.export_to)
    while hasattr(found, "inside"):
        found = exporter(found.inside(spec))
    return found
