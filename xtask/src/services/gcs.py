"""Google's XML interface in front of fake-gcs-server, which keeps and judges what is in it.

That server has Google's JSON interface; of the XML one, which clients of many languages speak, it
has only reading. This door says in JSON what it is asked in XML (developers' page "XML API":
objects, listings of version 2, uploads in parts, conditions by generation), compares ETags of
conditional reads, which the server does not, and lets in only who shows a token that was signed with the key of one
service account.

python3 gcs.py PORT FAKE-GCS-SERVER FOLDER: with one bucket, `bucket`, in memory; the account's key
lies in FOLDER/key.json once the door is open.
"""
import base64, ctypes, email.utils, hashlib, http.client, http.server, json, os, socket
import socketserver, subprocess, sys, threading, time, uuid
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit
from xml.sax.saxutils import escape
from xml.etree import ElementTree

PORT, PROGRAM, FOLDER = int(sys.argv[1]), sys.argv[2], sys.argv[3]
KEY = subprocess.run(
    ["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
    check=True, capture_output=True).stdout
MODULUS = int(subprocess.run(
    ["openssl", "rsa", "-noout", "-modulus"], input=KEY, check=True, capture_output=True
).stdout.split(b"=")[1], 16)
with socket.create_server(("127.0.0.1", 0)) as free:
    SERVER = free.getsockname()[1]
LOCAL = threading.local()
PARTS = ".parts-of-uploads"


def ask(method, path, query=(), body=None, headers=()):
    """Asks the server: status, headers, body."""
    url = path + ("?" + urlencode(query) if query else "")
    for last in (False, True):
        if getattr(LOCAL, "server", None) is None:
            LOCAL.server = http.client.HTTPConnection("127.0.0.1", SERVER)
        try:
            LOCAL.server.request(method, url, body=body, headers=dict(headers))
            answer = LOCAL.server.getresponse()
            return answer.status, answer.headers, answer.read()
        except (http.client.HTTPException, ConnectionError):
            LOCAL.server = None
            if last:
                raise


def resource(bucket, name):
    return f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}"


def is_signed(token):
    """Whether a token (RFC 7519, RS256) is of the account and still good."""
    def bytes_of(part):
        return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    try:
        said, signature = token.rsplit(".", 1)
        digest = bytes.fromhex("3031300d060960864801650304020105000420")
        digest += hashlib.sha256(said.encode()).digest()
        padded = b"\0\1" + b"\xff" * (256 - len(digest) - 3) + b"\0" + digest
        is_its = pow(int.from_bytes(bytes_of(signature), "big"), 65537, MODULUS)
        claims = json.loads(bytes_of(said.split(".")[1]))
        return is_its.to_bytes(256, "big") == padded and claims["exp"] > time.time()
    except (ValueError, KeyError, IndexError):
        return False


class Door(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def give(self, status, body=b"", headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()

    def refuse(self, status, code):
        self.give(status, f"<?xml version='1.0'?><Error><Code>{code}</Code></Error>".encode())

    def passed(self, status):
        """Refuses what the server refused; whether it did not."""
        codes = {404: "NoSuchKey", 412: "PreconditionFailed"}
        if status >= 300:
            self.refuse(status, codes.get(status, "Refused"))
        return status < 300

    def serve(self):
        url = urlsplit(self.path)
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not is_signed((self.headers.get("Authorization") or "").removeprefix("Bearer ")):
            return self.refuse(401, "AuthenticationRequired")
        bucket, _, name = url.path[1:].partition("/")
        bucket, name = unquote(bucket), unquote(name)
        if not name:
            return self.listing(bucket, query)
        if self.command in ("GET", "HEAD"):
            return self.read(bucket, name, query)
        if self.command == "DELETE":
            if "uploadId" in query:
                return self.give(204)
            status, _, _ = ask("DELETE", resource(bucket, name))
            return self.give(204) if self.passed(status) else None
        if self.command == "POST" and "uploads" in query:
            text = f"<InitiateMultipartUploadResult><UploadId>{uuid.uuid4()}</UploadId>"
            return self.give(200, (text + "</InitiateMultipartUploadResult>").encode())
        if self.command == "POST":
            return self.complete(bucket, name, query["uploadId"], body)
        return self.put(bucket, name, query, body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = serve

    def condition(self):
        generation = self.headers.get("x-goog-if-generation-match")
        return [] if generation is None else [("ifGenerationMatch", generation)]

    def put(self, bucket, name, query, body):
        source = self.headers.get("x-goog-copy-source")
        if source is not None:
            from_bucket, _, from_name = unquote(source).lstrip("/").partition("/")
            path = resource(from_bucket, from_name) + "/rewriteTo" + resource(bucket, name)[11:]
            status, _, _ = ask("POST", path, self.condition(), "{}")
            return self.give(200, b"<CopyObjectResult/>") if self.passed(status) else None
        if "uploadId" in query:
            name = f"{PARTS}/{query['uploadId']}/{int(query['partNumber']):05}"
        headers = [("Content-Type", self.headers.get("Content-Type") or "application/octet-stream")]
        status, made = self.upload(bucket, name, body, headers, self.condition())
        if self.passed(status):
            etag = f'"{made["etag"].strip(chr(34))}"'
            self.give(200, headers=[("ETag", etag), ("x-goog-generation", made["generation"])])

    def upload(self, bucket, name, body, headers, condition):
        path = f"/upload/storage/v1/b/{quote(bucket, safe='')}/o"
        query = [("uploadType", "media"), ("name", name), *condition]
        status, _, said = ask("POST", path, query, body, headers)
        return status, json.loads(said) if status < 300 else None

    def complete(self, bucket, name, upload, body):
        parts = [e.text for e in ElementTree.fromstring(body).iter() if e.tag.endswith("PartNumber")]
        whole = b""
        for part in sorted(parts, key=int):
            path = resource(bucket, f"{PARTS}/{upload}/{int(part):05}")
            status, _, piece = ask("GET", path, [("alt", "media")])
            if not self.passed(status):
                return
            whole += piece
            ask("DELETE", path)
        status, made = self.upload(bucket, name, whole, [], self.condition())
        if self.passed(status):
            text = f"<CompleteMultipartUploadResult><ETag>&quot;{made['etag']}&quot;</ETag>"
            headers = [("x-goog-generation", made["generation"])]
            self.give(200, (text + "</CompleteMultipartUploadResult>").encode(), headers)

    def read(self, bucket, name, query):
        passed_on = [(n, self.headers[n]) for n in ("Range", "Accept-Encoding") if n in self.headers]
        path = "/download" + resource(bucket, name)
        status, headers, body = ask(self.command, path, list(query.items()), headers=passed_on)
        if status == 400 and "generation" in query:
            status = 404
        if status >= 300 and status != 416:
            return self.passed(status)
        etag, changed = headers["ETag"], headers["Last-Modified"]
        def is_after(name):
            asked = email.utils.parsedate_to_datetime(self.headers[name])
            return email.utils.parsedate_to_datetime(changed) > asked
        asked = self.headers
        if "If-Match" in asked:
            if asked["If-Match"] not in (etag, "*"):
                return self.refuse(412, "PreconditionFailed")
        elif "If-Unmodified-Since" in asked and is_after("If-Unmodified-Since"):
            return self.refuse(412, "PreconditionFailed")
        if "If-None-Match" in asked:
            if asked["If-None-Match"] in (etag, "*"):
                return self.give(304)
        elif "If-Modified-Since" in asked and not is_after("If-Modified-Since"):
            return self.give(304)
        kept = ("ETag", "Last-Modified", "Content-Range", "Content-Length", "Content-Type")
        told = [(n, headers[n]) for n in kept if n in headers]
        self.give(status, body, [*told, ("x-goog-generation", headers["X-Goog-Generation"])])

    def listing(self, bucket, query):
        said = [("prefix", query.get("prefix", "")), ("delimiter", query.get("delimiter", ""))]
        if "start-after" in query:
            said.append(("startOffset", query["start-after"] + "\0"))
        if "continuation-token" in query:
            said.append(("pageToken", query["continuation-token"]))
        said.append(("maxResults", query.get("max-keys", "1000")))
        status, _, body = ask("GET", f"/storage/v1/b/{quote(bucket, safe='')}/o", said)
        if not self.passed(status):
            return
        page = json.loads(body)
        items = [i for i in page.get("items", []) if not i["name"].startswith(PARTS)]
        prefixes = [p for p in page.get("prefixes", []) if not p.startswith(PARTS)]
        text = ["<?xml version='1.0' encoding='UTF-8'?><ListBucketResult>"]
        for item in items:
            text.append(
                f"<Contents><Key>{escape(item['name'])}</Key><Size>{item['size']}</Size>"
                f"<Generation>{item['generation']}</Generation><LastModified>{item['updated']}"
                f"</LastModified><ETag>&quot;{escape(item['etag'].strip(chr(34)))}&quot;</ETag></Contents>"
            )
        text += [f"<CommonPrefixes><Prefix>{escape(p)}</Prefix></CommonPrefixes>" for p in prefixes]
        more = page.get("nextPageToken")
        text.append(f"<KeyCount>{len(items) + len(prefixes)}</KeyCount>")
        text.append(f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>")
        if more:
            text.append(f"<NextContinuationToken>{escape(more)}</NextContinuationToken>")
        self.give(200, ("".join(text) + "</ListBucketResult>").encode())


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def is_there():
    try:
        return ask("POST", "/storage/v1/b", body='{"name": "bucket"}')[0] == 200
    except OSError:
        return False


# The server ends with this door, however that ends; the door with whoever started it.
subprocess.Popen(
    [PROGRAM, "-scheme", "http", "-host", "127.0.0.1", "-port", str(SERVER), "-backend", "memory"],
    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    preexec_fn=lambda: ctypes.CDLL(None).prctl(1, 9))
while not is_there():
    time.sleep(0.02)
with open(os.path.join(FOLDER, "key.json"), "w") as file:
    account = {"type": "service_account", "client_email": "tests@retally.invalid"}
    json.dump({**account, "private_key": KEY.decode(), "private_key_id": "one"}, file)
threading.Thread(target=Server(("127.0.0.1", PORT), Door).serve_forever, daemon=True).start()
sys.stdin.read()
