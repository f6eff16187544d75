"""The only room that knows torch; entered as a program, `python -m studio.engine <verb> <run>`."""
