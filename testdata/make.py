#!/usr/bin/env python3
"""Makes the captures of this directory anew: `make.py` for all, `make.py NAME…` for some (a prefix is enough).

`make.py --check` only verifies that each capture has its description and the reverse, and that all are small.
Needs Python 3.11 and, in the PATH, openssl 3.0 and curl; cases for further programs are skipped, loudly, where those are missing.
"""
import os
import shutil
import sys
import tempfile
import tomllib

from lab import case, pki
from lab.cases import CASES

HERE = os.path.dirname(os.path.abspath(__file__))
SUFFIXES = (".pcapng", ".pcap", ".pcapng.gz", ".pcap.gz")
FILE_LIMIT, TOTAL_LIMIT = 64 * 1024, 1536 * 1024


def check():
    """Prints what is wrong with the directory; returns the number of complaints."""
    complaints, total = [], 0
    captures, descriptions = {}, {}
    for folder, folders, names in os.walk(HERE):
        folders[:] = sorted(name for name in folders if name not in ("lab", "__pycache__"))
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, HERE)
            suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
            if suffix:
                captures[relative.removesuffix(suffix)] = relative
                total += os.path.getsize(path)
                if os.path.getsize(path) > FILE_LIMIT:
                    complaints.append(f"{relative}: {os.path.getsize(path)} bytes, at most {FILE_LIMIT} are allowed")
            elif name.endswith(".toml"):
                descriptions[relative.removesuffix(".toml")] = relative
                with open(path, "rb") as file:
                    content = tomllib.load(file)
                for key in ("title", "how", "expect"):
                    if key not in content:
                        complaints.append(f"{relative}: has no `{key}`")
            elif folder != HERE:
                complaints.append(f"{relative}: neither a capture nor its description")
    complaints += [f"{captures[name]}: has no description" for name in sorted(captures.keys() - descriptions.keys())]
    complaints += [f"{descriptions[name]}: has no capture" for name in sorted(descriptions.keys() - captures.keys())]
    known = {one.name for one in CASES}
    complaints += [f"{captures[name]}: no case makes it" for name in sorted(captures.keys() - known)]
    complaints += [f"{name}: made by a case, but not here" for name in sorted(known - captures.keys())]
    if total > TOTAL_LIMIT:
        complaints.append(f"all captures: {total} bytes, at most {TOTAL_LIMIT} are allowed")
    for line in complaints:
        print(line)
    print(f"{len(captures)} captures, {total} bytes, {len(complaints)} complaints")
    return len(complaints)


def main(arguments):
    if arguments == ["--check"]:
        return 1 if check() else 0
    wanted = [one for one in CASES if not arguments or any(one.name.startswith(name) for name in arguments)]
    if not wanted:
        print("no case has such a name; the families are", *sorted({one.name.split("/")[0] for one in CASES}))
        return 2
    with tempfile.TemporaryDirectory(prefix="tlscope-lab-") as folder:
        if any(one.client for one in wanted):
            pki.make(folder)
        for one in wanted:
            programs = [words[0] for words in [one.server, one.client] if words and isinstance(words[0], str)]
            missing = [program for program in [*programs, *one.programs] if not shutil.which(program)]
            if missing:
                print(f"SKIPPED {one.name}: {', '.join(missing)} not found")
            else:
                case.make(one, folder)
    return 1 if not arguments and check() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
