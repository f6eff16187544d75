"""The command line: one file a verb, flags generated from the declarations."""
