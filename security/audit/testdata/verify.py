"""Verify a Custody bundle with nothing but Python: verify.py BUNDLE

A second reading of VERIFY.md, made to disagree with the Go one where either is
wrong. Prints what does not hold and exits with 7, or "intact" and exits with 0.
"""
import base64, hashlib, hmac, json, sys, zipfile

findings = []


def no_twice(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError("a key twice")
    return dict(pairs)


def read(text):
    return json.loads(text, object_pairs_hook=no_twice)


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def entry(line, streams, commits):
    e = read(line)
    place = e["stream"], e["seq"]
    text = f"custody-entry/v1\n{e['log']}\n{e['stream']}\n{e['seq']}\n{e['prev']}\n{e['body']}"
    if hashlib.sha256(b"\0" + text.encode()).hexdigest() != e["hash"]:
        findings.append(("hash", *place))
    seq, head, closed = streams.get(e["stream"], (-1, "0" * 64, False))
    if e["seq"] != seq + 1 or e["prev"] != head or closed:
        findings.append(("chain", *place))
    body = read(e["body"])
    if canonical(body) != e["body"]:
        findings.append(("canonical", *place))
    last = body["action"] == "run.closed"
    if last and body["count"] != e["seq"] + 1:
        findings.append(("count", *place))
    if body["action"] not in ("payload.read", "payload.erased", "approval.viewed"):
        commits.update((p["id"], p["commit"]) for p in body.get("payloads", []))
    streams[e["stream"]] = e["seq"], e["hash"], last


def payload(name, text, commits):
    p = read(text)
    content = base64.b64decode(p["content"]) if p.get("encoding") == "base64" else p["content"].encode()
    commit = hmac.new(bytes.fromhex(p["salt"]), content, hashlib.sha256).hexdigest()
    if not commit == p["commitment"] == commits.get(name[len("payloads/"):-len(".json")]):
        findings.append(("payload", name))


def main(path):
    streams, commits, lines = {}, {}, 0
    with zipfile.ZipFile(path) as z:
        for line in z.open("entries.jsonl"):
            entry(line.decode(), streams, commits)
            lines += 1
        for name in z.namelist():
            if name.startswith("payloads/") and not name.endswith("/"):
                payload(name, z.read(name).decode(), commits)
        if read(z.read("manifest.json"))["entries"] != lines or lines == 0:
            findings.append(("number of entries", lines))


try:
    main(sys.argv[1])
except Exception as fault:
    findings.append(("cannot be read", type(fault).__name__))
print("\n".join(map(str, findings)) or "intact")
sys.exit(7 if findings else 0)
