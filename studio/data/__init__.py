"""Datasets without training: what there is, what it says, how it is spelled for a model, and its tokens.

    catalogue.py        the list of datasets: dataset_info.json, the user's above the shipped
    catalogue_file.py   that file written back, every byte but the changed entry's as it was
    catalogue_parts.py  which files a subset, folder and split mean
    reading/            rows out of files of every usual kind
    (plugins/formats)   a row becomes a studio.sample.Sample, or a counted reason why not
    recognise.py        which format rows have, and which column which role
    convert.py          a dataset written in another format, where nothing is lost
    tokenizer_files.py  a tokenizer and its settings out of a model folder
    jinja.py            the language of chat templates, sandboxed
    chat.py             ChatTokenizer: a Sample becomes text, token ids and the mask of what is trained
    answers.py          where in the rendered text the assistant's words stand
    cache.py, tokens.py tokenised rows on disk, memory-mapped
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
