"""Datasets without training: what there is, what it says, how it is spelled for a model, and its tokens.

    catalogue.py        the list of datasets: dataset_info.json, the user's above the shipped
    catalogue_file.py   that file written back, every byte but the changed entry's as it was
    catalogue_parts.py  which files a subset, folder and split mean
    reading/            rows out of files of every usual kind
    (plugins/formats)   a row becomes a studio.sample.Sample, or a counted reason why not
    recognise.py        which format rows have, and which column which role
    convert.py          a dataset written in another format, where nothing is lost
    tokenizer_files.py  a tokenizer and its settings out of a model folder (sentencepiece.py reads such models)
    templates.py        chat templates by name: the studio's kinds, and those that a user writes
    jinja.py            the language of chat templates, sandboxed
    chat.py             ChatTokenizer: a Sample becomes text, token ids and the mask of what is trained
    turns.py            messages as chat templates take them: words, thinking, calls
    answers.py          where in the rendered text the assistant's words stand
    spelling.py         a template learned by heart, so that most rows need not be rendered
    mask.py             which tokens of a text are trained, given the answers in it
    walk.py             every row of a dataset with its place, and the Sample or the reason why there is none
    options.py          Reading: what besides the rows decides which tokens they become
    tokenise.py         one dataset becomes token rows, once; fingerprint.py notices changed files, counts.py counts
    cache.py, tokens.py tokenised rows on disk, two bytes a token, memory-mapped
    mix.py              several datasets as one, by strategy and shares
    prepare.py          the road from a spec to training rows, with every row counted
    model.py            model folders looked at without loading them
    index.py            any row in a moment: where rows begin and end in their files (scanning.py, places.py)
    browse.py           pages, orders and filters over an index; search.py looks through its rows
    edits.py            what is to change, in a draft that keeps every step
    versions.py         NAME@2: versions made of edits, never overwritten; difference.py tells them apart
    aside.py            folders that come into being whole or not at all
    microscope.py       one row token by token, as training has it; pieces.py knows the bytes of a token
    preview.py          the first rows as training has them
    statistics.py       lengths, languages and what a cutoff_len would do (lengths.py, scripts.py, cutoffs.py)
    plain.py            a plain text in tokens
    make/, split.py     datasets made by a seed, and datasets split by one

Nothing here imports torch, transformers or gradio.
"""
