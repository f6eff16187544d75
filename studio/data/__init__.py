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

Nothing here imports torch, transformers or gradio.
"""
