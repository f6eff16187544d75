"""The first rows of a dataset exactly as training has them: text, token ids and labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from studio.data.catalogue import Entry
from studio.data.chat import ChatTokenizer
from studio.data.microscope import NO_CUTOFF, Slide, look_both
from studio.data.walk import Place, walk


@dataclass(frozen=True, slots=True)
class Row:
    """One usable row and where it stands; a pair has two slides, chosen and rejected."""

    place: Place
    slides: tuple[Slide, ...]

    def plain(self) -> dict[str, Any]:
        """The row as `data preview --json` gives it; a pair's rejected answer stands under `rejected`."""
        first, *more = (_plain(slide) for slide in self.slides)
        return {**first, "rejected": more[0]} if more else first


def preview(entry: Entry, chat: ChatTokenizer, rows: int, cutoff_len: int = NO_CUTOFF, train_on_prompt: bool = False,
            mask_history: bool = False) -> Iterator[Row]:
    """The first `rows` rows that training would use; raises what `walk` raises."""
    found = 0
    for place, _, sample in walk(entry, limit=entry.num_samples):
        if found == rows:
            return
        if isinstance(sample, str):
            continue
        slides = look_both(chat, sample, cutoff_len, train_on_prompt, mask_history)
        if not any(slide.reason for slide in slides):
            found += 1
            yield Row(place, slides)


def _plain(slide: Slide) -> dict[str, Any]:
    return {"text": slide.seen, "input_ids": slide.ids, "labels": slide.labels}
