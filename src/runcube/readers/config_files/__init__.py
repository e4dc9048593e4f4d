"""Configuration files beside logs and above them: JSON and YAML, by safe loading only.

``find`` knows their names and where they count; ``load`` reads and merges them: start there.
``json_text`` and ``yaml_text`` parse one file, ``carry`` keeps what a configuration may hold and
names the rest, ``hydra`` makes one configuration of the files that Hydra writes. May import
``core``, ``files`` and ``readers.lines``.
"""

from runcube.readers.config_files.carry import shown_keys
from runcube.readers.config_files.find import HYDRA, SIDECARS, find_sidecars, is_sidecar_name
from runcube.readers.config_files.hydra import is_unresolved
from runcube.readers.config_files.load import load_named, load_sidecars, merge, with_section

__all__ = [
    "HYDRA",
    "SIDECARS",
    "find_sidecars",
    "is_sidecar_name",
    "is_unresolved",
    "load_named",
    "load_sidecars",
    "merge",
    "shown_keys",
    "with_section",
]
