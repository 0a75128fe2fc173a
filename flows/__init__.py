"""The release. Every process of this room imports this first, whichever way it was started."""

import os

# ONNX Runtime reports to its maker, and keeps an id of the machine in the home folder, unless the
# environment says otherwise before it is imported. Its own switch comes too late for both.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
