"""A draft looked at: its spec or what is wrong with it, its forecast, and how both are shown beside the fields."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.args import document, flags
from studio.errors import SpecError, StudioError
from studio.runs.admission import admit, glance
from studio.runs.forecast import forecast
from studio.specs import train
from studio.texts.errors import of_error, of_problem
from studio.ui import summary
from studio.ui.desk import Desk
from studio.ui.markup import Html, tag

# The first word of an error's code: the field beside which it stands.
_BESIDE = {
    "name": "output_dir",
    "model": "model_name_or_path",
    "dataset": "dataset",
    "adapter": "adapter_name_or_path",
    "template": "template",
    "cutoff": "cutoff_len",
    "lora": "lora_target",
    "freeze": "freeze_trainable_modules",
    "catalogue": "dataset",
    "device": "devices",
}


@dataclass(frozen=True)
class Verdict:
    """What Start would do with a draft: a forecast when `wrong` is empty; `wrong` is (field, sentence) pairs."""

    lang: str
    draft: Mapping[str, Any]
    spec: Any = None
    forecast: Any = None
    wrong: tuple[tuple[str, str], ...] = ()
    name: str = field(default="")

    @property
    def card(self) -> Html:
        """The words of the card."""
        return (
            summary.troubles(self.wrong, self.lang) if self.wrong else summary.card(self.spec, self.forecast, self.lang)
        )

    @property
    def marks(self) -> Html:
        """What the page's script writes beside the fields: the sentences, and which values are changed."""
        beside = json.dumps({"wrong": dict(reversed(self.wrong)), "changed": list(self.draft)}, ensure_ascii=False)
        return tag("div", data_marks=beside)

    @property
    def command(self) -> str:
        """The command line of the very same run."""
        return flags.command(train.changed(self.spec), train.ARGUMENTS) if self.spec is not None else ""

    @property
    def yaml(self) -> str:
        """Every argument of the very same run."""
        return document.dumps(train.document(self.spec)) if self.spec is not None else ""


def judge(draft: Mapping[str, Any], lang: str, desk: Desk, *, thorough: bool = False) -> Verdict:
    """Look at a draft, quickly or as thoroughly as Start does (tokenizer, adapters, name); writes nothing."""
    try:
        spec = admit(draft, desk.workspace) if thorough else train.check(draft)
    except SpecError as error:
        return Verdict(lang, draft, wrong=tuple((one.field, of_problem(lang, one)) for one in error.problems))
    try:
        glance(spec, desk.workspace)
        return Verdict(lang, draft, spec, forecast(spec, desk.workspace), name=desk.store.suggest_name(spec))
    except StudioError as error:
        return Verdict(lang, draft, spec, wrong=(beside(error, lang),))


def beside(error: StudioError, lang: str) -> tuple[str, str]:
    """The field that an error is about, and its sentence; no field when it is about none."""
    return _BESIDE.get(error.code.split("_")[0], ""), of_error(lang, error)
