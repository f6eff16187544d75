"""The generators behind the shipped samples and the starter model; every sentence was written for them.

What the studio makes on its page too lives in `studio/data/make`; its room is put in reach of the scripts beside this.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2]))
