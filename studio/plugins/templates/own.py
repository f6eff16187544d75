"""The chat template that the model brings in its tokenizer files."""

ORDER = 10
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA: str | None = None
