"""Where a model comes from when its name is not a folder, one file a hub: `fetch(name, revision, target, on_progress)`.

`fetch` brings the files of a model that the studio may open (safetensors, settings, tokenizers; never pickles or
code) into the folder `target` and returns it; an interrupted download goes on where it stopped.
"""
