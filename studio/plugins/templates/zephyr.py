"""Zephyr, by Hugging Face H4."""

ORDER = 84
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("zephyr*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}<|system|>\n{{ message.content }}{{ eos_token or '' }}\n{% elif message.role"
    " == 'user' %}<|user|>\n{{ message.content }}{{ eos_token or '' }}\n{% elif message.role == 'assistant' %"
    "}<|assistant|>\n{{ message.content }}{{ eos_token or '' }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
