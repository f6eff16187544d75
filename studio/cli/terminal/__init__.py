"""The terminal's chat: what is typed, what is meant by it, what is shown; who answers is behind a server."""
