"""Jobs of all modalities, submitted by several processes to one home."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from omnifex import Studio

SUBMIT = """
import sys
from itertools import cycle, islice
from omnifex import Studio

PROMPTS = {
    "image": "a red circle",
    "video": "a blue star moving left",
    "audio": "a sine tone at A4",
    "mesh": "a green cube",
}
home, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with Studio(home, workers=0) as studio:
    for seed, modality in zip(range(first, first + count), cycle(PROMPTS)):
        studio.submit(modality, prompt=PROMPTS[modality], seed=seed, steps=8)
"""
SHARES = (13, 13, 12, 12)


def test_fifty_jobs_from_four_processes_all_succeed_once_on_one_backbone(tmp_path: Path) -> None:
    Studio(tmp_path, workers=0).close()  # so that the four find the models registered
    submitting = [
        subprocess.Popen([sys.executable, "-c", SUBMIT, str(tmp_path), str(100 * i), str(share)])
        for i, share in enumerate(SHARES)
    ]
    with Studio(tmp_path) as studio:
        assert [process.wait(timeout=120) for process in submitting] == [0, 0, 0, 0]
        jobs = studio.jobs(limit=100)
        for job in jobs:
            job.result(timeout=240)
        resident = Counter(resident.component.id for resident in studio.residents())
        backbone = studio.models.show("prism").components["transformer"].id
    assert len(jobs) == 50
    assert all(job.record.attempt == 1 for job in jobs)
    assert resident[backbone] == 1
    assert set(resident.values()) == {1}
