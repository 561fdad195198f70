"""Imported last by the process that others are forked from.

A whole group may be told to stop; this process ends when its supervisor has, and then at once.
"""

import atexit
import os
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
atexit.register(os._exit, 0)  # taking torch apart takes seconds, and its forks live as long
