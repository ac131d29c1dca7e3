"""Property tests look for new examples at every run, except in continuous integration, where a run must mean the same twice."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("dev", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what it puts in the background with interrupts ignored
