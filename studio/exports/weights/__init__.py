"""Weights on their way from one safetensors folder to another form, a block of rows at a time, adapters merged.

    stream    Stream: what the result holds, and its numbers when they are asked for
    writing   safetensors files of a chosen size, their headers known beforehand
    parts     an adapter's file as changes of the model's tensors
    changes   LoRA, DoRA and whole tensors, applied to a block of rows
    files     tensors in safetensors files
    bitwise   bitsandbytes' 4- and 8-bit tensors as ordinary numbers
    numbers   float32, float16 and bfloat16 in numpy, which knows no bfloat16

Without torch; a tensor of any size takes the memory of one block.
"""

from studio.exports.weights.stream import Planned, Stream, stream
from studio.exports.weights.writing import WEIGHTS, write

__all__ = ["WEIGHTS", "Planned", "Stream", "stream", "write"]
