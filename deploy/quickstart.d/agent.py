#!/usr/bin/env python3
"""An agent: asks its socket for a token, uses it, asks for more than it may have.

Usage: agent.py GRAPH_URL CA_FILE. Only the standard library; PURSER_SOCKET names the socket.
"""
import http.client
import json
import os
import socket
import ssl
import sys
import urllib.request


class UnixConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(os.environ["PURSER_SOCKET"])


def ask(*scopes):
    """The answer to POST /v1/token: status and JSON."""
    connection = UnixConnection("localhost")
    connection.request("POST", "/v1/token", json.dumps({"scopes": scopes}),
                       {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = json.loads(response.read())
    print(f"asked for {' '.join(scopes)}: {response.status}")
    shown = {key: value for key, value in answer.items() if key != "access_token"}
    if "access_token" in answer:
        shown["access_token"] = answer["access_token"][:12] + "…"
    print(json.dumps(shown, indent=2, ensure_ascii=False))
    return answer


def list_messages(graph, ca_file, token):
    request = urllib.request.Request(graph + "/v1.0/me/messages",
                                     headers={"Authorization": "Bearer " + token})
    context = ssl.create_default_context(cafile=ca_file)
    with urllib.request.urlopen(request, context=context) as response:
        for message in json.load(response)["value"]:
            print(f"  {message['from']['emailAddress']['address']}: {message['subject']}")


def main(graph, ca_file):
    print(f"agent: uid {os.getuid()}, {os.environ['PURSER_SOCKET']}")
    granted = ask("Mail.Read")
    if "access_token" in granted:
        print("GET /v1.0/me/messages with it:")
        list_messages(graph, ca_file, granted["access_token"])
        ask("Mail.Send")


if __name__ == "__main__":
    main(*sys.argv[1:])
