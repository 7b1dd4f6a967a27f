"""A server that answers huggingface_hub as the hub does, for what a download asks."""

import contextlib
import http.server
import json
import threading

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
  """What it serves, and how it refuses.

  Attributes:
    files: name -> bytes, of the one repository.
    refusal: (status, X-Error-Code) with which every request is answered; None serves.
    gated: whether files, and not the list of them, need the token "accepted".
    asked: paths of the requests.
  """

  def __init__(self, repository, files):
    self.repository, self.files = repository, files
    self.refusal, self.gated = None, False
    self.asked = []

  def answer(self, path, token):
    """Returns (status, headers, body) for a request."""
    self.asked.append(path)
    if self.refusal:
      return self.refusal[0], {"X-Error-Code": self.refusal[1]}, b""
    if path.startswith("/api/") and f"/api/models/{self.repository}" not in path:
      return 404, {"X-Error-Code": "RepoNotFound"}, b""
    if "/revision/" in path:
      if not path.endswith(("/main", COMMIT)):
        return 404, {"X-Error-Code": "RevisionNotFound"}, b""
      return 200, {}, json.dumps({"id": self.repository, "sha": COMMIT, "siblings": []}).encode()
    if "/tree/" in path:
      entries = [
          {"type": "file", "path": name, "size": len(body), "oid": f"{i:040d}"}
          for i, (name, body) in enumerate(self.files.items())
      ]
      return 200, {}, json.dumps(entries).encode()
    if self.gated and token != "Bearer accepted":
      return (403 if token else 401), {"X-Error-Code": "GatedRepo"}, b""
    body = self.files[path.rpartition("/")[2]]
    return 200, {"ETag": f'"{hash(body)}"', "X-Repo-Commit": COMMIT}, body


@contextlib.contextmanager
def served(hub):
  """Yields the address at which a Hub answers."""

  class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
      status, headers, body = hub.answer(self.path.partition("?")[0], self.headers.get("Authorization"))
      self.send_response(status)
      for name, value in {**headers, "Content-Length": str(len(body))}.items():
        self.send_header(name, value)
      self.end_headers()
      if self.command == "GET":
        self.wfile.write(body)

    do_HEAD = do_GET

    def log_message(self, *_):
      pass

  server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
  threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
  try:
    yield f"http://127.0.0.1:{server.server_port}"
  finally:
    server.shutdown()
    server.server_close()
