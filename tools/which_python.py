"""Say in plain words why a Python can't have what `make setup` installs, and what to do; say nothing if it can.

    python tools/which_python.py tested "make lab"

Run by the Makefile before pip, whose own words are no help. Any Python reads this file, also one that is far too old:
nothing newer than Python 2 stands in it.
"""

import platform
import sys

# The wheels of the TensorFlow in requirements.txt; a test holds them to what the locked version says of itself.
NEWEST = (3, 13)
MACHINES = {
    "Linux": ("x86_64", "aarch64"),  # with glibc
    "Darwin": ("arm64",),
    "Windows": ("AMD64",),
}


def reason(version, system, machine, libc):
    """Why the locked TensorFlow has no wheel for this Python, or nothing."""
    if version[:2] > NEWEST:
        return "for Python {}.{}".format(*version)
    if machine not in MACHINES.get(system, ()):
        return "for {} on {}".format("macOS" if system == "Darwin" else system, machine)
    if system == "Linux" and libc != "glibc":
        return "for a Linux without glibc, such as Alpine"
    return ""


def advice(lock, command, version, system, machine, libc):
    """What to print; nothing if all is well."""
    other = "{} PYTHON=python{}.{}".format(command, *NEWEST)
    if version < (3, 11):
        lines = [
            "This project needs Python 3.11 or newer; this is Python {}.{}.{}.".format(*version),
            "Name a newer one that you have: " + other,
        ]
    elif lock == "tested" and reason(version, system, machine, libc):
        ways = [
            (other, "a Python that it has a wheel for (make clean first, if there is a .venv)"),
            (command + " LOCK=newest", "the newest versions: TensorFlow may have one by now"),
            (command + " LOCK=without-tensorflow", "the course without its comparisons with Keras"),
        ]
        lines = [
            "The tested versions (requirements.txt) hold a TensorFlow that has no wheel "
            + reason(version, system, machine, libc)
            + ".",
            "It has wheels for Python 3.11 to {}.{}, on Linux with glibc (x86_64, aarch64), macOS (arm64)".format(
                *NEWEST
            ),
            "and Windows (x86_64). Choose one of:",
        ] + ["  {:<40} {}".format(*way) for way in (ways if version[:2] > NEWEST else ways[1:])]
    else:
        lines = []
    return "\n".join(lines)


if __name__ == "__main__":
    here = platform.system(), platform.machine(), platform.libc_ver()[0]
    words = advice(sys.argv[1], sys.argv[2], tuple(sys.version_info[:3]), *here)
    if words:
        print(words)
    sys.exit(bool(words))
