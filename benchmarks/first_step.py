"""CPU-seconds of a whole run of one optimizer step: `first_step.py [contestant …] [--rounds N]`.

From the command to its end, so the studio pays for its client, its supervisor and the checkpoint that it writes.
"""

from __future__ import annotations

import sys

from materials import ROWS
from measure import contest
from train_cost import run

CONTESTANTS = {"studio": ("studio", {"compute_type": "fp32"}), "llamafactory": ("llamafactory", {}), "trl": ("trl", {}),
               "trainer": ("trainer", {})}

if __name__ == "__main__":
    chosen = {name: (lambda peer=peer, options=options: run(peer, dict(options), ROWS, max_steps=1))
              for name, (peer, options) in CONTESTANTS.items()}
    contest("From the command to one optimizer step over 2,000 rows", chosen, "studio", "CPU-s", sys.argv[1:])
