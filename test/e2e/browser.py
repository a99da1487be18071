"""A person with a browser: signs in on the development tenant's page and follows where that leads."""
import http.client
import subprocess
import urllib.parse

from dev_tenant import JO
from programs import BIN, START_SECONDS, EndedEarly, Program, Reply

# What browsers send, percent signs and underscores included.
HEADERS = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
           "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
           "Accept-Language": "de-CH,de;q=0.5", "Upgrade-Insecure-Requests": "1",
           "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "cross-site",
           "Cookie": "another_program=a%20b; theme_of=dark"}


def parameters(url):
    """The query of `url`, each name once."""
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query, strict_parsing=True)
    return {name: value for name, [value] in query.items()}


def changed(url, **query):
    """`url` with other parameters: those that are None are left out."""
    all_of_them = {k: v for k, v in (parameters(url) | query).items() if v is not None}
    return url.split("?")[0] + "?" + urllib.parse.urlencode(all_of_them)


def sign_in(entra, url, user=JO, action="approve"):
    """Opens the page, sends its form, and returns where the browser is told to go."""
    page = entra.https(url, headers=HEADERS)
    assert page.status == 200 and b"<form method=post>" in page.body, page
    sent = entra.https(url, "POST", form={"user": user, "action": action}, headers=HEADERS)
    assert sent.status == 302, sent
    return sent.headers["Location"]


def follow(url, headers=None, host=None, timeout=60):
    """GET of an address of this machine; `host` is where it resolves to."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(host or parts.hostname, parts.port, timeout=timeout)
    try:
        connection.request("GET", (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                           headers=HEADERS | (headers or {}))
        return Reply(connection.getresponse())
    finally:
        connection.close()


class LoginCommand(Program):
    """`purser login CREDENTIAL --browser`, waiting for a browser; `options` go before it, `hint`
    behind it."""

    def __init__(self, purser, credential, *options, hint=(), **popen):
        popen = {"stdin": subprocess.PIPE, "env": purser.cli_environment()} | popen
        super().__init__([BIN / "purser", *options, "login", credential, "--browser", *hint],
                         **popen)
        self.entra = purser.entra

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        if self.process.stdin:
            self.process.stdin.close()

    def address(self):
        return self.wait_for_line(lambda line: line.startswith("https://"))

    def port(self):
        return urllib.parse.urlsplit(parameters(self.address())["redirect_uri"]).port

    def back(self, user=JO, action="approve"):
        """The address that the browser ends at, once somebody has signed in."""
        return sign_in(self.entra, self.address(), user, action)

    def paste(self, text):
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def ended(self):
        """Exit status and all that was printed."""
        self.process.wait(START_SECONDS)
        return self.stop(), self.log()


def log_in(purser, credential, paste=False, **person):
    """A whole login, by listener or by paste; the command's outcome."""
    with LoginCommand(purser, credential) as command:
        try:
            back = command.back(**person)
            command.paste(back + "\n") if paste else follow(back)
        except EndedEarly:
            pass  # refused before it showed an address: the caller looks at the outcome
        return subprocess.CompletedProcess(command.process.args, *command.ended(), "")
