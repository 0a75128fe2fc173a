"""Where the code of Sluice lies.

This module imports nothing of ours: the key of every step that needs a file of the checkout takes
its code, and should take no other with it.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
