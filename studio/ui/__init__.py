"""The only room that knows gradio: the page."""
