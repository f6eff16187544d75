"""How an argument is declared, and all that follows from it: flags, YAML, problems, reference page."""

from studio.args.fields import Argument, Group, Kind, arg, arguments

__all__ = ["Argument", "Group", "Kind", "arg", "arguments"]
