"""Phi-3 and 3.5 mini, by Microsoft."""

ORDER = 62
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("phi-3*mini*", "phi-3*medium*", "phi-3.5*")
ALIASES: tuple[str, ...] = ("phi3",)
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}<|system|>\n{{ message.content }}<|end|>\n{% elif message.role == 'user' %"
    "}<|user|>\n{{ message.content }}<|end|>\n{% elif message.role == 'assistant' %}<|assistant|>\n{{"
    " message.content }}<|end|>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
END = "<|end|>"
