"""A whole model as a clean folder: the checkpoint of a full or freeze run, or any model in other numbers."""

from __future__ import annotations

from studio.plugins.exporters import merged

ORDER = 30
TAKES = ("whole",)
RUNTIME = "transformers"

write = merged.write
size = merged.size
limits = merged.limits
commands = merged.commands
refuse = merged.refuse
