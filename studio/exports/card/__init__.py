"""The model card: README.md and README_zh.md of an export, and the picture of its curves; from files alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.errors import WorkError
from studio.exports.card import head, page, picture
from studio.exports.card.facts import gather
from studio.exports.work import Work
from studio.records import write_atomically

__all__ = ["FILES", "write"]

FILES = page.FILES


def write(work: Work, verdict: Mapping[str, Any]) -> None:
    """Write the card in both languages into the export; the English one has the head that the hubs read.

    Raises WorkError disk_refuses.
    """
    facts = gather(work, verdict)
    texts = {name: page.markdown(facts, lang) for lang, name in FILES.items()}
    texts[FILES["en"]] = f"{head.head(facts, page.said('en', 'licence.remark'))}\n{texts[FILES['en']]}"
    if facts.learning is not None and facts.learning.curves is not None:
        texts |= {name: picture.svg(facts.learning.curves, lang) for lang, name in page.PICTURES.items()}
    try:
        for name, text in texts.items():
            write_atomically(work.into / name, text.encode("utf-8", "replace").decode())
    except OSError as error:
        raise WorkError("disk_refuses", path=str(work.into), reason=error.strerror or str(error)) from error
