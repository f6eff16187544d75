"""Models taken home, without torch: what is exported, where it goes, how it is weighed up and described.

    source       what is exported: a model's folder, the adapters on it, the run that they come from
    work         what a form is given to write with
    weights/     tensors streamed from safetensors to wherever they go, adapters merged on the way
    gguf/        the GGUF format: families, tokenizers, numbers
    speech       chat template, end tokens and generation settings as the result must have them
    place        aside, then renamed: nothing or a whole export
    admission    whether an export may start
    forecast     size, memory and time before
    rows         which rows an acceptance test replays
    comparison   what two replays have in common
    acceptance   the verdict, and how it is said
    card/        the model card
    shelf        what was exported before
"""
