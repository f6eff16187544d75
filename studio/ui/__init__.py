"""The page, and the only room that knows Gradio: analytics and version checks are off before it is imported."""

import os

from studio.ui.waking import let_sleep, without_stubs

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
let_sleep("pandas")
without_stubs()
