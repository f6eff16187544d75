"""SOLAR Instruct, by Upstage: three headings."""

ORDER = 86
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("solar*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}### System:\n{{ message.content }}\n\n{% elif message.role == 'user' %}###"
    " User:\n{{ message.content }}\n\n{% elif message.role == 'assistant' %}### Assistant:\n{{ message.content }"
    "}\n\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}### Assistant:\n{% endif %}"
)
