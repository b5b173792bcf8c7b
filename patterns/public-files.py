#!/usr/bin/env python3
"""Makes public-files.tsv: the files of widely used public packages in which layersift finds something that would fail a scan.

Usage: patterns/public-files.py LAYERSIFT > patterns/public-files.tsv

Fetches each package of PACKAGES by its registry's own client (apt-get on Debian, pip, npm), unpacks it, scans it with the given program,
and writes the first 128 bits of the SHA-256 of each file with a finding that is likely or confirmed. No secret is written. Lines of
packages that can no longer be had in that version are kept from the list as it is.
"""

import concurrent.futures
import hashlib
import json
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile

# Versions are pinned, so that the same list comes out. Of a Debian package it is the version that the machine's sources offer.
PACKAGES = {
    "python": """
        twisted==24.7.0 twisted==22.10.0 tornado==6.4.2 tornado==6.2 botocore==1.35.99 moto==5.0.14 cheroot==10.0.1 pysaml2==7.5.0
        eventlet==0.37.0 google-auth==2.34.0 apache-libcloud==3.8.0 impacket==0.13.1 josepy==1.14.0 oauthlib==3.2.2 urllib3==1.26.20
    """,
    "npm": """
        debug@2.6.9 debug@2.6.8 debug@2.2.0 debug@3.1.0 debug@3.2.7 request@2.88.2 http-signature@1.2.0 ssh2@1.16.0 ssh2-streams@0.4.10
        jws@3.2.2 node-rsa@1.1.1 http-proxy@1.18.1 https-proxy-agent@2.2.4 agent-base@4.3.0 webpack-dev-server@2.11.5 browser-sync@3.0.3
        live-server@1.2.2 spdy@4.0.2 http2@3.3.7 ws@1.1.5 express@3.21.2 mongodb@3.7.4 mysql@2.18.1 pem@1.14.8 parse-asn1@5.0.0
        browserify-sign@4.0.4 public-encrypt@4.0.0 tunnel@0.0.6 needle@2.9.1 hapi@18.1.0 restify@8.6.1 nodemailer@6.9.15 smtp-server@3.13.4
        http-auth@4.2.0 superagent@3.8.3 passport-saml@3.2.4 xml-crypto@2.1.5 aws-sdk@2.1691.0
    """,
    "dpkg": """
        libgnutls30 golang-1.19-src python3-twisted python3-tornado python3-oauthlib python3-eventlet python3-pysaml2 libpython3.11-testsuite
        ruby-net-ssh libhttp-daemon-ssl-perl libio-socket-ssl-perl libmojolicious-perl libnet-ssleay-perl erlang-examples libmbedcrypto7
        libmbedtls14 node-http-signature node-request node-debug golang-golang-x-crypto-dev libnode108 libssl-dev libgcrypt20 puma
        libcurl4-openssl-dev openssl
    """,
}


def run(*command, cwd):
    return subprocess.run([str(part) for part in command], cwd=cwd, check=True, capture_output=True, text=True).stdout


def fetch(manager, package, folder):
    """Fetches one package into the folder and unpacks it. Gives its name, its version and the folder with its files."""
    files = folder / "files"
    files.mkdir()
    if manager == "python":
        name, version = package.split("==")
        run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary", ":all:", "--dest", ".", package, cwd=folder)
    elif manager == "npm":
        name, version = package.rsplit("@", 1)
        run("npm", "pack", "--silent", package, cwd=folder)
    else:
        name, version = package, None
        run("apt-get", "download", "-q", package, cwd=folder)
    (archive,) = (path for path in folder.iterdir() if path.is_file())
    if archive.suffix == ".whl":
        zipfile.ZipFile(archive).extractall(files)
    elif archive.suffix == ".deb":
        version = run("dpkg-deb", "-f", archive, "Version", cwd=folder).strip()
        run("dpkg-deb", "-x", archive, files, cwd=folder)
    else:
        tarfile.open(archive).extractall(files, filter="data")
    archive.unlink()
    return name, version, files


def lines(program, manager, package):
    with tempfile.TemporaryDirectory() as folder:
        try:
            name, version, files = fetch(manager, package, pathlib.Path(folder))
        except (subprocess.CalledProcessError, ValueError) as error:
            print(f"{manager} {package}: {getattr(error, 'stderr', error)}", file=sys.stderr)
            return None
        command = [program, "scan", f"dir:{files}", "--format", "json", "--fail-on", "never", "--quiet", "--no-config"]
        scan = subprocess.run(command, capture_output=True, text=True, check=False)
        if scan.returncode not in (0, 3):
            sys.exit(f"{manager} {package}: {scan.stderr}")
        report = json.loads(scan.stdout)
        found = set()
        for finding in report["findings"]:
            suppressed = (finding["suppressed"] or {}).get("reason", "public-file")
            path = finding["place"].get("path")
            if finding["confidence"] != "possible" and suppressed == "public-file" and path:
                found.add(path)
        result = []
        for path in found:
            file = files / path.lstrip("/")
            if file.is_file() and not file.is_symlink():
                half = hashlib.sha256(file.read_bytes()).hexdigest()[:32]
                result.append((half, manager, name, version, path.lstrip("/").removeprefix("package/")))
        return result


def main():
    program = pathlib.Path(sys.argv[1]).resolve()
    wanted = [(manager, package) for manager, packages in PACKAGES.items() for package in packages.split()]
    old = {}
    for line in pathlib.Path(__file__).with_suffix(".tsv").read_text().splitlines():
        fields = tuple(line.split("\t"))
        if len(fields) == 5:
            old.setdefault((fields[1], fields[2], fields[3]), []).append(fields)
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda one: lines(program, *one), wanted))
    by_hash = {}
    for (manager, package), result in zip(wanted, results):
        if result is None:
            name, _, version = package.replace("==", "@").rpartition("@") if manager != "dpkg" else (package, "", None)
            result = [field for key, fields in old.items() if key[:2] == (manager, name) and version in (None, key[2]) for field in fields]
        for fields in result:
            # The same file in several packages is named after the first of them.
            by_hash.setdefault(fields[0], fields)
    print("# Files that are public wherever they lie, by the first 128 bits of their SHA-256: test keys and samples of widely used packages.")
    print("# hash, kind of package, name, version, path; made by public-files.py.")
    for fields in sorted(by_hash.values()):
        print("\t".join(fields))


main()
