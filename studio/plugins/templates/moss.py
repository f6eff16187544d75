"""MOSS 003, by Fudan University: the question ends with <eoh>, the answer with <eom>."""

ORDER = 82
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("moss*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}<|Human|>: {{"
    " message.content }}<eoh>\n{% elif message.role == 'assistant' %}<|MOSS|>: {{ message.content }}<eom>\n{% endif"
    " %}"
    "{% endfor %}{% if add_generation_prompt %}<|MOSS|>:{% endif %}"
)
END = "<eom>"
