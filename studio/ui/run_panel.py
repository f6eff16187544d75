"""One run as it is seen: head with Stop and Resume, curves, log; a tick redraws only what has changed."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.runs.state import State
from studio.specs import works
from studio.texts import say
from studio.ui import plots, run_pages, status
from studio.ui.figure import Figure
from studio.ui.localize import Words

_PLOTS = (plots.loss, plots.learning_rate, plots.gradient)


class RunPanel:
    """The components of a panel, placed part by part, and the updates that show a Glimpse in them."""

    def __init__(self, words: Words, place: str) -> None:
        self.words, self.place = words, place
        self.folds: list[Any] = []

    def put_head(self) -> None:
        """Name, state, figures, and the buttons that fit the state."""
        words, place = self.words, self.place
        with gr.Row(elem_classes=["panel-head"]):
            self.head = words.first(
                gr.HTML,
                {"value": lambda lang: status.head(None, lang)},
                elem_id=f"{place}-head",
                js_on_load=None,
                apply_default_css=False,
            )
            with gr.Row(elem_classes=["panel-buttons"]):
                self.stop = words(
                    gr.Button,
                    {"value": "page.run.stop"},
                    variant="stop",
                    size="md",
                    visible=False,
                    elem_id=f"{place}-stop",
                )
                self.resume = words(
                    gr.Button, {"value": "page.run.resume"}, size="md", visible=False, elem_id=f"{place}-resume"
                )
                self.chat = words(
                    gr.Button, {"value": "page.run.chat"}, size="md", visible=False, elem_id=f"{place}-chat"
                )
                self.evaluate = words(
                    gr.Button, {"value": "page.run.evaluate"}, size="md", visible=False, elem_id=f"{place}-evaluate"
                )
                self.export = words(
                    gr.Button, {"value": "page.run.export"}, size="md", visible=False, elem_id=f"{place}-export"
                )
                self.further = words(
                    gr.Button, {"value": "page.run.further"}, size="md", visible=False, elem_id=f"{place}-further"
                )
        self.said = gr.HTML(
            "", elem_id=f"{place}-said", js_on_load=None, apply_default_css=False, elem_classes=["said"]
        )
        self.seen = gr.State(None)

    def put_curves(self) -> None:
        """Loss at large; learning rate and gradient norm beside it; of a run that does not learn what it found."""
        words, place = self.words, self.place
        self.found = gr.HTML("", elem_id=f"{place}-found", visible=False, js_on_load=None, apply_default_css=False)
        with gr.Row(elem_classes=["plots"]) as self.curves:
            self.loss = Figure(words, f"{place}-loss", "page.plot.loss", lambda lang: plots.loss(None, lang), tall=True)
            with gr.Column(elem_classes=["small-plots"]):
                self.rate = Figure(
                    words,
                    f"{place}-rate",
                    "page.plot.learning_rate",
                    lambda lang: plots.learning_rate(None, lang),
                    tall=False,
                )
                self.norm = Figure(
                    words, f"{place}-norm", "page.plot.grad_norm", lambda lang: plots.gradient(None, lang), tall=False
                )

    def put_fold(self) -> Any:
        """A folded place for the log, whose title shows the log's last line."""
        fold = self.words.first(
            gr.Accordion,
            {"label": "page.log.title"},
            open=False,
            elem_classes=["group", "log-fold"],
            elem_id=f"{self.place}-log-fold",
        )
        self.folds.append(fold)
        return fold

    def put_log(self) -> None:
        """The last lines that the run's processes wrote."""
        self.log = self.words.first(
            gr.HTML,
            {"value": lambda lang: status.log((), lang)},
            elem_id=f"{self.place}-log",
            js_on_load=None,
            apply_default_css=False,
        )

    @property
    def outputs(self) -> list[Any]:
        """What `show` updates, in its order."""
        return [
            self.head,
            self.stop,
            self.resume,
            self.chat,
            self.evaluate,
            self.export,
            self.further,
            self.found,
            self.curves,
            self.loss.drawing,
            self.rate.drawing,
            self.norm.drawing,
            self.log,
            *self.folds,
            self.seen,
        ]

    def show(self, glimpse: Any, lang: str, seen: Any = None) -> list[Any]:
        """Updates for a run's moment; all of them skips when nothing has changed since `seen`."""
        now = (glimpse.name, glimpse.version, glimpse.state.value, lang) if glimpse is not None else ("", 0, "", lang)
        if seen is not None and tuple(seen) == now:
            return [gr.skip()] * len(self.outputs)
        state = glimpse.state if glimpse is not None else None
        lines = glimpse.log_tail if glimpse is not None else ()
        learns = glimpse is None or works.learns(glimpse)
        stop = "page.run.stop_now" if state is State.STOPPING else "page.run.stop"
        return [
            status.head(glimpse, lang),
            gr.update(visible=state is not None and state.is_live, value=say(lang, stop)),
            gr.update(visible=state is not None and state.is_resumable),
            gr.update(visible=state is not None and glimpse.saved > 0),
            gr.update(visible=state is not None and glimpse.saved > 0),
            gr.update(visible=state is not None and glimpse.saved > 0),
            gr.update(visible=state is State.FINISHED and glimpse.saved > 0),
            gr.update(visible=not learns, value="" if learns else run_pages.found(glimpse, lang)),
            gr.update(visible=learns),
            *(draw(glimpse, lang) if learns else gr.skip() for draw in _PLOTS),
            status.log(lines, lang),
            *[gr.update(label=status.log_title(lines, lang)) for _ in self.folds],
            now,
        ]
