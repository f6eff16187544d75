"""Baichuan2 Chat, by Baichuan: two reserved tokens stand for question and answer."""

ORDER = 66
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("baichuan2*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}{% if message.role == 'system' %}{{ message.content }}"
    "{% elif message.role == 'user' %}<reserved_106>{{ message.content }}"
    "{% elif message.role == 'assistant' %}<reserved_107>{{ message.content }}{{ eos_token or '' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<reserved_107>{% endif %}"
)
