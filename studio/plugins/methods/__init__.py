"""How to learn (argument `stage`), one file a method.

A method's module has
    ORDER       its place in the list
    Arguments   a Group with its own arguments, or nothing
    LAYOUT      what a row of data must become: "chat" (conversations) …
    train(job)  called in the engine; torch is imported inside it
"""
