"""ExportSpec: everything that an export is, checked all at once; recipes of older systems are taken."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from pydantic import create_model

from studio.args.fields import Argument, Group, NumberList, Text, arg, arguments
from studio.args.problems import of_choices, unknown_key
from studio.errors import Problem
from studio.plugins import kinds, plugin
from studio.specs import train
from studio.specs.chat import LoadingArguments
from studio.specs.checking import borrowed, refuse, validated
from studio.specs.groups import DataArguments, HardwareArguments, SavingArguments
from studio.specs.older import translate
from studio.specs.older_keys import true

STAGE = "export"
DTYPES = ("auto", "fp32", "fp16", "bf16")


class ExportArguments(Group):
    """In which form the model leaves, where it goes, and how closely it is looked at afterwards."""

    group = "export"

    stage: Text = arg(STAGE, choices=(STAGE,))
    export_to: Text = arg("merged", choices=kinds("exporters"), basic=True)
    export_dir: Text | None = arg(None, path=True)
    export_dtype: Text = arg("auto", choices=DTYPES, basic=True)
    export_size: float = arg(5.0, gt=0, le=1000)
    adapter_weights: NumberList = arg([])
    acceptance_rows: int = arg(16, ge=1, le=1000)


def _groups() -> tuple[type[Group], ...]:
    """The arguments in the order of the form; those of exporters last."""
    own = [getattr(plugin("exporters", name), "Arguments", None) for name in kinds("exporters")]
    return (
        ExportArguments,
        borrowed("loading", LoadingArguments, (
            "model_name_or_path", "adapter_name_or_path", "template", "default_system")),
        borrowed("data", DataArguments, ("dataset", "dataset_dir"), dataset=[]),
        borrowed("saving", SavingArguments, ("output_dir",)),
        borrowed("hardware", HardwareArguments, ("devices", "cpu_threads")),
        *(group for group in own if group is not None),
    )


GROUPS = _groups()
ARGUMENTS: Mapping[str, Argument] = MappingProxyType({a.name: a for group in GROUPS for a in arguments(group)})
ALIASES: Mapping[str, str] = MappingProxyType(
    {old: a.name for a in ARGUMENTS.values() for old in a.aliases if old not in ARGUMENTS} | {"to": "export_to"})


class _Frozen(Group):
    """The common base of the composed specs."""


# create_model cannot be typed by a checker; ExportSpec's attributes are the declared arguments.
ExportSpec: Any = create_model("ExportSpec", __base__=(*reversed(GROUPS), _Frozen),
                               __doc__="A checked export; frozen.")


def is_asked(draft: Mapping[str, Any]) -> bool:
    """Whether a draft is one of an export: it says so, or names where a model is to be exported to."""
    return draft.get("stage") == STAGE or (bool(draft.get("export_dir")) and not true(draft.get("do_train")))


def check(draft: Mapping[str, Any]) -> Any:
    """The ExportSpec of a draft; raises SpecError with every problem at once.

    `draft` holds values as typed on the page, read from YAML or given as flags; recipes of older systems that name an
    `export_dir` are taken, and what they say of training is left out.
    """
    given = {name: value for name, value in today(draft).items() if name != "template" or value is not None}
    values, problems = translate(given, ARGUMENTS, ALIASES)
    unknown = [name for name in values if name not in ARGUMENTS]
    problems += [Problem("not_for_export", name, {"name": name}) if name in train.ARGUMENTS
                 else unknown_key(name, ARGUMENTS, ALIASES) for name in unknown]
    known = {name: value for name, value in values.items() if name in ARGUMENTS}
    spec, found = validated(ExportSpec, known, ARGUMENTS)
    problems += found + of_choices(spec, ARGUMENTS)
    problems += [problem for rule in _RULES for problem in rule(spec)]
    refuse(problems, ARGUMENTS)
    return spec


def document(spec: Any) -> dict[str, Any]:
    """Every argument of the export as plain data, in the order of the form."""
    return {name: getattr(spec, name) for name in ARGUMENTS}


def changed(spec: Any) -> dict[str, Any]:
    """The arguments whose value is not the default."""
    return {name: value for name, value in document(spec).items() if value != ARGUMENTS[name].default}


def belongs(name: str, form: str) -> bool:
    """Whether the argument is one of this form, or of every form."""
    owner = _OWNERS.get(name)
    return owner is None or owner in forms(form)


def forms(form: str) -> tuple[str, ...]:
    """The form and, for one that holds another, all that it may hold."""
    return (form, *getattr(plugin("exporters", form), "HOLDS", ()))


_OWNERS: Mapping[str, str] = MappingProxyType(
    {a.name: name for name in kinds("exporters")
     for a in arguments(getattr(plugin("exporters", name), "Arguments", Group))})


def today(draft: Mapping[str, Any]) -> dict[str, Any]:
    """A draft in today's words: of an older recipe, what it says of training is left out, and what is done anyway."""
    found = dict(draft)
    if found.get("stage") != STAGE and is_asked(found):
        found = {name: value for name, value in found.items()
                 if name != "stage" and (name in ARGUMENTS or name in ALIASES or name not in train.ARGUMENTS)}
    if str(found.get("export_device", "cpu")) in ("cpu", "auto"):
        found.pop("export_device", None)
    if "export_legacy_format" in found and not true(found["export_legacy_format"]):
        found.pop("export_legacy_format")
    return found


def _weights_fit(spec: Any) -> list[Problem]:
    adapters, weights = len(spec.adapter_name_or_path), len(spec.adapter_weights)
    if weights and weights != adapters:
        return [Problem("adapter_weights_count", "adapter_weights", {"value": weights, "count": adapters})]
    return []


_RULES = (_weights_fit,)
