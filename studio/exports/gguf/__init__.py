"""The GGUF format, which llama.cpp, Ollama and LM Studio open: families, tokenizers, numbers.

    making       a source becomes one file: `make`, `sizes`
    layout       architecture, keys and tensors of a model, by its family
    family       what families have in common; llama, qwen, gemma, glm, gpt: the families
    kinds        the types of numbers and what they take
    vocabulary   tokens, merges and special tokens; splits, pieces: proved to be the model's own
    writer       the file, a block of rows at a time
    quantizer    K-types, by llama.cpp in a child process
    modelfile    what Ollama reads beside the file; gotemplate: templates in its language
"""
