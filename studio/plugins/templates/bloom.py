"""Plain lines for BLOOM and BLOOMZ, which were taught no marks: question, line break, answer."""

ORDER = 80
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("bloom*",)
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}{{ message.content }"
    "}\n{% elif message.role == 'assistant' %}{{ message.content }}{{ eos_token or '' }}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{% endif %}"
)
