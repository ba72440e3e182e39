# SPDX-License-Identifier: GPL-2.0-or-later
"""Two portals with one certificate at a gate that lets the newer login replace the older one."""

import time

from lab import wait_until
from programs import Gate, Portal


def test_two_holders_of_one_certificate_take_turns(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki).start()
    one = Portal(lab, tmp_path, pki)
    two = Portal(lab, tmp_path, pki, name="twin", device="usher1", routes="192.0.2.0/24")
    reason = "another portal with this certificate takes its place at the gate again and again"
    try:
        one.start()
        two.start()
        wait_until(lambda: reason in one.log() and reason in two.log(), 30, "both know")
        time.sleep(8)
        assert gate.log().count("a newer login replaces worker") < 12  # it was five a second
        assert gate.log().count("branch: its logins replace each other again and again") == 1
        assert len(gate.worker_pids()) == 1
        # Who is left alone has the tunnel again, and keeps it.
        two.down()
        one.wait_up(20)
    finally:
        one.down(check=False)
        two.down(check=False)
        gate.stop()
