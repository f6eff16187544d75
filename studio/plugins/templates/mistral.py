"""Mistral 7B Instruct, by Mistral AI; tools and their results in the marks of its third tokenizer."""

ORDER = 45
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("mistral-7b*", "mixtral*", "mistral*instruct*")
ALIASES: tuple[str, ...] = ()
JINJA = (
    "{{ bos_token or '' }}{% for message in messages %}"
    "{% if message.role == 'system' %}{{ message.content | trim }}{{ '\n\n' }}"
    "{% elif message.role == 'user' %}"
    "{% if tools and (messages[loop.index0:] | selectattr('role', 'equalto', 'user') | list | length) == 1 %}"
    "[AVAILABLE_TOOLS] {{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "[INST] {{ message.content | trim }} [/INST]"
    "{% elif message.tool_calls %}[TOOL_CALLS] [{% for call in message.tool_calls %}"
    '{"name": "{{ call.function.name }}", "arguments": {{ call.function.arguments | tojson }}}'
    "{{ '' if loop.last else ', ' }}{% endfor %}]{{ eos_token or '' }}"
    "{% elif message.role == 'tool' %}[TOOL_RESULTS] {\"content\": {{ message.content | tojson }}}[/TOOL_RESULTS]"
    "{% else %} {{ message.content | trim }}{{ eos_token or '' }}{% endif %}{% endfor %}"
)
