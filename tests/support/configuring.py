"""The settings as another process reads them from its environment."""

import json
import os
import subprocess
import sys

from tests.support.serving import ROOT

# Purpose: all settings that are data, as JSON.
SHOW = """
import json, re
from transaction_monitoring import settings
shown = {name: repr(getattr(settings, name)) for name in dir(settings) if name.isupper()}
# But where it happens to lie in memory.
print(json.dumps({name: re.sub(" at 0x[0-9a-f]+", "", value) for name, value in shown.items()}))
"""


def settings_with(environment: dict[str, str]) -> dict[str, str]:
    """All settings under that environment. Raises subprocess.CalledProcessError where it is wrong."""
    bare = {"PATH": os.environ["PATH"], "DATA_DIR": "/nonexistent", **environment}
    shown = subprocess.run([sys.executable, "-c", SHOW], cwd=ROOT, env=bare, capture_output=True, check=True)
    found: dict[str, str] = json.loads(shown.stdout)
    return found
