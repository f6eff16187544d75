"""Visit: what a part may know while it draws or acts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio.data import catalogue
from studio.texts import say
from studio.ui.desk import Desk
from studio.ui.tabs.data.place import Place

# The form's fields that decide what the model is shown of a row.
READING = (
    "model_name_or_path",
    "model_revision",
    "template",
    "default_system",
    "cutoff_len",
    "train_on_prompt",
    "mask_history",
)


@dataclass(frozen=True)
class Visit:
    """One person's language and place, the studio's desk, and the arguments of the form (by name) that matter here."""

    lang: str
    desk: Desk
    place: Place
    reading: Mapping[str, Any]

    def say(self, key: str, **values: Any) -> str:
        """A sentence of this tab: `page.data.<key>`."""
        return say(self.lang, f"page.data.{key}", **values)

    @cached_property
    def entry(self) -> catalogue.Entry:
        """The opened set; raises InputError when it is gone or not on this disk."""
        return catalogue.Catalogue(self.desk.workspace).entry(self.place.set)
