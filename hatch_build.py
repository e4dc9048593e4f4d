"""Compile the kernel of JSON lines where that can be done; without it the wheel is pure Python.

``RUNCUBE_REQUIRE_KERNEL=1`` makes a failure an error; ``RUNCUBE_KERNEL=0`` leaves it out.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = "src/runcube/readers/kernel"
FLAGS = ["/O2", "/std:c11"] if sys.platform == "win32" else ["-O3", "-std=c11"]


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        folder = Path(self.root, FOLDER)
        # An editable installation would go on with what an older source was compiled to.
        for old in [*folder.glob("_jsonlines*.so"), *folder.glob("_jsonlines*.pyd")]:
            old.unlink()
        if os.environ.get("RUNCUBE_KERNEL") == "0":
            return
        try:
            built = compiled(folder)
        except Exception as error:
            if os.environ.get("RUNCUBE_REQUIRE_KERNEL") == "1":
                raise
            self.app.display_warning(f"runcube without its kernel in C, which is slower: {error}")
            return
        # Of this machine alone: what repairs a wheel for others renames it too.
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"cp311-abi3-{platform}"
        build_data["pure_python"] = False
        build_data["artifacts"].append(f"{FOLDER}/{built.name}")


def compiled(folder):
    """Path of the extension, beside its source."""
    from setuptools import Distribution, Extension
    from setuptools.command.build_ext import build_ext

    name = "runcube.readers.kernel._jsonlines"
    source = str(folder / "jsonlines.c")
    extension = Extension(name, [source], extra_compile_args=FLAGS, py_limited_api=True)
    command = build_ext(Distribution({"name": "runcube", "ext_modules": [extension]}))
    with tempfile.TemporaryDirectory() as temporary:
        command.build_lib = command.build_temp = temporary
        command.ensure_finalized()
        command.run()
        return Path(shutil.copy(command.get_ext_fullpath(name), folder))
