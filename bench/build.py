"""How the running interpreter was built. A script too, for interpreters that cannot import us:

    python -I bench/build.py

prints why its speed is no yardstick, and then fails; it prints nothing where the interpreter is optimised.
"""

import sys
import sysconfig


def flags() -> dict[str, str]:
    """What `sysconfig` tells of the build."""
    names = ("CC", "CONFIG_ARGS", "PY_CFLAGS", "PY_CFLAGS_NODIST", "PGO_PROF_USE_FLAG")
    return {name: str(sysconfig.get_config_var(name) or "") for name in names}


def unoptimised() -> str | None:
    """Why this interpreter would flatter us; None where it was built with profile-guided optimisation."""
    if hasattr(sys, "gettotalrefcount"):
        return "is a debug build"
    built = flags()
    if "--enable-optimizations" in built["CONFIG_ARGS"]:
        return None
    if "-fprofile-use" in built["PY_CFLAGS_NODIST"] or "-fprofile-instr-use" in built["PY_CFLAGS_NODIST"]:
        return None
    # Debian and Ubuntu run the profile build themselves, without the option, and wipe its flags from sysconfig
    # afterwards. `configure` always fills in this one, so only a wiped one is empty.
    if sysconfig.get_config_var("PGO_PROF_USE_FLAG") == "":
        return None
    return "was built without --enable-optimizations"


if __name__ == "__main__":
    if reason := unoptimised():
        sys.exit(f"{sys.executable} {reason}")
