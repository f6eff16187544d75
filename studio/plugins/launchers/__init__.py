"""Where a run runs (argument `launcher`), one file a launcher: `command(spec, run_folder, python) -> list[str]`."""
