"""Exports as the engine does them: the course of one, and the programs that open what was made."""
