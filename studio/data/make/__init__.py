"""Datasets that the studio makes itself, by a seed: sums and differences, and who the assistant is.

    arithmetic.py   problems, their questions in two languages, and a held-out side that shares no pair of numbers
    identity.py     self-cognition, with a name and an author filled in
    registered.py   made rows as datasets of the catalogue
    phrases.yaml    everything they say

The generators of the shipped samples (`data/making`) draw from the same phrases.
"""
