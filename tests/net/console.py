# SPDX-License-Identifier: GPL-2.0-or-later
"""usher-console, started as somebody who is not root, and a browser's hands: cookies, forms, redirects."""

import contextlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.parse

from lab import BUILD, patience, wait_until

USHER_CONSOLE = BUILD / "usher-console"
NOBODY, GAMES = 65534, 60


def as_nobody(*groups):
    return ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY),
            *(["--groups", ",".join(map(str, groups))] if groups else ["--clear-groups"])]


def prefix():
    """A runtime directory of nobody's, where everybody may look."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="usher-console-"))
    directory.chmod(0o755)
    return directory


class Answer:
    def __init__(self, response, body):
        self.status, self.headers, self.body = response.status, response.headers, body

    @property
    def text(self):
        return self.body.decode()


class Console:
    def __init__(self, directory, text="", root=None, groups=(), host=None, environment=None):
        self.directory, self.host = directory, host
        self.conf, self.audit, self.log_path = directory / "console.conf", directory / "audit", directory / "console.log"
        self.audit.touch()
        os.chown(self.audit, NOBODY, NOBODY)
        if "Listen" not in text:
            text = "Listen = 127.0.0.1:0\n" + text
        self.conf.write_text(f"[Console]\nAuditFile = {self.audit}\nInterval = 500ms\n{text}\n")
        env = {**os.environ, **(environment or {})}
        if root:
            env["XDG_RUNTIME_DIR"] = str(root)
        argv = [*as_nobody(*groups), USHER_CONSOLE, self.conf]
        with open(self.log_path, "ab") as log:
            self.process = (host.start if host else subprocess.Popen)(argv if not host else argv[0], *(argv[1:] if host else []),
                                                                      stdout=log, stderr=log, env=env)
        self.cookie = None

    def log(self):
        return self.log_path.read_text()

    def link(self):
        return wait_until(lambda: re.findall(r"http\S+/login\?token=\w+", self.log()), 10, f"a link\n{self.log()}")[-1]

    def where(self):
        return urllib.parse.urlsplit(self.link()).netloc

    def ask(self, path, method="GET", body=None, cookie=True, connection=None, **headers):
        connection = connection or http.client.HTTPConnection(self.where(), timeout=patience(20))
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if cookie and self.cookie:
            headers["Cookie"] = self.cookie
        if body is not None and not isinstance(body, (str, bytes)):
            body = urllib.parse.urlencode(body)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response, response.read())

    def log_in(self):
        link = urllib.parse.urlsplit(self.link())
        answer = self.ask(f"{link.path}?{link.query}")
        assert answer.status == 200, answer.text
        self.cookie = answer.headers["Set-Cookie"].split(";")[0]
        return answer

    def token(self):
        return re.search(r'name="token" value="(\w+)"', self.ask("/").text)[1]

    def post(self, path, **fields):
        return self.ask(path, "POST", {"token": self.token(), **fields}, Origin=f"http://{self.where()}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(patience(10))
        assert "Sanitizer" not in self.log() and "runtime error:" not in self.log(), self.log()
        return code


@contextlib.contextmanager
def serving(*args, **kwargs):
    directory = prefix()
    console = Console(directory, *args, **kwargs)
    try:
        yield console
    finally:
        if console.process.poll() is None:
            assert console.stop() == 0
        shutil.rmtree(directory)
