"""The form: every declared argument as a widget, in sight or in its group, and the way between widgets and drafts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from studio.args import Argument
from studio.specs.train import ARGUMENTS
from studio.texts import LANGUAGES, say
from studio.ui.localize import Words
from studio.ui.markup import tag
from studio.ui.widgets import LEFT_OUT, Offered, label, shown, tip, typed, widget

TOP = ("model_name_or_path", "finetuning_type", "adapter_name_or_path")
NAME = "output_dir"
IN_SIGHT = (
    "stage",
    "dataset",
    "num_train_epochs",
    "learning_rate",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
)


class Form:
    """The widgets of all arguments by name, in the order of their declaration."""

    def __init__(self, words: Words) -> None:
        self.words = words
        self.widgets: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.grouped: dict[str, list[str]] = {}
        self.scopes: list[tuple[Any, Argument]] = []

    def add(self, name: str, **props: Any) -> Any:
        """Place the widget of one argument here."""
        self.widgets[name] = widget(self.words, ARGUMENTS[name], **props)
        return self.widgets[name]

    def basics(self) -> None:
        """Place what the tuners and methods want in sight, each shown only where it belongs."""
        for group, members in _by_group(lambda a: a.basic and (a.tuners or a.stages) and a.name not in IN_SIGHT):
            with gr.Row(elem_classes=["fields"], visible=_fits_default(members[0]), elem_id=f"basics-{group}") as row:
                for a in members:
                    self.add(a.name)
            self.scopes.append((row, members[0]))

    def advanced(self, **offered: Offered) -> None:
        """Place everything else, one folded group after the other; `offered` are choices by argument."""
        for group, members in _by_group(lambda a: a.name not in self.widgets and a.name not in (*TOP, NAME)):
            title = {"label": lambda lang, group=group: group_title(lang, group, 0)}
            fold = self.words(
                gr.Accordion,
                title,
                open=False,
                visible=_fits_default(members[0]),
                elem_id=f"group-{group}",
                elem_classes=["group"],
            )
            self.groups[group] = fold
            self.grouped[group] = [a.name for a in members]
            if members[0].tuners or members[0].stages:
                self.scopes.append((fold, members[0]))
            with fold, gr.Row(elem_classes=["fields"]):
                for a in members:
                    self.add(a.name, offered=offered.get(a.name))

    @property
    def inputs(self) -> list[Any]:
        """Every widget in the order in which the handlers take their values."""
        return [self.widgets[name] for name in ARGUMENTS]

    def fill(self, draft: Mapping[str, Any]) -> list[Any]:
        """Updates that show a draft; what it does not say gets its default."""
        return [gr.update(value=shown(a, draft.get(name, a.default))) for name, a in ARGUMENTS.items()]

    def visible(self, stage: str, tuner: str) -> list[Any]:
        """Updates of the groups that belong to some tuners or methods only."""
        return [gr.update(visible=a.belongs(stage, tuner)) for _, a in self.scopes]

    def search(self, query: str, stage: str, tuner: str) -> list[Any]:
        """(what the page's script shows, updates of the groups): only what holds the query, everything for none."""
        words = query.lower().split()
        hits = [name for name in self.widgets if ARGUMENTS[name].belongs(stage, tuner) and _holds(name, words)]
        groups = []
        for names in self.grouped.values():
            belongs, found = ARGUMENTS[names[0]].belongs(stage, tuner), not set(hits).isdisjoint(names)
            groups.append(gr.update(open=bool(words) and found, visible=belongs and (found or not words)))
        return [tag("div", data_found=json.dumps(hits) if words else "null"), *groups]

    def titles(self, lang: str, draft: Mapping[str, Any]) -> list[Any]:
        """The groups' titles, saying how many of their values are changed."""
        count = {group: sum(name in draft for name in self.grouped[group]) for group in self.groups}
        return [gr.update(label=group_title(lang, group, count[group])) for group in self.groups]


def read(values: Sequence[Any]) -> dict[str, Any]:
    """The draft that the widgets hold: what belongs to its stage and tuner and is not the default."""
    held = dict(zip(ARGUMENTS, values, strict=True))
    stage, tuner = held["stage"], held["finetuning_type"]
    draft = {}
    for name, a in ARGUMENTS.items():
        value = typed(a, held[name])
        if (
            a.belongs(stage, tuner)
            and value is not LEFT_OUT
            and held[name] != shown(a, a.default)
            and value != a.default
        ):
            draft[name] = value
    return draft


def group_title(lang: str, group: str, changed: int) -> str:
    """`LoRA`, or `LoRA · 2 changed`."""
    title = say(lang, f"groups.{group}")
    return say(lang, "page.form.changed", title=title, count=changed) if changed else title


def _holds(name: str, words: list[str]) -> bool:
    """Whether every word occurs in the argument's name, its older names, or its label or tip in any language."""
    text = " ".join(
        [
            name,
            *ARGUMENTS[name].aliases,
            *(speak(lang) or "" for lang in LANGUAGES for speak in (label(name), tip(name))),
        ]
    )
    return all(word in text.lower() for word in words)


def _by_group(wanted: Any) -> list[tuple[str, list[Argument]]]:
    found: dict[str, list[Argument]] = {}
    for a in ARGUMENTS.values():
        if wanted(a):
            found.setdefault(a.group, []).append(a)
    return list(found.items())


def _fits_default(a: Argument) -> bool:
    return a.belongs(ARGUMENTS["stage"].default, ARGUMENTS["finetuning_type"].default)
