"""Llama 2 Chat, by Meta: the system text stands inside the first question."""

ORDER = 40
SYSTEM = True
TOOLS = False
MODELS: tuple[str, ...] = ("llama-2-*chat", "llama2-*chat", "codellama*instruct")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{% set ns = namespace(system='') %}{% for message in messages %}{% if message.role == 'system' %}"
    "{% set ns.system = '<<SYS>>\n' + message.content | trim + '\n<</SYS>>\n\n' %}"
    "{% elif message.role == 'user' %}{{ bos_token or '' }}[INST] {{ ns.system }}{{ message.content | trim }}"
    " [/INST]{% set ns.system = '' %}"
    "{% elif message.role == 'assistant' %} {{ message.content | trim }} {{ eos_token or '' }}{% endif %}"
    "{% endfor %}"
)
