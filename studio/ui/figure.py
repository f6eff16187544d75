"""A plot that keeps its place: Gradio's bundled plotly drawing into one lasting element, so that zoom, hover and
focus survive every update. (`gr.Plot` builds its element anew with each value.)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.components.plot import PlotData

from studio.texts import say
from studio.ui.localize import Words
from studio.ui.markup import Html, tag


class Figure:
    """A headed plot: title, its small tools (log axis, whole view, full screen, download), and the drawing."""

    def __init__(self, words: Words, name: str, title: str, empty: Callable[[str], dict[str, Any]], tall: bool) -> None:
        self.name = name
        with gr.Column(elem_id=f"figure-{name}", elem_classes=["figure", "tall" if tall else "low"]):
            words(
                gr.HTML,
                {"value": lambda lang: head(lang, name, say(lang, title))},
                js_on_load=None,
                apply_default_css=False,
            )
            self.drawing = words.first(
                gr.HTML,
                {"value": empty},
                html_template='<div class="drawing" role="img"></div>',
                js_on_load="window.studio && studio.figure(element, props, watch);",
                elem_classes=["canvas"],
                apply_default_css=False,
            )


def loader() -> None:
    """The one `gr.Plot` of the page: never seen, it brings plotly along."""
    smallest = PlotData(type="plotly", plot='{"data":[],"layout":{"width":10,"height":10}}')
    gr.Plot(value=smallest, elem_id="plotly-loader", visible="hidden", show_label=False, container=False)


_TOOLS = ("log", "whole", "full", "save")


def head(lang: str, name: str, title: str) -> Html:
    """A plot's title and its small tools."""
    tools = [
        tag(
            "button",
            say(lang, f"page.plot.tool_{tool}"),
            type="button",
            class_="tool",
            data_tool=tool,
            data_figure=name,
            aria_pressed="false" if tool == "log" else None,
        )
        for tool in _TOOLS
    ]
    return tag("div", tag("h3", title), tag("span", *tools, class_="tools"), class_="figure-head")
