"""Gemma 1 and 2, by Google; it refuses a system message."""

ORDER = 60
SYSTEM = False
TOOLS = False
MODELS: tuple[str, ...] = ("gemma-[12]*", "gemma-?b*")
ALIASES: tuple[str, ...] = ("gemma2",)
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ raise_exception('system') }}"
    "{% elif message.role == 'user' %}<start_of_turn>user\n{{ message.content | trim }}<end_of_turn>\n{% elif"
    " message.role == 'assistant' %}<start_of_turn>model\n{{ message.content | trim }}<end_of_turn>\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
END = "<end_of_turn>"
