#!/usr/bin/env python3
"""Review a contract over plain HTTP, with nothing but Python's own library.

    contract_review.py CONTRACT.txt

CUSTODY_URL is the server, CALLER_TOKEN_FILE and APPROVER_TOKEN_FILE hold the
access tokens of two people: whoever asks cannot approve.

It submits the contract with an idempotency key, follows the run, recomputes what
the approver is shown before it votes, and checks that the server's receipts stand
in the record that it showed.
"""

import hashlib
import hmac
import json
import os
import sys
import time
import urllib.error
import urllib.request

SERVER = os.environ.get("CUSTODY_URL", "http://127.0.0.1:8080")


class Refused(Exception):
    """A problem (RFC 9457): switch on its type, show its detail."""

    def __init__(self, problem, after):
        super().__init__(f"{problem.get('type')}: {problem.get('detail')}")
        self.problem = problem
        self.after = after  # seconds until it is worth trying again


def request(token, method, path, body=None, **headers):
    """Send one request and return the open response."""
    data = None if body is None else json.dumps(body).encode()
    req = urllib.request.Request(SERVER + path, data=data, method=method)
    req.add_header("Authorization", "Bearer " + token)
    req.add_header("Content-Type", "application/json")
    for name, value in headers.items():
        req.add_header(name.replace("_", "-"), value)
    try:
        return urllib.request.urlopen(req, timeout=60)
    except urllib.error.HTTPError as error:
        if error.headers.get_content_type() == "application/problem+json":
            raise Refused(json.load(error), int(error.headers.get("Retry-After", 1))) from None
        raise


def call(token, method, path, body=None, **headers):
    """Send one request and return its JSON. 429 and 503 say when to come back."""
    for attempt in range(5):
        try:
            with request(token, method, path, body, **headers) as answer:
                return json.load(answer)
        except Refused as refused:
            if refused.problem["status"] not in (429, 503) or attempt == 4:
                raise
            time.sleep(refused.after)  # the same key makes this safe


def entry_hash(entry):
    """The hash of an entry: docs/ledger-format.md, in one expression."""
    head = "custody-entry/v1\n{log}\n{stream}\n{seq}\n{prev}\n{body}".format(**entry)
    return hashlib.sha256(b"\0" + head.encode()).hexdigest()


class Chain:
    """The entries of one stream, each checked against the one before."""

    def __init__(self):
        self.entries = []

    def add(self, entry):
        before = self.entries[-1]["hash"] if self.entries else "0" * 64
        if entry["seq"] != len(self.entries) or entry["prev"] != before:
            sys.exit(f"entry {entry['seq']} does not continue the chain")
        if entry_hash(entry) != entry["hash"]:
            sys.exit(f"entry {entry['seq']} was altered")
        self.entries.append(entry)

    def holds(self, receipt):
        """Whether the entry that a receipt names is in the chain."""
        seq = receipt["seq"]
        return seq < len(self.entries) and self.entries[seq]["hash"] == receipt["hash"]


def follow(token, run, chain):
    """Yield the bodies of a run's entries as they are committed (server-sent
    events). A connection that breaks goes on with the entry after the last."""
    while True:
        since = {"Last_Event_ID": str(len(chain.entries) - 1)} if chain.entries else {}
        try:
            with request(token, "GET", f"/v1/runs/{run}/events", Accept="text/event-stream", **since) as stream:
                if stream.status == 204:  # closed, and nothing is left
                    return
                for line in stream:
                    if not line.startswith(b"data: "):
                        continue
                    chain.add(json.loads(line[len(b"data: "):]))
                    body = json.loads(chain.entries[-1]["body"])
                    yield body
                    if body["action"] == "run.closed":
                        return
        except (ConnectionError, TimeoutError):
            time.sleep(1)


def shown_and_bound(approval, shown):
    """Whether the digest binds exactly what is shown (docs/approvers.md)."""
    digest = "sha256:" + hashlib.sha256(approval["document"].encode()).hexdigest()
    document = json.loads(approval["document"])
    commitments = [
        {"name": s["name"], "commit": hmac.new(bytes.fromhex(s["salt"]), s["content"].encode(), hashlib.sha256).hexdigest()}
        for s in shown
    ]
    named = [{"name": s["name"], "commit": s["commit"]} for s in document["shown"]]
    return digest == approval["digest"] and document["approval"] == approval["id"] and commitments == named


def waits(token, run):
    """Whether the run waits for people; an earlier start may have seen to it."""
    return call(token, "GET", f"/v1/approvals?run={run}&for=all")["data"] != []


def approve(token, run):
    """Look at what the run asks, and vote for exactly that. Return the vote."""
    waiting = call(token, "GET", f"/v1/approvals?run={run}&state=pending")["data"]
    for approval in waiting:
        if not approval["you"]["may_vote"]:
            sys.exit("may not vote: " + ", ".join(approval["you"]["reasons"]))
        shown = call(token, "GET", f"/v1/approvals/{approval['id']}/shown")
        if not shown_and_bound(approval, shown):
            sys.exit("what is shown is not what the digest binds: do not vote")
        for value in shown:
            print(f"{value['name']}: {value['content']}")
        vote = {"decision": "approve", "digest": approval["digest"], "comment": "read"}
        return call(token, "POST", f"/v1/approvals/{approval['id']}/votes", vote, Idempotency_Key="vote-" + approval["id"])
    sys.exit("nothing waits for this approver")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def main():
    if len(sys.argv) != 2 or not {"CALLER_TOKEN_FILE", "APPROVER_TOKEN_FILE"} <= os.environ.keys():
        sys.exit(__doc__)
    caller = read(os.environ["CALLER_TOKEN_FILE"])
    approver = read(os.environ["APPROVER_TOKEN_FILE"])
    contract = read(sys.argv[1])

    # The key comes from what is submitted: whoever starts this twice, also after
    # a crash in between, gets the same run.
    key = "review-" + hashlib.sha256(contract.encode()).hexdigest()[:32]
    order = {"workflow": "contract-review", "input": {"contract": contract}}
    run = call(caller, "POST", "/v1/runs", order, Idempotency_Key=key)
    again = call(caller, "POST", "/v1/runs", order, Idempotency_Key=key)
    if again["id"] != run["id"]:
        sys.exit("one key made two runs")
    print("run", run["id"])

    chain, receipts = Chain(), []
    for body in follow(caller, run["id"], chain):
        print(body["action"], *filter(None, [body["step"]]))
        if body["action"] == "approval.requested" and waits(caller, run["id"]):
            receipts.append(approve(approver, run["id"])["receipt"])

    run = call(caller, "GET", "/v1/runs/" + run["id"])
    receipts.append(run["receipt"])
    if not all(chain.holds(r) for r in receipts):
        sys.exit("a receipt names an entry that the record does not hold")
    print(f"{len(chain.entries)} entries, {len(receipts)} receipts: the record holds")
    if run["state"] != "succeeded":
        sys.exit(f"the run {run['state']}: {run['reason']['code']}")
    print("filed as", call(caller, "GET", f"/v1/runs/{run['id']}/output"))


if __name__ == "__main__":
    try:
        main()
    except (Refused, OSError) as error:  # what went wrong, not where in this file
        sys.exit(f"contract_review: {error}")
