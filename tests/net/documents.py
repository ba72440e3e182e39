# SPDX-License-Identifier: GPL-2.0-or-later
"""Documents that are done word for word, on hosts of a lab. What a document may say:

    ```console                                a command after the host's name, by root (#) or somebody else ($), and what
    gate# usher-pki list /etc/usher/pki       of its output must appear, in this order; "..." stands for anything
    branch ... valid
    ```

    ```ini                                    a file, or with "further" more lines of it
    ; branch: /etc/usher/branch.conf          (or with "#", where that begins a comment)
    ```

Blocks of another kind, or without a host, are for the reader alone. Four commands are not what they are elsewhere:
installing (the programs are there, and written anew; gates that run take them), scp (to another host of the document), systemctl, whoever calls it, which does what
the unit says, and journalctl. TOKEN stands for the last one that was printed."""

import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess

from lab import BUILD, ROOT, patience, wait_until

SOMEBODY, HOME = 54321, "/home/you"  # has no name on any machine
UNITS = ROOT / "scripts" / "systemd"
# What those of the distribution start.
FOREIGN = {"haproxy": "haproxy -Ws -f /etc/haproxy/haproxy.cfg"}
INSTALLING = ("scripts/install-deps && make && make install", "make deb && apt install", "apt install")

# An /etc, /run/usher, /var/log, /usr/local, /root and /home of its own; everybody may open the TUN device, as udev would have it.
MACHINE = f"""
mount -t tmpfs etc /mnt && cp -a /etc/. /mnt/ && mount --move /mnt /etc && rm -f /etc/resolv.conf
echo nameserver 10.2.0.1 > /etc/resolv.conf
mkdir -p /run/usher && mount -t tmpfs -o mode=755 run /run/usher
mkdir -p /run/user && mount -t tmpfs -o mode=755 user /run/user && mkdir -m 700 /run/user/{SOMEBODY}
mount -t tmpfs -o mode=755 local /usr/local && mkdir /usr/local/bin
mount -t tmpfs -o mode=700 root /root
mount -t tmpfs -o mode=755 home /home && mkdir -m 755 {HOME}
mknod -m 666 /home/tun c 10 200 && mount --bind /home/tun /dev/net/tun
chown {SOMEBODY}:{SOMEBODY} /run/user/{SOMEBODY} {HOME}
mount -t tmpfs -o mode=755 log /var/log
mkdir -p /etc/usher && rm -rf /etc/usher/*
for user in usher usher-gate usher-pki usher-console; do
    getent passwd $user >/dev/null || useradd -r -s /usr/sbin/nologin $user
done
mkdir -p /run/systemd && mount -t tmpfs -o mode=755 systemd /run/systemd && mkdir /run/systemd/system
printf '#!/bin/sh\\necho "$@" >>/run/usher/.asked\\n' >/usr/local/bin/systemctl && chmod 755 /usr/local/bin/systemctl
echo ready
exec sleep infinity
"""
PROGRAMS = (BUILD / "usher-console", BUILD / "usher-tun", BUILD / "usher-gate", BUILD / "usher-pki-serve", ROOT / "scripts/usher-pki")


class Machine:
    """A host of the lab with directories of its own where the programs look."""

    def __init__(self, host, hosts, extra_programs=()):
        self.host = host
        self.services = {}
        self.holder = host.start("unshare", "-m", "--propagation", "private", "sh", "-ec", MACHINE, stdout=subprocess.PIPE,
                                 text=True)
        assert self.holder.stdout.readline() == "ready\n"
        self.root = pathlib.Path(f"/proc/{self.holder.pid}/root")  # as seen from outside
        self.write("/etc/hosts", "127.0.0.1 localhost\n" + hosts)
        for program in (*PROGRAMS, *extra_programs):
            shutil.copy(program, self.root / "usr/local/bin")

    def path(self, path):
        return self.root / path.replace("~", HOME).lstrip("/")

    def write(self, path, text, further=False):
        file = self.path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        with open(file, "a" if further else "w") as opened:
            opened.write(text)
        self.give_away()

    def give_away(self):
        """What is in somebody's home is somebody's."""
        self.run(f"chown -R {SOMEBODY}:{SOMEBODY} {HOME}")

    def argv(self, command, somebody=False):
        place = f"/proc/{self.holder.pid}/ns"
        argv = ["nsenter", f"--net={place}/net", f"--mount={place}/mnt"]
        names = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8", "HOME": "/root", "TERM": "dumb"}
        if somebody:
            argv += ["setpriv", f"--reuid={SOMEBODY}", f"--regid={SOMEBODY}", "--clear-groups"]
            names |= {"HOME": HOME, "XDG_RUNTIME_DIR": f"/run/user/{SOMEBODY}", "USER": "you"}
        command = ("cd && " if somebody else "") + command
        return [*argv, "env", "-i", *(f"{name}={value}" for name, value in names.items()), "bash", "-c", command]

    def run(self, command, somebody=False, check=True):
        """What it printed, of both kinds in one; where it failed as well, unless `check`."""
        done = subprocess.run(self.argv(command, somebody), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=patience(60))
        assert not check or done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}"
        return done.stdout

    # What systemd would do with a unit, as far as documents ask for it.
    def unit(self, unit, key, otherwise=None):
        if unit in FOREIGN:
            return otherwise if key != "ExecStart" else FOREIGN[unit]
        template, instance = re.fullmatch(r"([\w-]+)@?([\w-]*)(?:\.service)?", unit).groups()
        name = f"{template}@.service" if instance else f"{template}.service"
        found = " && ".join(re.findall(rf"^{key}=(.*)$", (UNITS / name).read_text(), re.M)) or otherwise
        assert found, f"{key} of {unit}"
        return found.replace("@BINDIR@", "/usr/local/bin").replace("%i", instance)

    def start_service(self, unit):
        if unit in self.services and self.services[unit].poll() is None:
            return
        told = f"/run/usher/.{unit}.notify"
        script = ("import os, socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]);"
                  "os.chmod(sys.argv[1], 0o666); print(1, flush=True);"
                  "exec('while b\"READY=1\" not in s.recv(4096): pass'); print(2, flush=True)")
        waiter = subprocess.Popen(self.argv(f"exec python3 -c {shlex.quote(script)} {told}"), stdout=subprocess.PIPE, text=True)
        assert waiter.stdout.readline() == "1\n"
        user = self.unit(unit, "User", "root")
        rights = "".join(",+" + word.lower().removeprefix("cap_")
                         for word in self.unit(unit, "AmbientCapabilities", "-").split() if word != "-")
        logs = self.unit(unit, "LogsDirectory", "-")
        if logs != "-":
            self.run(f"mkdir -p -m 750 /var/log/{logs} && chown {user}: /var/log/{logs}")
        as_user = "exec" if user == "root" else (f"exec setpriv --reuid={user} --regid={user} --init-groups --inh-caps=-all{rights} "
                   f"--ambient-caps=-all{rights} --bounding-set=-all{rights} --no-new-privs")
        log = open(self.path(f"/run/usher/.{unit}.log"), "ab")
        self.services[unit] = subprocess.Popen(self.argv(f"NOTIFY_SOCKET={told} {as_user} {self.unit(unit, 'ExecStart')}"), stdout=log,
                                               stderr=log)
        wait_until(lambda: waiter.poll() is not None or self.services[unit].poll() is not None, 30, f"{unit} is ready")
        waiter.kill()
        waiter.wait()
        self.path(told).unlink()
        assert self.services[unit].poll() is None, self.log(unit)

    def log(self, unit):
        return self.path(f"/run/usher/.{unit}.log").read_text()

    def stop_service(self, unit):
        process = self.services.pop(unit)
        process.send_signal(signal.SIGTERM)
        assert process.wait(patience(10)) == 0, self.log(unit)

    def install(self, command):
        """As a package manager writes files, and what the package of a gate does about those that run."""
        if not re.search(r"usher-(\{gate,|gate_)", command):
            return ""
        self.run("cd /usr/local/bin && cp usher-gate .new && mv .new usher-gate")
        running = [unit.split("@")[1] for unit, process in self.services.items()
                   if unit.startswith("usher-gate@") and process.poll() is None]
        return "".join(self.run(f"usher-gate upgrade {name}") for name in running)

    def systemctl(self, *argv):
        verb, *units = [word for word in argv if word != "--now"]
        return "".join(self.one_unit(verb, unit, argv) for unit in units)

    def one_unit(self, verb, unit, argv):
        if verb == "enable" and "--now" not in argv:
            assert self.unit(unit, "WantedBy")
        elif verb in ("enable", "start"):
            self.start_service(unit)
        elif verb == "restart":
            if unit in self.services:
                self.stop_service(unit)
            self.start_service(unit)
        elif verb == "reload":
            return self.run(self.unit(unit, "ExecReload"))
        elif verb == "stop":
            self.stop_service(unit)
        else:
            raise AssertionError(f"systemctl {verb}")
        return ""

    def act_on_programs(self):
        """What programs have asked systemd for."""
        asked = self.path("/run/usher/.asked")
        if asked.exists():
            lines = asked.read_text().splitlines()
            asked.unlink()
            for line in lines:
                self.systemctl(*line.split())

    def close(self):
        for place in self.path("/run/usher").glob("*/pid"):
            if place.exists():
                os.kill(int(place.read_text()), signal.SIGTERM)
        for process in self.services.values():
            process.send_signal(signal.SIGTERM)
            process.wait(patience(10))
        self.holder.kill()
        self.holder.wait()


def blocks(text):
    """(kind, lines) of each fenced block."""
    return [(kind, body.splitlines()) for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.S | re.M)]


def section(text, title):
    (found,) = re.findall(rf"^## {re.escape(title)}[^\n]*\n(.*?)(?=^## |\Z)", text, re.S | re.M)
    return found


PROMPT = re.compile(r"^([a-z][a-z0-9-]*)([#$]) (.+)$")


def commands(lines):
    """(host, somebody, command, output) of each prompt."""
    found = []
    lines = iter(lines)
    for line in lines:
        prompt = PROMPT.match(line)
        if not prompt:
            assert found, f"what prints this? {line}"
            found[-1][3].append(line)
            continue
        host, sign, command = prompt.groups()
        while command.endswith("\\"):
            command = command[:-1] + next(lines).strip()
        found.append((host, sign == "$", command, []))
    return found


def assert_shows(printed, expected, what):
    """The lines of `expected` appear in this order; white space counts as one space, "..." as anything."""
    rest = " ".join(printed.split())
    for line in expected:
        for piece in filter(None, (" ".join(piece.split()) for piece in line.split("..."))):
            assert piece in rest, f"{what}: no “{piece}” in\n{printed}"
            rest = rest[rest.index(piece) + len(piece):]


class Reader:
    """Does what documents say, on the machines of these names."""

    def __init__(self, machines):
        self.machines = machines
        self.done = []
        self.token = ""

    def copy(self, machine, argv):
        *sources, target = argv
        host, directory = target.split(":")
        for source in machine.run("printf '%s\\n' " + " ".join(sources)).split():
            to = self.machines[host].path(directory)
            to.mkdir(parents=True, exist_ok=True)
            shutil.copy(machine.path(source), to)
        self.machines[host].give_away()

    def command(self, host, somebody, command, expected):
        machine = self.machines[host]
        words = command.split(" #")[0].split()
        if command.startswith(INSTALLING):
            printed = machine.install(command)
        elif words[0] == "scp":
            printed = self.copy(machine, words[1:]) or ""
        elif words[0] == "journalctl":
            printed = machine.log(words[words.index("-u") + 1])
        elif words[0] == "systemctl":
            printed = machine.systemctl(*words[1:])
        else:
            printed = machine.run(command.replace("TOKEN", self.token), somebody, check=not expected)
        self.token = next(iter(re.findall(r"^usher\S{500,}$", printed, re.M)), self.token)
        machine.act_on_programs()
        assert_shows(printed, expected, command)
        self.done.append((host, command, printed))

    def follow(self, text):
        for kind, lines in blocks(text):
            if kind == "console":
                for step in commands(lines):
                    self.command(*step)
            elif kind == "ini":
                place = re.match(r"[;#] ([a-z][a-z0-9-]*): (/\S+?|~\S+?)(, further)?(?:\s.*)?$", lines[0])
                if place:
                    host, path, further = place.groups()
                    self.machines[host].write(path, "\n".join(lines[1:]) + "\n", bool(further))
