# SPDX-License-Identifier: GPL-2.0-or-later
"""Every example of the manual is one that `check` accepts: what people copy must work."""

import pathlib
import re

import pytest

from lab import ROOT, run
from programs import USHER_GATE, USHER_TUN

MANUAL = pathlib.Path(ROOT) / "doc/man/usher.conf.5"

PORTAL = """[Portal]
CA = /etc/usher/pki/ca.crt
Certificate = /etc/usher/pki/branch.crt
Key = /etc/usher/pki/branch.key
[Gate]
Address = gate.example.net:4433
"""
GATE = """[Gate]
CA = /etc/usher/pki/ca.crt
Certificate = /etc/usher/pki/gate.example.net.crt
Key = /etc/usher/pki/gate.example.net.key
"""


def examples():
    """The literal displays of the manual that have a section in them."""
    blocks, block = [], None
    for line in MANUAL.read_text().splitlines():
        if line.startswith(".Bd -literal"):
            block = []
        elif line == ".Ed":
            text = "\n".join(block)
            if re.search(r"^\[", text, re.M):
                blocks.append(text)
            block = None
        elif block is not None:
            block.append(line.replace(r"\&", "").replace(r"\-", "-"))
    return blocks


def belongs_to_portal(text):
    return "[Portal]" in text or "[Accept]" in text


def whole(text):
    """A file of its own, or lines to be put below those that every file needs."""
    if re.search(r"^CA =", text, re.M):
        return text
    return (PORTAL if belongs_to_portal(text) else GATE) + "\n" + text


def merged(text):
    """Each section once, as a file has it."""
    sections, name = {}, None
    for line in text.splitlines():
        if line.startswith("["):
            name = line.split(";")[0].strip()
            sections.setdefault(name, [])
        elif line.strip():
            sections[name].append(line)
    return "\n".join(f"{name}\n" + "\n".join(lines) for name, lines in sections.items()) + "\n"


def placed(text, pki, directory):
    """Its paths lead to files that there are."""
    for path in sorted(set(re.findall(r"/etc/usher/[\w./-]+", text)), key=len, reverse=True):
        name = path.rsplit("/", 1)[1]
        target = pki / name
        if not target.exists():
            target = directory / name
            target.write_text("secret\n")
            target.chmod(0o600)
        text = text.replace(path, str(target))
    return text


@pytest.mark.parametrize("number", range(len(examples())))
def test_an_example_is_accepted(number, pki, tmp_path):
    text = examples()[number]
    conf = tmp_path / "example.conf"
    conf.write_text(placed(merged(whole(text)), pki, tmp_path))
    done = run(USHER_TUN if belongs_to_portal(text) else USHER_GATE, "check", conf, check=False)
    assert done.returncode == 0, done.stderr + conf.read_text()


def test_there_are_examples():
    assert len(examples()) >= 2
