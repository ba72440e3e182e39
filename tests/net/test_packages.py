# SPDX-License-Identifier: GPL-2.0-or-later
"""What is installed, as packages have it: each file in one of them, one version everywhere, and whatever of the system reads
these files takes them. The packages themselves are made and tried by scripts/check-packages."""

import fnmatch
import pathlib
import re
import shutil

import pytest

from lab import BUILD, ROOT, run
from test_manual import placed

DEBIAN = ROOT / "scripts/debian"
USER = "usher-of-test"
CONSOLE = (BUILD / "usher-console").exists()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("root")
    # The programs are those that are there, whatever they become.
    run("make", "-s", "-C", ROOT, "-o", "all", "install", f"BUILD={BUILD}", f"DESTDIR={root}", "PREFIX=/usr",
        "LIBDIR=/usr/lib/arch", "UNITDIR=/lib/systemd/system", "NETWORKD=/lib/systemd", "APPARMOR=/etc/apparmor.d", f"RUN_AS={USER}",
        f"VERSION={(BUILD / 'version').read_text().strip()}")
    return root


def files(root):
    return {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir()}


def lists():
    """Of each package, the patterns of its files."""
    found = {path.stem: path.read_text().split() for path in DEBIAN.glob("*.install")}
    found["usher-tun"].append("etc/apparmor.d/usher-tun")  # where the system knows of it: scripts/build-deb
    if not CONSOLE:
        del found["usher-console"]
    return found


def test_each_file_is_in_one_package(root):
    there, taken = files(root), {}
    for package, patterns in lists().items():
        for pattern in patterns:
            matching = fnmatch.filter(there, pattern)
            assert matching, f"{package}.install: {pattern} matches nothing"
            for name in matching:
                assert taken.setdefault(name, package) == package, name
    assert there - taken.keys() == set()


def test_each_package_is_listed(root):
    packages = re.findall(r"^Package: (.*)$", (DEBIAN / "control").read_text(), re.M)
    assert sorted(packages) == sorted({path.stem for path in DEBIAN.glob("*.install")})


def test_the_library_promises_what_it_has():
    interface = re.findall(r"^ *(usher_\w+);", (ROOT / "src/libusher/libusher.map").read_text(), re.M)
    assert re.findall(r"^ (usher_\w+)@", (DEBIAN / "libusher0.symbols").read_text(), re.M) == sorted(interface)


def test_one_version(root):
    version = run(BUILD / "usher-tun", "--version").stdout.split()[1]
    assert run(BUILD / "usher-gate", "--version").stdout.split()[1] == version
    assert f"Version: {version}\n" in (root / "usr/lib/arch/pkgconfig/libusher.pc").read_text()
    pages = list(root.glob("usr/share/man/man*/*"))
    assert pages and all(re.search(rf"^(\.Os usher-tun {re.escape(version)}|\.so man8/.*)$", page.read_text(), re.M) for page in pages)
    assert re.fullmatch(r"[0-9][A-Za-z0-9.+~]*", version), "a native version of a package"


@pytest.mark.skipif(not shutil.which("systemd-sysusers"), reason="systemd-sysusers is not here")
def test_the_users(root):
    run("systemd-sysusers", "--root", root, root / "usr/lib/sysusers.d/usher.conf")
    made = re.findall(r"^([\w-]+):.*:Usher [^:]*:/:/usr/sbin/nologin$", (root / "etc/passwd").read_text(), re.M)
    units = (root / "lib/systemd/system").glob("usher-[gtp]*.service")
    assert set(made) == {USER} | {re.search("^User=(.*)$", unit.read_text(), re.M)[1] for unit in units} and len(made) >= 3
    assert f".Ql {USER} .\n" in (root / "usr/share/man/man5/usher.conf.5").read_text()


@pytest.mark.skipif(not shutil.which("systemd-tmpfiles"), reason="systemd-tmpfiles is not here")
def test_the_place_of_what_is_running(root):
    run("systemd-tmpfiles", "--create", "--root", root, root / "usr/lib/tmpfiles.d/usher.conf")
    assert (root / "run/usher").stat().st_mode & 0o7777 == 0o755
    assert (root / "run/usher/.lock").stat().st_uid == 0 and (root / "run/usher/.lock").stat().st_mode & 0o7777 == 0o600


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")
@pytest.mark.parametrize("name", ["usher-tun@.service", "usher-gate@.service"])
def test_units(root, tmp_path, name):
    shutil.copytree(root, tmp_path, symlinks=True, dirs_exist_ok=True)
    for target in pathlib.Path("/lib/systemd/system").glob("*.target"):
        shutil.copy(target, tmp_path / "lib/systemd/system")
    done = run("systemd-analyze", "verify", "--man=no", "--root", tmp_path, f"/lib/systemd/system/{name}", check=False)
    if "nrecognized option" in done.stderr:
        pytest.skip("this systemd-analyze has no --root")
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "usher" in line]
    assert ours == []


@pytest.mark.skipif(not shutil.which("apparmor_parser"), reason="apparmor_parser is not here")
def test_apparmor(root, tmp_path):
    """One that is too old for the rule knows of no restriction either: it takes the rest."""
    profile = (root / "etc/apparmor.d/usher-tun").read_text()
    assert " /usr/bin/usher-tun flags=(unconfined)" in profile and "  userns,\n" in profile
    if run("apparmor_parser", "--version").stdout.split("\n")[0].split()[-1] < "4":
        profile = profile.replace("abi/4.0", "abi/3.0").replace("  userns,\n", "")
    file = tmp_path / "usher-tun"
    file.write_text(profile)
    run("apparmor_parser", "-Q", "-K", file)


@pytest.mark.parametrize("name, program", [("branch.conf", "usher-tun"), ("gate.conf", "usher-gate")])
def test_examples(pki, tmp_path, name, program):
    """As they are, and with what stands in their comments."""
    text = (ROOT / "doc/examples" / name).read_text()
    for given in (text, re.sub(r"^; (\[?\w+\]?( =.*)?)$", r"\1", text, flags=re.M)):
        file = tmp_path / name
        file.write_text(placed(given, pki, tmp_path))
        done = run(BUILD / program, "check", file, check=False)
        assert done.returncode == 0, done.stderr
