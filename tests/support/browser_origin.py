"""An origin for browsers: browser_origin.py ADDRESS PORT NAME. Serves one page whose script does what pages do and
reports what it saw; /report shows the last report, /whoami says NAME, /echo answers the body, /socket is a WebSocket
that echoes."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import websocket

PAGE = """<!doctype html><title>page</title><script>
const report = {errors: []};
async function look() {
  const big = await (await fetch('/big')).arrayBuffer();
  const hash = await crypto.subtle.digest('SHA-256', big);
  report.big = [...new Uint8Array(hash)].map(b => b.toString(16).padStart(2, '0')).join('');
  const who = [];
  for (let i = 0; i < 8; ++i) who.push(await (await fetch('/whoami?' + i, {cache: 'no-store'})).text());
  report.sequential = who;
  report.parallel = await Promise.all([...Array(40).keys()].map(
      async i => await (await fetch('/whoami?p' + i, {cache: 'no-store'})).text()));
  const body = 'x'.repeat(300000) + '\\u00e4';
  const posted = await fetch('/echo', {method: 'POST', body});
  report.echo = posted.status == 200 && await posted.text() == body;
  report.cookie_is_hidden = !document.cookie.includes('vipair');
  report.missing = (await fetch('/missing')).status;
  const protocols = performance.getEntriesByType('resource').map(e => e.nextHopProtocol);
  report.protocols = [...new Set(protocols)];
  report.page_protocol = performance.getEntriesByType('navigation')[0].nextHopProtocol;
  report.websocket = await new Promise((resolve, reject) => {
    const socket = new WebSocket('wss://' + location.host + '/socket'), got = [];
    setTimeout(() => reject('the WebSocket is silent: ' + got), 8000);
    socket.onerror = () => reject('the WebSocket failed');
    socket.onmessage = message => {
      got.push(message.data.length);
      if (got.length == 1) socket.send('y'.repeat(70000));
      if (got.length == 2) { socket.close(1000); resolve(got); }
    };
  });
}
look().catch(e => report.errors.push(String(e))).finally(
    () => fetch('/report', {method: 'POST', body: JSON.stringify(report)}));
</script>"""


def big() -> bytes:
    return b"".join(b"%08x\n" % number for number in range(300_000))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body: bytes, kind: str = "text/plain", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0]
        if path == "/":
            self.answer(PAGE.encode(), "text/html; charset=utf-8")
        elif path == "/whoami":
            self.answer(sys.argv[3].encode())
        elif path == "/big":
            self.answer(big(), "application/octet-stream")
        elif path == "/socket":
            self.talk()
        else:
            self.answer(b"nothing here", status=404)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])) if "Content-Length" in self.headers else self.chunks()
        if self.path == "/report":
            print("report", body.decode(), flush=True)
        self.answer(body)

    def chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def talk(self) -> None:
        self.close_connection = True
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", websocket.accept_key(self.headers["Sec-WebSocket-Key"]))
        self.end_headers()
        frames = websocket.Frames(self.connection, masks=False)
        frames.send(b"hello")
        try:
            while True:
                opcode, payload = frames.receive()
                frames.send(payload, opcode)
                if opcode == websocket.CLOSE:
                    return
        except (EOFError, ConnectionError):
            pass

    def log_message(self, text: str, *values) -> None:
        print(text % values, flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
