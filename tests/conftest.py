"""What every test may count on, however the tests were started."""

from __future__ import annotations

import signal

# A shell that starts the tests in the background, or nohup, leaves these ignored, and children inherit that: the tests
# that press Ctrl-C or hang up would press on nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
