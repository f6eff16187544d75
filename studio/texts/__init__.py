"""Words: `say(lang, key, **values)` speaks every sentence of the studio from `locales/<lang>.yaml`."""

from studio.texts.speak import LANGUAGES, has, languages, listed, say, sentences

__all__ = ["LANGUAGES", "has", "languages", "listed", "say", "sentences"]
