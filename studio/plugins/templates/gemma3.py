"""Gemma 3, by Google: the system text stands at the head of the first question."""

ORDER = 61
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("gemma-3*", "gemma3*")
ALIASES: tuple[str, ...] = ("gemma3n",)
JINJA = (
    "{{ bos_token or '' }}{% set ns = namespace(system='') %}{% for message in messages %}"
    "{% if message.role == 'system' %}{% set ns.system = message.content + '\n\n' %}"
    "{% elif message.role == 'user' %}<start_of_turn>user\n{{ ns.system }}{{ message.content | trim }"
    "}<end_of_turn>\n{% set ns.system = '' %}"
    "{% elif message.role == 'assistant' %}<start_of_turn>model\n{{ message.content | trim }}<end_of_turn>\n{%"
    " endif %}"
    "{% endfor %}{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
END = "<end_of_turn>"
