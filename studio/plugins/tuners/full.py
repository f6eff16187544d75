"""Full fine-tuning: every weight moves."""

ORDER = 40
