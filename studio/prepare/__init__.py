"""Making `.venv`: what `launch.py` does before the studio's packages exist, so only the standard library is used."""
