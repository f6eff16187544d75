"""A studio in which a person fine-tunes a language model by pointing and clicking, in Chinese or English."""

__version__ = "0.1.0"
