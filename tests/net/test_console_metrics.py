# SPDX-License-Identifier: GPL-2.0-or-later
"""What the console tells Prometheus: the format, who may read it, and what is made of it."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.request

import pytest

import fake_instances
from console import NOBODY, USHER_CONSOLE, as_nobody, prefix, serving
from lab import ROOT, patience, run, wait_until

pytestmark = pytest.mark.skipif(not USHER_CONSOLE.exists(), reason="built without libmicrohttpd")
needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool (package prometheus) is not here")
MONITORING = ROOT / "doc" / "monitoring"


@pytest.fixture(scope="module")
def root():
    directory = prefix()
    served = fake_instances.serve(directory, 20, 50)
    for path in [directory / "usher", *(directory / "usher").iterdir(), *(directory / "usher").glob("*/control")]:
        path.chmod(0o777)
    yield directory
    for instance in served:
        instance.stop()
    shutil.rmtree(directory)


@pytest.fixture(scope="module")
def console(root):
    with serving(root=root) as console:
        wait_until(lambda: console.ask("/metrics").text.count("usher_up{") == 4, 10, "all instances")
        yield console


def open_metrics(text):
    """The families, by the rules of OpenMetrics 1.0: in one piece each, a total for a counter, the unit at the name's end, an
    end."""
    lines, families, samples = text.split("\n"), {}, set()
    assert lines[-2:] == ["# EOF", ""]
    name = None
    for line in lines[:-2]:
        head = re.fullmatch(r"# (HELP|TYPE|UNIT) (\w+) (.+)", line)
        if head and head[1] == "HELP":
            name = head[2]
            assert name not in families, f"{name} in two pieces"
            families[name] = {"HELP": head[3], "samples": []}
        elif head:
            assert head[2] == name and head[1] not in families[name]
            families[name][head[1]] = head[3]
        else:
            sample = re.fullmatch(r'(\w+)\{((?:\w+="(?:[^"\\\n]|\\[\\"n])*",?)*)\} (-?[0-9.]+)', line)
            assert sample, line
            assert sample[1] == name + ("_total" if families[name]["TYPE"] == "counter" else "")
            assert (sample[1], sample[2]) not in samples, f"twice: {line}"
            samples.add((sample[1], sample[2]))
            families[name]["samples"].append((sample[2], float(sample[3])))
    for name, family in families.items():
        assert family["HELP"].endswith(".") and family["TYPE"] in ("gauge", "counter") and family["samples"]
        assert "UNIT" not in family or name.endswith("_" + family["UNIT"])
        assert ("UNIT" in family) == name.endswith(("_bytes", "_seconds"))
    return families


def test_open_metrics(console):
    answer = console.ask("/metrics", Accept="application/openmetrics-text; version=1.0.0,text/plain;q=0.5")
    assert answer.headers["Content-Type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = open_metrics(answer.text)
    assert dict(families["usher_up"]["samples"]) == {'instance_name="branch",role="portal"': 1, 'instance_name="gate",role="gate"': 1,
                                                     'instance_name="laptop",role="portal"': 0,
                                                     'instance_name="warehouse",role="portal"': 1}
    assert families["usher_connected_portals"]["samples"] == [('instance_name="gate"', 20)]
    assert len(families["usher_portal_sessions"]["samples"]) == 20
    assert ('instance_name="branch",event="sessions_opened"', 8123) in families["usher_events"]["samples"]
    left = dict(families["usher_credential_expiry_timestamp_seconds"]["samples"])['instance_name="warehouse",credential="Certificate"'] - time.time()
    assert 8 * 86400 < left < 10 * 86400
    assert 0.01 < dict(families["usher_round_trip_seconds"]["samples"])['instance_name="branch"'] < 0.02


@needs_promtool
def test_lint(console, root, tmp_path):
    """The names too, as the exporters of Prometheus have them."""
    file = root / "usher.prom"
    root.chmod(0o777)
    env = {**os.environ, "XDG_RUNTIME_DIR": str(root)}
    for text in (console.ask("/metrics").text, None):
        if text is None:
            run(*as_nobody(), USHER_CONSOLE, "--textfile", file, env=env)
            text = file.read_text()
            assert not list(root.glob("usher.prom.*"))
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        assert done.returncode == 0 and not done.stdout and not done.stderr, done.stdout + done.stderr


def test_a_textfile_that_cannot_be(root):
    done = run(*as_nobody(), USHER_CONSOLE, "--textfile", "/nowhere/usher.prom", check=False, env={**os.environ, "XDG_RUNTIME_DIR": str(root)})
    assert done.returncode == 1 and done.stderr == "usher-console: write /nowhere/usher.prom: No such file or directory\n"


def test_with_a_token(root):
    token = root / "token"
    token.write_text("0123456789abcdef\n")
    token.chmod(0o600)
    os.chown(token, NOBODY, NOBODY)
    with serving(f"MetricsTokenFile = {token}", root=root) as console:
        console.link()
        for given, status in ((None, 403), ("Bearer 0123456789abcdef", 200), ("Bearer 0123456789abcdeF", 403), ("Bearer ", 403),
                              ("Basic 0123456789abcdef", 403)):
            assert console.ask("/metrics", **({"Authorization": given} if given else {})).status == status
    with serving("Metrics = no", root=root) as console:
        assert "usher_up" not in console.ask("/metrics").text


@needs_promtool
def test_rules():
    for what in (["check", "rules", MONITORING / "usher.rules.yml"], ["test", "rules", MONITORING / "usher.rules.test.yml"]):
        done = run("promtool", *what, check=False)
        assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def expressions():
    dashboard = json.loads((MONITORING / "grafana-usher.json").read_text())
    found = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return found + re.findall(r"expr: (.*)", (MONITORING / "usher.rules.yml").read_text())


def test_dashboard_and_rules_ask_for_what_there_is(console):
    families = open_metrics(console.ask("/metrics", Accept="application/openmetrics-text").text)
    told = {name + ("_total" if family["TYPE"] == "counter" else "") for name, family in families.items()}
    asked = set(re.findall(r"usher_\w+", " ".join(expressions())))
    assert len(expressions()) > 25 and asked <= told | {"usher_renewal_timestamp_seconds"}, asked - told


@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not here")
def test_prometheus(console, tmp_path):
    """A real one scrapes it, and every expression of dashboard and rules is one that it takes."""
    (tmp_path / "prometheus.yml").write_text(f"""global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{MONITORING}/usher.rules.yml]
scrape_configs:
  - job_name: usher
    static_configs: [{{targets: ["{console.where()}"]}}]
""")
    port = 19000 + os.getpid() % 1000
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data",
                                    f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)

    def query(expression):
        url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        return json.load(urllib.request.urlopen(url, timeout=patience(10)))["data"]["result"]

    def scraped():
        try:
            return len(query("usher_up")) == 4 and query('up{job="usher"}')[0]["value"][1] == "1"
        except OSError:
            return False

    try:
        wait_until(scraped, 30, "a scrape")
        wait_until(lambda: query("sum(rate(usher_received_bytes_total[10s])) > 0"), 15, "rates")
        for expression in expressions():
            query(expression.replace("$instance", ".*").replace("$__rate_interval", "1m"))
        assert [alert["metric"]["instance_name"] for alert in query('ALERTS{alertname="UsherInstanceDown"}')] == ["laptop"]
    finally:
        process.terminate()
        process.wait()
