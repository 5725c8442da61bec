"""`make machines`: by whatever right this user has to make networks, or without.

Root makes them at once, anybody else within a namespace of users; where neither may be, or NO_NAMESPACES
says so, machines share one network.
"""

import os
import shutil
import subprocess
import sys

# Each with what else would do.
NEEDED = (("etcd",), ("etcdctl",), ("haproxy",), ("valkey-cli", "redis-cli"))
OF_DEBIAN = "etcd-server, etcd-client, haproxy, redis-tools"
WITHIN = ["unshare", "--user", "--map-root-user", "--net", "--"]


def main() -> None:
    if missing := [" or ".join(names) for names in NEEDED if not any(map(shutil.which, names))]:
        sys.exit(f"make machines: {', '.join(missing)} not found (Debian: {OF_DEBIAN})")
    # Another -k takes the place of this one.
    words = ["-q", "-s", "-rs", "-k", "not documented_steps", *sys.argv[1:]]
    command = [sys.executable, "-m", "pytest", "tests/machines", *words]
    if os.geteuid() != 0 and not os.environ.get("NO_NAMESPACES") and _may_be_root_within():
        command = [*WITHIN, *command]
    os.execvp(command[0], command)


def _may_be_root_within() -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*WITHIN, "true"], capture_output=True).returncode == 0


if __name__ == "__main__":
    main()
