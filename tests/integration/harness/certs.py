"""Certificates of the tests' own authority, made with the openssl program for this run only."""

import os
import subprocess


def _openssl(*arguments, folder):
    done = subprocess.run(["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=60, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"openssl {arguments[0]}: {done.stderr}"


class Authority:
    """A certificate authority in a folder: ca is its certificate's path, issue() makes server certificates."""

    def __init__(self, folder, name="shoal test authority"):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", f"/CN={name}", "-keyout", "ca.key", "-out", "ca.pem",
                 "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                 folder=folder)
        self.ca = os.path.join(folder, "ca.pem")

    def issue(self, name, *alternatives, days=1):
        """(certificate, key) for the names, each "DNS:…" or "IP:…". days may be negative: expired already."""
        stem = name.replace("*", "_")
        with open(os.path.join(self.folder, f"{stem}.ext"), "w", encoding="ascii") as f:
            f.write(f"subjectAltName={','.join(alternatives)}\nbasicConstraints=CA:FALSE\n"
                    "extendedKeyUsage=serverAuth\n")
        _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                 "-keyout", f"{stem}.key", "-out", f"{stem}.csr", folder=self.folder)
        _openssl("x509", "-req", "-in", f"{stem}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                 "-days", str(days), "-extfile", f"{stem}.ext", "-out", f"{stem}.pem", folder=self.folder)
        return os.path.join(self.folder, f"{stem}.pem"), os.path.join(self.folder, f"{stem}.key")
