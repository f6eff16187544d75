"""The server of one base model and its checkpoints: the front that speaks HTTP, the host that owns the model."""
