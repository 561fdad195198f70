"""Submit in one process, work in another: the folder is all that they share.

The worker here is `omnifex worker`, as one would start it in another terminal or as a service.
"""

import subprocess
import sys

from omnifex import Studio

with Studio(workers=0) as studio:
    job = studio.submit("image", prompt="a purple moon on a black background", seed=7)
    print(f"{job.status}, and {'somebody' if studio.served else 'nobody'} is there to work")

    command = [sys.executable, "-m", "omnifex", "worker", "--home", str(studio.home)]
    worker = subprocess.Popen(command)
    try:
        (picture,) = job.result(timeout=120)
        there = "is" if "torch" in sys.modules else "is not"
        print(f"{picture.save('moon.png')}, and torch {there} loaded here")
    finally:
        worker.terminate()  # what is not done goes back to the queue
        worker.wait()
