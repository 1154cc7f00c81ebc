"""JupyterHub for a class: everybody finds the students' edition in their home, and goes on in it the next time.

    jupyterhub -f docs/hub/jupyterhub_config.py

Before: the course's environment (`make setup`) with JupyterHub in it, and `make student`, which is what is handed out.
A notebook in which somebody has written is never written over. Change what is marked; the rest may stay.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

COURSE = Path(
    os.environ.get("LSTM_COURSE", Path.cwd())
)  # the checkout, which every student must be able to read
EDITION = COURSE / "student"
FOLDER = "lstm_course"  # in the home of each student

c: Any = get_config()  # type: ignore[name-defined] # noqa: F821

# Change: who may log in, and how. PAM asks for the password that a user has on this machine.
c.JupyterHub.authenticator_class = "pam"
c.Authenticator.allow_all = True

c.Spawner.default_url = f"/lab/tree/{FOLDER}/00_start_here.ipynb"
# A step of training is spread over threads that wait for each other where many students share the cores
c.Spawner.environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
c.Spawner.mem_limit = (
    "3G"  # held by spawners that can (Docker, Kubernetes, systemd); TensorFlow alone takes 0.6 GB
)
c.JupyterHub.shutdown_on_logout = True


def hand_out(home: Path, owner: tuple[int, int] | None = None) -> list[str]:
    """Copy the notebooks that the student doesn't have yet; their names."""
    there = home / FOLDER
    there.mkdir(parents=True, exist_ok=True)
    new = [
        path for path in sorted(EDITION.glob("*.*")) if path.is_file() and not (there / path.name).exists()
    ]
    for path in new:
        shutil.copy(path, there)
    if owner:
        for path in (there, *there.iterdir()):
            os.chown(path, *owner)
    return [path.name for path in new]


def before_start(spawner: Any) -> None:
    """Hand out to a user of this machine; elsewhere (Docker, Kubernetes) the edition stands in the image."""
    import pwd

    user = pwd.getpwnam(spawner.user.name)
    hand_out(Path(user.pw_dir), (user.pw_uid, user.pw_gid) if os.geteuid() == 0 else None)


c.Spawner.pre_spawn_hook = before_start
