"""`make machines`: by whatever right this user has to make networks, or without.

Root makes them at once, anybody else within a namespace of users; where neither may be, machines share one.
"""

import os
import shutil
import subprocess
import sys

NEEDED = ("etcd", "etcdctl", "haproxy")
WITHIN = ["unshare", "--user", "--map-root-user", "--net", "--"]


def main() -> None:
    if missing := [name for name in NEEDED if shutil.which(name) is None]:
        sys.exit(f"make machines: {', '.join(missing)} not found (Debian: etcd-server, etcd-client, haproxy)")
    command = [sys.executable, "-m", "pytest", "tests/machines", "-q", "-s", *sys.argv[1:]]
    is_allowed = os.geteuid() != 0 and shutil.which("unshare") is not None
    if is_allowed and subprocess.run([*WITHIN, "true"], capture_output=True).returncode == 0:
        command = [*WITHIN, *command]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
