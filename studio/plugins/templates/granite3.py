"""Granite 3 Instruct, by IBM."""

ORDER = 87
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("granite-3*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}<|start_of_role|>{{ message.role }}<|end_of_role|>{{ message.content }"
    "}<|end_of_text|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
END = "<|end_of_text|>"
