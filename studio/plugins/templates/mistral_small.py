"""Mistral Small 3 and Devstral, by Mistral AI: a system part of its own, no spaces around the marks."""

ORDER = 46
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("mistral-small-[3-9]*", "mistral-small-2[5-9]*", "devstral*")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}[SYSTEM_PROMPT]{{ message.content }}[/SYSTEM_PROMPT]{% elif message.role =="
    " 'user' %}[INST]{{ message.content }}[/INST]{% elif message.role == 'assistant' %}{{ message.content }}{{"
    " eos_token or '' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{% endif %}"
)
