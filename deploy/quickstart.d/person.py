#!/usr/bin/env python3
"""Plays the person who logs in: opens the login page and enters the code that is pending.

Usage: person.py READY_FILE USER. READY_FILE is what purser-devtenant wrote.
"""
import http.client
import json
import socket
import ssl
import sys
import urllib.parse
import urllib.request


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost")
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def main(ready_file, user):
    with open(ready_file, encoding="utf-8") as file:
        tenant = json.load(file)
    control = UnixConnection(tenant["control"])
    control.request("GET", "/logins?wait=60")
    pending = json.loads(control.getresponse().read())
    page = tenant["authority"] + "/devicelogin"
    form = {"user_code": pending[-1]["user_code"], "user": user, "action": "approve"}
    context = ssl.create_default_context(cafile=tenant["ca_file"])
    with urllib.request.urlopen(page, urllib.parse.urlencode(form).encode(),
                                context=context) as response:
        print(f"{user} at {page}, code {form['user_code']}: {response.read().decode()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
