#!/usr/bin/env python3
"""Reads every #include and enforces the direction of dependence (design, section 3).

sidecar -> {vault_adapters, token_cache} -> broker/ports -> broker/base; broker/* sees only broker.
Adapters see ports and base, never policy. Siblings never include each other.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"', re.M)

# What ports and adapters may name of the core: the types that their signatures are made of.
VOCABULARY = ("broker/base/", "broker/ports/", "broker/reason.h", "broker/ledger/entry.h")

# folder -> prefixes that its files may include. The longest matching folder decides.
ALLOWED = {
    "broker/base": ("broker/base/",),
    "broker/ports": VOCABULARY,
    "broker/ledger": ("broker/base/", "broker/ledger/", "broker/ports/"),
    "broker/policy": ("broker/base/", "broker/policy/", "broker/reason.h", "broker/token_request.h"),
    "broker/entra": ("broker/base/", "broker/ports/", "broker/entra/", "broker/reason.h"),
    "broker/graph": ("broker/base/", "broker/ports/", "broker/graph/"),
    "broker": ("broker/",),
    "vault_adapters": VOCABULARY + ("vault_adapters/",),
    "token_cache": VOCABULARY + ("token_cache/",),
    "sidecar/ipc": ("broker/", "sidecar/ipc/"),
    "sidecar/hardening": ("broker/base/", "sidecar/hardening/", "sidecar/ipc/"),
    "sidecar/window": ("broker/", "sidecar/ipc/", "sidecar/hardening/", "sidecar/window/"),
    "sidecar/ledger": ("broker/", "sidecar/ipc/", "sidecar/hardening/", "sidecar/ledger/"),
    "sidecar/dialer": ("broker/", "sidecar/ipc/", "sidecar/hardening/", "sidecar/dialer/"),
    "sidecar/broker": ("broker/", "vault_adapters/", "token_cache/", "sidecar/ipc/",
                       "sidecar/hardening/", "sidecar/broker/"),
    "sidecar/supervisor": ("broker/", "sidecar/ipc/", "sidecar/hardening/", "sidecar/supervisor/"),
    "sidecar/cli": ("broker/", "token_cache/", "sidecar/ipc/", "sidecar/cli/"),
}
# Libraries with a home: nobody else may even name them.
LIBRARIES = {
    r"<(curl|sqlite3)": ("sidecar/broker", "sidecar/cli", "token_cache", "test"),
    r"<httplib": ("sidecar/window", "test"),
    r"<sys/socket": ("sidecar", "test"),
    r"<seccomp": ("sidecar/hardening", "test"),
}


def folder_of(path):
    name = path.relative_to(ROOT).as_posix()
    best = max((f for f in ALLOWED if name.startswith(f + "/")), key=len, default=None)
    return name, best


def faults():
    sources = [p for top in ("broker", "vault_adapters", "token_cache", "sidecar")
               for p in sorted((ROOT / top).rglob("*")) if p.suffix in (".h", ".cc")]
    if len(sources) < 10:
        yield f"only {len(sources)} sources found below {ROOT}: the test looks at the wrong place"
    for path in sources:
        name, folder = folder_of(path)
        text = path.read_text()
        if folder is None:
            yield f"{name}: no rule for this folder; add one to ALLOWED"
            continue
        for include in INCLUDE.findall(text):
            if not include.startswith(ALLOWED[folder]):
                yield f'{name}: may not include "{include}" (allowed: {", ".join(ALLOWED[folder])})'
        for pattern, homes in LIBRARIES.items():
            if re.search(r"#\s*include\s+" + pattern, text) and not name.startswith(homes):
                yield f"{name}: only {', '.join(homes)} may include {pattern}"


if __name__ == "__main__":
    found = list(faults())
    print("\n".join(found) or "every #include points the right way")
    sys.exit(1 if found else 0)
