"""Vicuna's USER and ASSISTANT lines."""

ORDER = 35
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("vicuna",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content | trim }}\n\n{% elif message.role == 'user' %}USER: {{"
    " message.content | trim }}\n{% elif message.role == 'assistant' %}ASSISTANT: {{ message.content | trim }}{{"
    " eos_token or '' }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)
