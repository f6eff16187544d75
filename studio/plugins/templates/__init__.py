"""How a chat is spelled (argument `template`), one file a template; each has JINJA, or None for the model's own."""
