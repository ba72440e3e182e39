# SPDX-License-Identifier: GPL-2.0-or-later
"""All network tests in half the time: most of them wait for most of theirs. Two files at a time, each with a /run/usher and a
/run/netns of its own, so that they do not meet; then, one after the other, those that measure what the machine can do.

    python3 tests/net/streams.py [FILE...]        ends as pytest would, with one line on all of them"""

import pathlib
import queue
import re
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
STREAMS = 2
ALONE = {f"test_{name}.py" for name in ("endurance", "extranet_traffic", "flood", "idle", "long_path", "many_flows", "resume",
                                        "small_machine", "transfer", "udp", "upgrade", "wan")}
# What takes longest begins first.
LONG = [f"test_{name}.py" for name in ("gates", "enrol", "console", "passphrase", "hostile_gate", "hostile_portal", "run", "explain",
                                       "local", "portal_reload", "uplinks", "drain")]
ROOM = "mount -t tmpfs -o mode=755 run /run/usher && mount -t tmpfs -o mode=755 netns /run/netns && exec \"$@\""


def run(path, results):
    argv = ["unshare", "-m", "--propagation", "private", "sh", "-c", ROOM, "sh", sys.executable, "-m", "pytest", "-q", "-p",
            "no:cacheprovider", str(path)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace")
    results.append((path.name, done.returncode, done.stdout))


def drain(files, results):
    while True:
        try:
            path = files.get_nowait()
        except queue.Empty:
            return
        run(path, results)


def order(path):
    return LONG.index(path.name) if path.name in LONG else len(LONG), path.name


def count(results, word):
    return sum(int(number) for _, _, said in results for number in re.findall(rf"(\d+) {word}", said.rstrip().rsplit("\n", 1)[-1]))


def main():
    paths = [pathlib.Path(name).resolve() for name in sys.argv[1:]] or sorted(HERE.glob("test_*.py"))
    begun, results, files = time.monotonic(), [], queue.Queue()
    for directory in ("/run/usher", "/run/netns"):
        pathlib.Path(directory).mkdir(mode=0o755, exist_ok=True)
    for path in sorted((path for path in paths if path.name not in ALONE), key=order):
        files.put(path)
    streams = [threading.Thread(target=drain, args=(files, results)) for _ in range(STREAMS)]
    for stream in streams:
        stream.start()
    for stream in streams:
        stream.join()
    for path in paths:
        if path.name in ALONE:
            run(path, results)
    for name, code, said in sorted(results):
        figures = re.findall(r"^figure: .*$", said, re.M)
        if code not in (0, 5):  # 5: nothing in it was to be run
            print(f"---- {name}\n{said}")
        elif figures:
            print("\n".join(figures))
    bad = sum(code not in (0, 5) for _, code, _ in results)
    failed = count(results, "failed") + count(results, "errors?")
    print(f"{count(results, 'passed')} passed, {max(failed, bad)} failed, {count(results, 'skipped')} skipped "
          f"in {time.monotonic() - begun:.1f}s")
    sys.exit(bad > 0)


if __name__ == "__main__":
    main()
