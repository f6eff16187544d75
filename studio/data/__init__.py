"""Datasets without training: catalogue, reading, templates, tokens; never imports torch."""
