"""Runs some lines of Python one after the other and tells how long each kept the processor busy."""

import gc
import sys
import time
from typing import Any

gc.disable()  # as the layer has it while all is imported
names: dict[str, Any] = {}
for line in sys.argv[1:]:
    began = time.process_time_ns()
    exec(line, names)  # noqa: S102 - lines of ours
    print((time.process_time_ns() - began) / 1e6)
