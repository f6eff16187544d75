"""Llama 3 Instruct, by Meta; tools stand in the first question and are called as Llama 3.1 does it."""

ORDER = 42
SYSTEM = True
TOOLS = True
MODELS: tuple[str, ...] = ("llama-3*", "llama3*", "meta-llama-3*")
ALIASES: tuple[str, ...] = ()
TOOLS_TEXT = (
    "Given the following functions, please respond with a JSON for a function call with its proper arguments that "
    "best answers the given prompt.\n\nRespond in the format {\"name\": function name, \"parameters\": dictionary of "
    "argument name and its value}.Do not use variables.\n\n"
    "{% for tool in tools %}{{ tool | tojson(indent=4) }}{{ '\n\n' }}{% endfor %}"
)
JINJA = (
    "{{ bos_token or '' }}{% set ns = namespace(told=false) %}{% for message in messages %}"
    "<|start_header_id|>{{ 'ipython' if message.role == 'tool' else message.role }}<|end_header_id|>{{ '\n\n' }}"
    "{% if message.role == 'user' and tools and not ns.told %}{% set ns.told = true %}" + TOOLS_TEXT + "{% endif %}"
    "{% if message.tool_calls %}{% if message.tool_calls | length > 1 %}{{ raise_exception('single tool calls') }}"
    "{% endif %}{{ message.content | trim }}"
    '{"name": "{{ message.tool_calls[0].function.name }}", "parameters": '
    "{{ message.tool_calls[0].function.arguments | tojson }}}"
    "{% else %}{{ message.content | trim }}{% endif %}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{{ '\n\n' }}{% endif %}"
)
END = "<|eot_id|>"
