"""Workers: processes, or threads of one, that claim the jobs of a home and run them."""

import logging

# A library keeps its log to itself until the program asks for it, as `omnifex worker` does.
logging.getLogger("omnifex").addHandler(logging.NullHandler())
