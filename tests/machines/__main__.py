"""`make machines`: by whatever right this user has to make networks, or without.

Root makes them at once, anybody else within a namespace of users; where neither may be, or NO_NAMESPACES
says so, machines share one network.
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
    if os.geteuid() != 0 and not os.environ.get("NO_NAMESPACES") and _may_be_root_within():
        command = [*WITHIN, *command]
    os.execvp(command[0], command)


def _may_be_root_within() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*WITHIN, "true"], capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
