"""Where a model comes from when its name is not a folder, one file a hub."""
