# SPDX-License-Identifier: GPL-2.0-or-later
"""A real browser, headless, by the WebDriver protocol of its driver: no more than HTTP and JSON."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from lab import patience, wait_until

IS_HERE = shutil.which("chromium") and shutil.which("chromedriver")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
TAB, ENTER = "\ue004", "\ue007"


class Browser:
    def __init__(self, script=True, dark=False, width=1280, height=900):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.profile = tempfile.mkdtemp(prefix="usher-browser-")
        self.base = f"http://127.0.0.1:{port}"
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self.is_ready, 20, "chromedriver")
        options = {"args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                            f"--user-data-dir={self.profile}", f"--window-size={width},{height}"],
                   "prefs": {} if script else {"profile.managed_default_content_settings.javascript": 2}}
        capabilities = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self.call("POST", "/session", {"capabilities": {"alwaysMatch": capabilities}})["sessionId"]
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 500)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def is_ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except OSError:
            return False

    def call(self, method, path, body=None):
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            return json.load(urllib.request.urlopen(request, timeout=patience(60)))["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(error.read().decode()) from None

    def do(self, method, path, body=None):
        return self.call(method, f"/session/{self.session}{path}", body)

    def cdp(self, command, **params):
        return self.do("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def open(self, url):
        self.do("POST", "/url", {"url": url})

    def url(self):
        return self.do("GET", "/url")

    def find(self, css):
        return [found[ELEMENT] for found in self.do("POST", "/elements", {"using": "css selector", "value": css})]

    def first(self, css):
        """A page that follows by itself is not there at once."""
        return wait_until(lambda: self.find(css), 5, css)[0]

    def text(self, css="main"):
        try:
            return self.do("GET", f"/element/{self.first(css)}/text")
        except AssertionError as error:  # the page that had it has gone between the two questions
            if "stale element" not in str(error):
                raise
            return self.do("GET", f"/element/{self.first(css)}/text")

    def click(self, css):
        self.do("POST", f"/element/{self.first(css)}/click", {})

    def type(self, css, text):
        self.do("POST", f"/element/{self.first(css)}/value", {"text": text})

    def press(self, keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self.do("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def script(self, text, *args):
        return self.do("POST", "/execute/sync", {"script": text, "args": list(args)})

    def complaints(self):
        """What its console says: errors of scripts, and breaches of the policy."""
        return [entry["message"] for entry in self.do("POST", "/se/log", {"type": "browser"})]

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.do("GET", "/screenshot")))

    def close(self):
        with contextlib.suppress(AssertionError, OSError):
            self.do("DELETE", "")
        self.driver.terminate()
        self.driver.wait()
        for _ in range(20):  # its helpers may still write there
            shutil.rmtree(self.profile, ignore_errors=True)
            time.sleep(0.05)


@contextlib.contextmanager
def browsing(**kwargs):
    browser = Browser(**kwargs)
    try:
        yield browser
    finally:
        browser.close()
