"""The chat template that the model brings in its tokenizer files."""

ORDER = 10
JINJA: str | None = None
