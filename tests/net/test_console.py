# SPDX-License-Identifier: GPL-2.0-or-later
"""The console: who gets in, what a page elsewhere can do, what it shows of whom, and what its buttons do."""

import contextlib
import errno
import grp
import http.client
import html
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest

import fake_instances
from console import GAMES, NOBODY, USHER_CONSOLE, Console, as_nobody, prefix, serving
from lab import DENIED4, ROOT, patience, run, wait_until
from programs import Gate, Portal

pytestmark = pytest.mark.skipif(not USHER_CONSOLE.exists(), reason="built without libmicrohttpd")

HOSTILE = ['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', "';alert(1)//", "a&lt;b", "\u202egnp.exe", "&#60;b&#62;",
           "{{7*7}}", "%3Cscript%3E", "a\nb", "</title><script>"]


@pytest.fixture(scope="module")
def root():
    """Instances that are not there, served by this process: so they are root's, and open to nobody by their modes."""
    directory = prefix()
    served = fake_instances.serve(directory, 300, 1000)
    served.append(fake_instances.Instance(directory, "hostile", {"status": hostile_gate, "end": {"name": "hostile", "ended": 1}}))
    for path in [directory / "usher", *(directory / "usher").iterdir(), *(directory / "usher").glob("*/control")]:
        path.chmod(0o777)
    yield directory
    for instance in served:
        instance.stop()
    shutil.rmtree(directory)


def hostile_gate():
    status = fake_instances.gate_status("hostile", HOSTILE)()
    status["denials"] = [{"portal": name, "destination": name, "protocol": name, "rule": name, "place": name, "count": 1,
                          "last": status["since"]} for name in HOSTILE]
    status["listen"] = status["refused"] = HOSTILE
    status["validity"] = [{"credential": name, "file": name, "expires": name, "days_left": 3} for name in HOSTILE]
    return status


@pytest.fixture(scope="module")
def console(root):
    with serving(root=root) as console:
        console.log_in()
        wait_until(lambda: console.ask("/").text.count('class="state') >= 5, 10, "all instances")
        yield console


# ---------------------------------------------------------------------------------------------------------- who gets in

def test_a_link_is_good_once(root):
    with serving(root=root) as console:
        link = console.link()
        path = link[link.index("/login"):]
        for other in ("/", "/instance?name=gate", "/flows?name=branch", "/nothing"):
            answer = console.ask(other)
            assert answer.status == 403 and "Open the link" in answer.text and "branch" not in answer.text
        assert console.ask("/login").status == 200
        assert console.ask("/events").status == console.ask("/do", "POST", "", Origin=f"http://{console.where()}").status == 403
        assert console.ask("/login?token=" + "0" * 64).status == 403
        first = console.log_in()
        assert "HttpOnly" in first.headers["Set-Cookie"] and "SameSite=Strict" in first.headers["Set-Cookie"]
        assert console.ask("/").status == 200 and "Overview" in console.ask("/").text
        assert console.ask(path, cookie=False).status == 403
        console.process.send_signal(10)  # SIGUSR1
        fresh = wait_until(lambda: console.link() != link and console.link(), 5, "another link")
        assert console.ask(fresh[fresh.index("/login"):], cookie=False).status == 200
        mine, console.cookie = console.cookie, console.cookie[:-1] + "x"
        assert "Open the link" in console.ask("/").text
        console.cookie = mine
        gone = console.post("/logout")
        assert gone.status == 303 and gone.headers["Location"] == "/login" and "Max-Age=0" in gone.headers["Set-Cookie"]
        assert "Open the link" in console.ask("/").text
        deeds = [(line["deed"], line["outcome"]) for line in map(json.loads, console.audit.read_text().splitlines())]
        assert deeds == [("login", "the link is not good"), ("login", "done"), ("login", "the link is not good"), ("login", "done"),
                         ("logout", "done")]


@pytest.mark.parametrize("headers, status", [
    ({}, 200),
    ({"Host": "evil.example"}, 403),
    ({"Host": "127.0.0.1"}, 403),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}, 403),
    ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}, 403),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 200),
    ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}, 403),
])
def test_who_asks(console, headers, status):
    assert console.ask("/", **headers).status == status


@pytest.mark.parametrize("origin, token, status", [
    (None, True, 403), ("null", True, 403), ("http://evil.example", True, 403), ("own", False, 403), ("own", "x" * 64, 403),
])
def test_forms_of_others(console, root, origin, token, status):
    fields = {"do": "end", "name": "gate", "portal": "branch-0001"}
    if token:
        fields["token"] = console.token() if token is True else token
    headers = {} if origin is None else {"Origin": f"http://{console.where()}" if origin == "own" else origin}
    assert console.ask("/do", "POST", fields, **headers).status == status
    assert "end gate" not in console.log()


def test_what_a_page_may(console):
    for path in ("/", "/style.css", "/live.js", "/nothing", "/metrics"):
        headers = console.ask(path).headers
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'self'; script-src 'self';")
        assert "unsafe" not in headers["Content-Security-Policy"] and headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
    page = console.ask("/instance?name=gate").text
    assert not re.search(r"<script(?! src=)|style=|\son\w+=|https?://", page)


@pytest.mark.parametrize("request_text, status", [
    (b"GET / HTTP/1.1\r\nHost: %s\r\nX: " + b"x" * 20000 + b"\r\n\r\n", (413, 431)),
    (b"GET /?" + b"x" * 5000 + b" HTTP/1.1\r\nHost: %s\r\n\r\n", (400, 414)),
    (b"GET /flows?name=%%00 HTTP/1.1\r\nHost: %s\r\n\r\n", (400,)),
    (b"GET /flows?name=a&name=b HTTP/1.1\r\nHost: %s\r\n\r\n", (400,)),
    (b"DELETE / HTTP/1.1\r\nHost: %s\r\n\r\n", (405,)),
    (b"POST /do HTTP/1.1\r\nHost: %s\r\nContent-Length: 5000\r\n\r\n" + b"x" * 5000, (400,)),
    (b"GET http://evil.example/ HTTP/1.1\r\nHost: %s\r\n\r\n", (400,)),
])
def test_bad_requests(console, request_text, status):
    host, port = console.where().split(":")
    with socket.create_connection((host, int(port)), timeout=patience(10)) as sock:
        sock.sendall(request_text.replace(b"%s", console.where().encode()).replace(b"%%", b"%"))
        assert int(sock.recv(4096).split(b" ")[1]) in status


def test_many_connections(console):
    """Those who say nothing cost their place for a quarter of a minute, and others are served once it is free."""
    host, port = console.where().split(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(140)]
    began = time.monotonic()
    silent[0].settimeout(patience(25))
    silent[0].sendall(b"GET / HTTP/1.1\r\n")
    assert silent[0].recv(1) == b"" and 10 < time.monotonic() - began < patience(20)
    for sock in silent:
        sock.close()
    assert wait_until(lambda: console.ask("/").status == 200, 10, "it serves again")


def test_too_many_streams(console):
    def stream():
        connection = http.client.HTTPConnection(console.where(), timeout=patience(10))
        connection.request("GET", "/events", headers={"Cookie": console.cookie})
        return connection, connection.getresponse()

    streams = [stream() for _ in range(33)]
    assert [response.status for _, response in streams] == [200] * 32 + [503]
    told = streams[0][1].read1(100) + streams[0][1].read1(100)
    assert told.startswith(b"retry: 3000\n\n")
    for connection, response in streams:
        response.close()
        connection.close()
    assert wait_until(lambda: (lambda pair: (pair[0].close(), pair[1].status == 200)[1])(stream()), 10, "places are free again")


# ------------------------------------------------------------------------------------------------------------ what is shown

def rows(page):
    body = re.search(r"<tbody>(.*?)</tbody>", page, re.S)[1]
    return [[html.unescape(re.sub(r"<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)]
            for row in re.findall(r"<tr>(.*?)</tr>", body, re.S)]


def test_overview(console):
    page = console.ask("/").text
    shown = {row[0]: row for row in rows(page)}
    assert set(shown) == {"branch", "gate", "hostile", "laptop", "warehouse"}
    assert shown["branch"][1:3] == ["portal", "up"] and shown["laptop"][2] == "connecting" and shown["gate"][4] == "300 portals"
    assert "gate.example.net:4433: connection refused" in page and "Certificate is valid for 9 more days" in page


def test_portals_of_a_gate(console):
    first = rows(console.ask("/instance?name=gate").text)
    assert [row[0] for row in first] == [f"branch-{number:04}" for number in range(100)]
    last = rows(console.ask("/instance?name=gate&page=3").text)
    assert last[-1][0] == "branch-0299" and rows(console.ask("/instance?name=gate&page=99").text)[-1][0] == "branch-0299"
    falling = rows(console.ask("/instance?name=gate&sort=Sessions&dir=down").text)
    sessions = [int(row[3]) for row in falling]
    assert sessions == sorted(sessions, reverse=True) and sessions[0] > 30
    found = console.ask("/instance?name=gate&q=0217").text
    assert [row[0] for row in rows(found)] == ["branch-0217"] and "1 of 300 portals" in found
    assert "None of the 300 matches." in console.ask("/instance?name=gate&q=nobody").text
    branch = console.ask("/branch?gate=gate&name=branch-0217").text
    assert "198.51.0.217:40217" in branch and branch.count("<svg") == 3 and "End its tunnels" in branch
    assert console.ask("/branch?gate=gate&name=nobody").status == console.ask("/instance?name=nobody").status == 404


def test_flows(console, root):
    page = console.ask("/flows?name=branch")
    assert "1,000 flows" in page.text and len(rows(page.text)) == 100
    found = rows(console.ask("/flows?name=branch&q=db1.corp").text)
    assert found and all("db1.corp.example" in row[2] for row in found)
    out = rows(console.ask("/flows?name=warehouse&sort=Age&dir=up").text)
    assert len(out) == 3
    gate = console.ask("/flows?name=gate").text
    assert rows(gate)[0][:5] == ["branch-0001", "tcp", "10.73.0.1:443", "Allow = 10.73.0.0/24", "active"]
    assert "3 flows" in gate and "There are more" in gate and "There are more" not in page.text
    assert {"branch", "gate", "laptop", "warehouse"} <= set(re.findall(r'href="/flows\?name=(\w+)"', console.ask("/flows").text))
    refused = console.ask("/flows?name=laptop")
    assert refused.status == 503 and "cannot be shown: unknown request" in refused.text


def test_denials_and_certificates(console):
    shown = rows(console.ask("/denials?q=445").text)
    assert [row[:8] for row in shown] == [["gate", "branch-0001", "10.71.0.1", "tcp", "10.73.0.66:445", "no rule allows it", "-", "4"]]
    certificates = rows(console.ask("/certificates?q=branch.crt").text)
    assert ["warehouse", "Certificate", "/etc/usher/pki/branch.crt", "8"] == certificates[0][:4] or certificates[0][3] == "9"
    assert len(rows(console.ask("/certificates?of=portals").text)) == 100


def test_names_that_are_markup(console):
    """Whatever a peer calls itself is text, in every place where it is shown."""
    pages = ["/", "/denials", "/certificates", "/certificates?of=portals", "/instance?name=hostile", "/metrics",
             "/instance?name=%3Cscript%3Ealert(1)%3C/script%3E", "/instance?name=gate&q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
             "/flows?name=branch&sort=%3Cscript%3E&q=%3Cscript%3E", "/ask?do=%3Cscript%3E&name=gate"]
    for name in HOSTILE:
        quoted = "".join(f"%{byte:02X}" for byte in name.encode())
        pages += [f"/branch?gate=hostile&name={quoted}", f"/ask?do=end&name=hostile&portal={quoted}"]
    for path in pages:
        page = console.ask(path).text
        if path == "/metrics":
            assert all(re.fullmatch(r'#.*|\w+\{(\w+="([^"\\\n]|\\.)*",?)*\} \S+', line) for line in page.splitlines())
            continue
        assert not re.search(r"<script(?! src=\"/live.js\")|<img(?! src=\"/icon)|onerror=alert\(1\)>|<b>b|\u202e", page), path
    assert html.escape(HOSTILE[0]) in console.ask("/instance?name=hostile").text


def test_figures(console, figure):
    """A thousand portals and ten thousand flows, each page as often as a person would."""
    directory = prefix()
    fakes = subprocess.Popen([sys.executable, ROOT / "tests/net/fake_instances.py", directory, "1000", "10000"], stdout=subprocess.PIPE)
    fakes.stdout.readline()
    for path in [directory / "usher", *(directory / "usher").iterdir(), *(directory / "usher").glob("*/control")]:
        path.chmod(0o777)
    with serving(root=directory) as large:
        large.log_in()
        wait_until(lambda: "1,000 portals" in large.ask("/instance?name=gate").text, 10, "a thousand portals")
        for path, what in (("/", "overview"), ("/instance?name=gate", "1,000 portals"), ("/flows?name=branch", "10,000 flows"),
                           ("/flows?name=branch&q=db1&sort=Out&dir=down", "10,000 flows, searched and sorted")):
            times = []
            large.ask(path)
            for _ in range(9):
                began = time.monotonic()
                answer = large.ask(path)
                times.append(time.monotonic() - began)
                assert answer.status == 200
                time.sleep(0.05)
            times.sort()
            figure(f"console, {what}: {len(answer.body) / 1024:.0f} KiB in {times[4] * 1000:.1f} ms, at most {times[-1] * 1000:.0f} ms")
            assert times[4] < patience(0.3)
        before = os.times(), sum(os.sysconf("SC_CLK_TCK") and int(word) for word in
                                 pathlib.Path(f"/proc/{large.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
        time.sleep(3)
        after = sum(int(word) for word in pathlib.Path(f"/proc/{large.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])
        resident = int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{large.process.pid}/status").read_text())[1])
        figure(f"console, asking every 0.5 s for 1,000 portals: {(after - before[1]) / os.sysconf('SC_CLK_TCK') / 3 * 100:.1f} % of a "
               f"processor, {resident / 1024:.0f} MiB")
    fakes.terminate()
    fakes.wait()
    shutil.rmtree(directory)


# ------------------------------------------------------------------------------------------------------------- what is done

def test_buttons_ask_first(console, root):
    page = console.ask("/instance?name=gate").text
    links = dict(re.findall(r'class="button (\w+)" href="([^"]*)"', page))
    assert set(links) == {"reload", "down"}
    asked = console.ask(html.unescape(links["reload"]))
    assert "Reload gate?" in asked.text and 'action="/do"' in asked.text and "<svg" not in asked.text
    assert console.ask("/ask?do=reload&name=nobody").status == console.ask("/ask?do=up&name=gate").status == 404
    assert console.ask("/ask?do=open&name=gate").status == 404
    assert "audit: reload" not in console.log()


@pytest.mark.parametrize("fields, notice", [
    ({"do": "reload", "name": "gate"}, "reload gate: done: nothing has changed since it was last read"),
    ({"do": "end", "name": "gate", "portal": "branch-0007"}, "end gate, branch-0007: tunnels ended: 1"),
    ({"do": "end", "name": "hostile", "portal": HOSTILE[0]}, "end hostile, <script>alert(1)</script>: tunnels ended: 1"),
    ({"do": "reload", "name": "warehouse"}, "reload warehouse: unknown request"),
])
def test_deeds(console, fields, notice):
    done = console.post("/do", **fields)
    assert done.status == 303 and done.headers["Location"] == f"/instance?name={fields['name']}"
    page = console.ask(done.headers["Location"]).text
    assert html.unescape(re.search(r'role="status">(.*?)</p>', page)[1]) == notice
    assert 'role="status"' not in console.ask(done.headers["Location"]).text
    line = json.loads(console.audit.read_text().splitlines()[-1])
    assert line["who"].startswith("link ") and line["from"] == "127.0.0.1" and line["deed"] == fields["do"]
    assert line["instance"] == fields["name"] and line.get("portal") == fields.get("portal")
    assert f"audit: {fields['do']} {fields['name']}" in console.log()


@pytest.mark.parametrize("fields", [
    {"do": "end", "name": "gate", "portal": "a\ndown"}, {"do": "end", "name": "gate"}, {"do": "end", "name": "branch", "portal": "a"},
    {"do": "status", "name": "gate"}, {"do": "down", "name": "../../etc"}, {"do": "up", "name": "gate"},
])
def test_deeds_that_are_none(console, fields):
    before = console.audit.read_text()
    assert console.post("/do", **fields).status == 409 and console.audit.read_text() == before


def test_looking_only(root):
    with serving("Actions = no", root=root) as console:
        console.log_in()
        page = wait_until(lambda: console.ask("/instance?name=gate"), 5, "the gate").text
        assert "button reload" not in page and console.ask("/ask?do=reload&name=gate").status == 404
        refused = console.post("/do", do="reload", name="gate")
        assert refused.status == 403 and "may look, and do nothing" in refused.text


def test_bring_up(root, tmp_path):
    """By the service manager, with the name of a unit and nothing else; what it says is told."""
    directory = prefix()
    fake = directory / "systemctl"
    fake.write_text(f"#!/bin/sh\necho \"$@\" >>{directory}/asked\ncase $4 in *good*) exit 0;; esac\necho 'Access denied' >&2\nexit 4\n")
    fake.chmod(0o755)
    (directory / "asked").touch(mode=0o666)
    (directory / "asked").chmod(0o666)
    names = ("consoletest-good", "consoletest-bad")
    pathlib.Path("/etc/usher").mkdir(exist_ok=True)
    files = [pathlib.Path(f"/etc/usher/{name}{os.getpid()}.conf") for name in names]
    try:
        files[0].write_text("[Portal]\n")
        files[1].write_text("[Gate]\n")
        with serving(root=root, environment={"PATH": f"{directory}:{os.environ['PATH']}"}) as console:
            console.log_in()
            good, bad = (file.stem for file in files)
            wait_until(lambda: good in console.ask("/").text, 5, "what could be brought up")
            assert "Bring up" in console.ask(f"/instance?name={good}").text
            for name, notice in ((good, f"up {good}: done."), (bad, f"up {bad}: systemctl ended with status 4: Access denied")):
                console.post("/do", do="up", name=name)
                assert re.search(r'role="status">(.*?)</p>', console.ask(f"/instance?name={name}").text)[1] == notice
        assert (directory / "asked").read_text().splitlines() == [f"--no-ask-password start -- usher-tun@{good}.service",
                                                                   f"--no-ask-password start -- usher-gate@{bad}.service"]
    finally:
        for file in files:
            file.unlink(missing_ok=True)
        shutil.rmtree(directory)


# ---------------------------------------------------------------------------------------------------------- real instances

@pytest.mark.parametrize("may", ["ask", "act"])
def test_real_instances(lab, pki, tmp_path, may):
    """By a group that may ask, or act."""
    group = grp.getgrgid(GAMES).gr_name
    keys = f"ControlGroup = {group}\nControlGroupMay = {may}"
    gate = Gate(lab, tmp_path, pki, extra=keys).start()
    portal = Portal(lab, tmp_path, pki, extra=keys).start()
    try:
        with serving() as outsider:
            outsider.log_in()
            page = wait_until(lambda: (page := outsider.ask(f"/instance?name={gate.name}").text).count("not heard") and page, 5, "no")
            assert "ControlGroup in its configuration says who may" in page
        with serving(groups=[GAMES]) as console:
            console.log_in()
            wait_until(lambda: console.ask("/").text.count('class="state good"') >= 2, 10, "both are up")
            assert [row[0] for row in rows(console.ask(f"/instance?name={gate.name}").text)] == ["branch"]
            assert "10.3.0.2:4433" in console.ask(f"/instance?name={portal.name}").text
            assert "There are no flows" in console.ask(f"/flows?name={portal.name}").text
            with lab.client.enter(), socket.socket() as denied:
                denied.settimeout(patience(5))
                assert denied.connect_ex((DENIED4, 81)) == errno.EHOSTUNREACH
            page = wait_until(lambda: (page := console.ask("/denials").text).count(f"{DENIED4}:81") and page, 5, "the denial")
            shown = dict(zip(re.findall(r"<th scope=\"col\"[^>]*><a[^>]*>([^<]*)", page), rows(page)[0]))
            assert shown["At"] == gate.name and shown["Portal"] == "branch" and shown["Protocol"] == "tcp"
            assert "10.73.0.66/32" in shown["Rule"] and shown["Place"].startswith(f"{gate.conf}:") and shown["Times"] == "1"
            console.post("/do", do="end", name=gate.name, portal="branch")
            notice = re.search(r'role="status">(.*?)</p>', console.ask("/").text)[1]
            if may == "ask":
                assert notice.endswith("you may ask, and do nothing: ControlGroupMay = act lets you")
            else:
                assert notice.endswith("branch: tunnels ended: 1")
                portal.wait_up(20)
                console.post("/do", do="down", name=portal.name)
                assert portal.wait() == 0
                wait_until(lambda: f'<span class="state off">down' in console.ask(f"/instance?name={portal.name}").text, 5, "down")
    finally:
        portal.down(check=False)
        gate.stop()


def busy_us(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1000


def test_what_it_costs_them(lab, pki, tmp_path, figure):
    """Processor time of a portal, a gate and its worker for each time that they are asked."""
    keys = f"ControlGroup = {grp.getgrgid(GAMES).gr_name}"
    gate, portal = Gate(lab, tmp_path, pki, extra=keys).start(), Portal(lab, tmp_path, pki, extra=keys).start()
    try:
        pids = {"portal": portal.pid(), "gate": gate.pid(), "worker": gate.worker_pids()[0]}

        def spent(seconds):
            before = {name: busy_us(pid) for name, pid in pids.items()}
            time.sleep(seconds)
            return {name: busy_us(pid) - before[name] for name, pid in pids.items()}

        alone = spent(4)
        with serving(groups=[GAMES]) as console:
            console.log_in()
            wait_until(lambda: console.ask("/").text.count('class="state good"') >= 2, 10, "both are up")
            asked = spent(4)
        each = {name: max(0, asked[name] - alone[name]) / 8 for name in pids}
        figure("console, processor time each time that it asks: " + ", ".join(f"{name} {us:.0f} us" for name, us in each.items()))
        assert all(us < patience(20000) for us in each.values())
    finally:
        portal.down(check=False)
        gate.stop()


def test_a_group_that_is_none(lab, pki, tmp_path):
    gate = Gate(lab, tmp_path, pki, extra="ControlGroup = there-is-none")
    gate.launch(gate.host and USHER_CONSOLE.with_name("usher-gate"), "run", gate.conf)
    assert gate.wait() == 1 and "ControlGroup: there is no group there-is-none" in gate.log()


# ------------------------------------------------------------------------------------------------------------ configuration

@pytest.mark.parametrize("text, said", [
    ("Listen = 0.0.0.0:8067", "2: Listen: others than this host reach it there, so it needs Certificate, Key, CA, and Users or Operators who show a certificate"),
    ("Listen = 127.0.0.1:1\nListen = 127.0.0.1:2", "3: Listen: one address is enough; more are not served"),
    ("Listen = here", '2: Listen: "here" is not address:port or [v6]:port'),
    ("Interval = 1ms", '2: Interval: "1ms" is out of bounds: 500 to 60000ms'),
    ("Actions = maybe", '2: Actions: "maybe" is neither yes nor no'),
    ("Name = a b", '2: Name: "a b" is not the name of a host'),
    ("Certificate = /x.crt", "2: Certificate and Key belong together"),
    ("Users = alice", "2: CA, and Users or Operators, belong together"),
    ("Users = a<b", '2: Users: "a<b" is not the name of a certificate'),
    ("CRL = /x.pem", "2: CRL: a revocation list needs its CA"),
    ("CA = /x.crt", "2: CA: certificates are shown over TLS, which takes Certificate and Key"),
    ("MetricsTokenFile = /nowhere", "2: MetricsTokenFile: /nowhere: open: No such file or directory"),
    ("AuditFile = audit", '2: AuditFile: "audit" is not an absolute path'),
    ("Colour = red", '2: unknown key "Colour" in [Console]'),
    ("LogLevel = loud", '2: LogLevel: "loud"'),
])
def test_mistakes(tmp_path, text, said):
    conf = tmp_path / "console.conf"
    conf.write_text(f"[Console]\n{text}\n")
    done = run(USHER_CONSOLE, "--check", conf, check=False)
    assert done.returncode == 2 and f"{conf}:{said}" in done.stderr, done.stderr


def test_not_as_root():
    done = run(USHER_CONSOLE, check=False)
    assert done.returncode == 1 and "needs no root" in done.stderr
    assert run(USHER_CONSOLE, "--nonsense", check=False).returncode == 2


@pytest.mark.parametrize("words, said", [
    (["--complete", ""], [":files"]), (["--complete", "--"], ["--check", "--textfile", "--version", ":files"]),
    (["--complete", "--t"], ["--textfile", ":files"]), (["--complete", "--check", "x"], [":files"]), (["--complete", "a", ""], []),
])
def test_completion(words, said):
    assert run(USHER_CONSOLE, *words).stdout.split() == said
