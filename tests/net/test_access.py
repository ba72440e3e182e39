# SPDX-License-Identifier: GPL-2.0-or-later
"""What a portal may reach is decided by the name in its certificate, on every open."""

import errno

from programs import Gate, Portal
from traffic import connect_error


def test_rules_are_by_name(lab, pki, tmp_path):
    """Two portals of one CA: each reaches what its own section allows and nothing else."""
    access = """
[Access branch]
Allow = 10.73.0.2/32
[Access other]
Allow = 10.73.0.3/32
"""
    gate = Gate(lab, tmp_path, pki, access=access).start()
    try:
        for certificate, allowed, denied in (("branch", "10.73.0.2", "10.73.0.3"), ("other", "10.73.0.3", "10.73.0.2")):
            portal = Portal(lab, tmp_path, pki, certificate=certificate).start()
            try:
                assert connect_error(lab, allowed, 1)[0] == errno.ECONNREFUSED
                assert connect_error(lab, denied, 1)[0] == errno.EHOSTUNREACH
            finally:
                portal.down()
    finally:
        gate.stop()
