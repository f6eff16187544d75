"""Ziya LLaMA, by IDEA-CCNL: <human> and <bot> lines."""

ORDER = 83
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("ziya*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}<human>:{{"
    " message.content }}\n{% elif message.role == 'assistant' %}<bot>:{{ message.content }}{{ eos_token or '' }"
    "}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<bot>:{% endif %}"
)
