"""What to move (argument `finetuning_type`), one file a tuner; each has ORDER and, if it needs any, Arguments."""
