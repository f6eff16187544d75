"""The Train tab: what to learn, what that will take, Start, and the run as it goes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.args import document
from studio.errors import SpecError, StudioError
from studio.runs import stop as stopping
from studio.specs import train
from studio.specs.frozen import without_header
from studio.texts import say
from studio.texts.errors import of_error, of_problem
from studio.ui import amounts, summary
from studio.ui.desk import Desk
from studio.ui.draft import Verdict, beside, judge
from studio.ui.form import Form, read
from studio.ui.localize import Words
from studio.ui.markup import Html, tag
from studio.ui.run_panel import RunPanel

_IN_SIGHT = (
    ("stage", "dataset"),
    ("num_train_epochs", "learning_rate", "per_device_train_batch_size", "gradient_accumulation_steps"),
)


class TrainTab:
    """Components and handlers of the tab; the top bar's fields belong to `form` too."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["desk"]):
            with gr.Column(elem_classes=["card", "what"], scale=3):
                self._put_form()
            with gr.Column(elem_classes=["card", "this-run"], scale=2, elem_id="this-run"):
                self._put_card()
        with gr.Column(elem_classes=["card", "live"], elem_id="live"):
            self.panel = RunPanel(words, "live")
            self.panel.put_head()
            self.panel.put_curves()
            with self.panel.put_fold():
                self.panel.put_log()
        self.shown = gr.Textbox("", visible="hidden")

    def _put_form(self) -> None:
        words, form = self.words, self.form
        with gr.Row(elem_classes=["card-head"]):
            words(
                gr.HTML,
                {"value": lambda lang: tag("h2", say(lang, "page.form.title"))},
                js_on_load=None,
                apply_default_css=False,
            )
            self.search = words(
                gr.Textbox,
                {"placeholder": "page.form.search", "label": "page.form.search"},
                value="",
                elem_id="search",
                show_label=False,
                container=False,
                max_lines=1,
            )
        self.found = gr.HTML("", elem_id="found", visible="hidden", js_on_load=None)
        for names in _IN_SIGHT:
            with gr.Row(elem_classes=["fields"]):
                for name in names:
                    form.add(name, offered=self.desk.datasets if name == "dataset" else None)
            if "dataset" in names:
                self.see = words(gr.Button, {"value": "page.form.see"}, size="sm", elem_id="see-trained")
        form.basics()
        form.advanced(eval_dataset=self.desk.datasets, template=self.desk.templates)

    def _put_card(self) -> None:
        words = self.words
        words(
            gr.HTML,
            {"value": lambda lang: tag("h2", say(lang, "page.card.title"))},
            js_on_load=None,
            apply_default_css=False,
        )
        self.card = words.first(
            gr.HTML,
            {"value": lambda lang: judge({}, lang, self.desk).card},
            elem_id="card",
            js_on_load=None,
            apply_default_css=False,
        )
        self.marks = gr.HTML("", elem_id="marks", visible="hidden", js_on_load=None)
        self.form.add("output_dir")
        self.start = words(gr.Button, {"value": "page.run.start"}, variant="primary", elem_id="start")
        with gr.Row(elem_classes=["quiet-row"]):
            self.load = words(
                gr.UploadButton,
                {"label": "page.card.load"},
                size="sm",
                elem_id="load-yaml",
                file_types=[".yaml", ".yml", ".json"],
            )
            self.reset = words(gr.Button, {"value": "page.card.reset"}, size="sm", elem_id="reset")
        with words(
            gr.Accordion, {"label": "page.card.command"}, open=False, elem_classes=["group"], elem_id="fold-command"
        ):
            self.command = gr.HTML("", js_on_load=None, apply_default_css=False)
        with words(gr.Accordion, {"label": "page.card.yaml"}, open=False, elem_classes=["group"], elem_id="fold-yaml"):
            self.yaml = gr.HTML("", js_on_load=None, apply_default_css=False)

    @property
    def judged(self) -> list[Any]:
        """What a look at the draft updates."""
        return [
            self.card,
            self.marks,
            self.form.widgets["output_dir"],
            self.command,
            self.yaml,
            *self.form.groups.values(),
        ]

    def look(self, lang: str, *values: Any) -> list[Any]:
        """The card, the marks and the two texts for what the form holds now."""
        return self._verdict(judge(read(values), lang, self.desk))

    def _verdict(self, verdict: Verdict) -> list[Any]:
        name = gr.update(placeholder=verdict.name or say(verdict.lang, "page.form.empty_output_dir"))
        save_as = f"{verdict.name or 'recipe'}.yaml"
        return [
            verdict.card,
            verdict.marks,
            name,
            summary.code(verdict.command, "command", verdict.lang),
            summary.code(verdict.yaml, "yaml", verdict.lang, save_as),
            *self.form.titles(verdict.lang, verdict.draft),
        ]

    def begin(self, lang: str, *values: Any) -> list[Any]:
        """Start: a run on disk and its process, or every problem beside its field; (updates of `judged`, run)."""
        verdict = judge(read(values), lang, self.desk, thorough=True)
        if not verdict.wrong:
            try:
                folder = self.desk.store.create(verdict.spec)
                self.desk.start(folder, lang)
                return [*[gr.skip()] * len(self.judged), folder.name]
            except StudioError as error:
                verdict = Verdict(lang, verdict.draft, verdict.spec, wrong=(beside(error, lang),))
        return [*self._verdict(verdict), gr.skip()]

    def tick(self, lang: str, shown: str, seen: Any) -> list[Any]:
        """The shown run as it is now, or the training at work when none is shown; (panel's updates, run)."""
        name = shown or self.desk.learning()
        return [*self.panel.show(self.desk.look(name), lang, seen), name if name != shown else gr.skip()]

    def ask_stop(self, lang: str, shown: str) -> list[Any]:
        """Ask the shown run to stop, harder each time; (panel's updates, what went wrong)."""
        return acted(self.desk, self.panel, lang, shown, lambda folder: stopping.ask(folder))

    def resume(self, lang: str, shown: str) -> list[Any]:
        """Go on with the shown run; (panel's updates, what went wrong)."""
        return acted(self.desk, self.panel, lang, shown, lambda folder: self.desk.resume(folder, lang))

    def read_yaml(self, lang: str, path: str | None) -> list[Any]:
        """A recipe into the form, whole or not at all; (updates of the inputs, of `judged`, the draft)."""
        try:
            draft = train.changed(train.check(without_header(document.read(Path(path or "")))))
        except SpecError as error:
            wrong = tuple((problem.field, of_problem(lang, problem)) for problem in error.problems)
        except StudioError as error:
            wrong = (("", of_error(lang, error)),)
        else:
            return [*self.form.fill(draft), *self._verdict(judge(draft, lang, self.desk)), draft]
        verdict = Verdict(lang, {}, wrong=wrong)
        others = len(self.form.inputs), len(self.judged) - 1
        return [*[gr.skip()] * others[0], verdict.card, verdict.marks, *[gr.skip()] * (others[1] - 1), gr.skip()]

    def further(self, shown: str) -> list[Any]:
        """The shown run's settings in the form, going on from its result under a new name."""
        return self.form.fill(self.desk.further(shown))


def acted(desk: Desk, panel: RunPanel, lang: str, name: str, act: Any) -> list[Any]:
    """Do something with a run and show it; a refusal is a sentence in the panel."""
    said = Html("")
    try:
        act(desk.store.find(name))
    except StudioError as error:
        said = tag("p", of_error(lang, error), class_="problem", role="alert")
    return [*panel.show(desk.look(name), lang), said]


def pulse(desk: Desk, lang: str) -> Html:
    """The top bar's link to what is running, with a thin bar of its progress."""
    live = desk.live()
    if not live:
        return tag("span", say(lang, "page.bar.idle"), class_="pulse idle")
    first = live[0]
    done = 100 * first.step / first.total_steps if first.total_steps else 0
    words = say(lang, "page.bar.running", count=amounts.count(len(live)))
    return tag(
        "a",
        tag("span", tag("i", aria_hidden="true"), words, class_="dot running"),
        tag("span", tag("span", style=f"width:{done:.0f}%"), class_="bar thin running"),
        href=f"?tab=runs&run={first.name}",
        data_run=first.name,
        class_="pulse",
        title=first.name,
    )
