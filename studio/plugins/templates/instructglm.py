"""InstructGLM's English form: Instruction and Answer lines.

An input stands in the same message as its instruction.
"""

ORDER = 73
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ()
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content }}\n{% elif message.role == 'user' %}Instruction: {{"
    " message.content }}\n{% elif message.role == 'assistant' %}Answer: {{ message.content }}{{ eos_token or '' }"
    "}\n{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Answer: {% endif %}"
)
