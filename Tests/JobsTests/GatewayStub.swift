import Foundation
import HTTP
import Jobs
import Logging
import TestSupport

/// A payment gateway on 127.0.0.1 with an idempotency layer and books of its own.
///
/// It keeps the first answer to a key and gives it again; other parameters under the key are an
/// error; 401, 429 and invalid requests come before that layer. `script` says what goes wrong with
/// the next calls, one word each: see the script. The books say what was really charged.
final class GatewayStub: Sendable {
    /// One charge that really happened.
    struct Charge: Decodable, Sendable, Equatable {
        let id: String
        let amount: Int64
        let invoice: String
        let key: String
    }

    /// One request to charge, as it came.
    struct Request: Decodable, Sendable, Equatable {
        let key: String
        let body: String
        let authorization: String
    }

    private let process: Process
    private let lifeline: Pipe
    private let port: Int
    private let sender: HTTPSender

    init() throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-S", "-E", "-c", Self.script]
        lifeline = Pipe()
        let output = Pipe()
        process.standardInput = lifeline
        process.standardOutput = output
        try process.run()
        let greeting = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(greeting.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw FixtureError("python3 did not start: \(greeting)")
        }
        self.port = port
        var limits = HTTPLimits()
        limits.responseBytes = PaymentGateway.maximumAnswerBytes
        sender = HTTPSender(
            policy: AddressPolicy(allowing: [try CIDR("127.0.0.0/8")]), limits: limits,
            logger: Logger(label: "test.gateway") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Starts a gateway, runs `body` with it, and ends it.
    static func serving<Answer>(_ body: (GatewayStub) async throws -> Answer) async throws -> Answer
    {
        let stub = try GatewayStub()
        let outcome: Result<Answer, any Error>
        do {
            outcome = .success(try await body(stub))
        } catch {
            outcome = .failure(error)
        }
        _ = try? await stub.call("POST", "/_sim/quit")
        await stub.sender.shutdown()
        return try outcome.get()
    }

    /// The client under test, on this gateway.
    ///
    /// `rewriting` may spoil each request on its way; `beforeReply` runs when it was carried out, before
    /// the caller hears of it.
    func gateway(
        key: String = "sk_test_secret",
        rewriting: @escaping @Sendable (inout HTTPRequest) -> Void = { _ in },
        beforeReply: @escaping @Sendable () async throws -> Void = {}
    ) -> PaymentGateway {
        PaymentGateway(
            settings: GatewaySettings(
                baseURL: "http://127.0.0.1:\(port)/", key: GatewayKey(key),
                timeout: .seconds(10)),
            send: { [sender] request in
                var request = request
                rewriting(&request)
                let response = try await sender.send(request)
                try await beforeReply()
                return response
            })
    }

    /// Says what goes wrong with the next charges.
    func script(_ faults: [String]) async throws {
        _ = try await call("POST", "/_sim/script", faults.joined(separator: " "))
    }

    /// Makes charges fail at random, in the given share of each fault.
    func misbehave(seed: UInt64, _ shares: [String: Double]) async throws {
        let text = shares.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
        _ = try await call("POST", "/_sim/random", "\(seed) " + text.joined(separator: " "))
    }

    /// Adds payments of others, newer than all there are.
    func addForeignPayments(_ count: Int) async throws {
        _ = try await call("POST", "/_sim/foreign", String(count))
    }

    /// Lets every customer confirm what waits for them.
    func confirmAll() async throws { _ = try await call("POST", "/_sim/confirm", "") }

    /// Forgets all keys, as after 24 hours.
    func forgetKeys() async throws { _ = try await call("POST", "/_sim/forget", "") }

    /// What was really charged.
    func charges() async throws -> [Charge] {
        try JSONDecoder().decode([Charge].self, from: try await call("GET", "/_sim/charges"))
    }

    /// Every request to charge, oldest first.
    func requests() async throws -> [Request] {
        try JSONDecoder().decode([Request].self, from: try await call("GET", "/_sim/requests"))
    }

    private func call(_ method: String, _ path: String, _ body: String = "") async throws -> Data {
        let response = try await sender.send(
            HTTPRequest(
                method: method, url: "http://127.0.0.1:\(port)\(path)", body: Array(body.utf8)))
        guard response.status == 200 else {
            throw FixtureError("\(path) answered \(response.status)")
        }
        return Data(response.body)
    }
}

extension GatewayStub {
    /// The faults: `drop_before` and `drop_after` cut the connection; `busy` is a 429 and `in_use` a
    /// 409; `stored` fails for good under its key without, `stored_charged` after taking the money;
    /// `proxy` and `proxy_charged` are the page of a proxy; `ok` is none.
    fileprivate static let script = #"""
        import base64, http.server, json, os, random, socket, struct, sys, threading, time
        from urllib.parse import parse_qs, urlsplit

        lock = threading.RLock()
        intents, keys, requests, script = [], {}, [], []
        dice = {"random": random.Random(0), "shares": {}}
        PAGE = b"<html><body>502 Bad Gateway</body></html>"

        def fault():
            with lock:
                if script:
                    return script.pop(0)
                x = dice["random"].random()
                for name, share in dice["shares"].items():
                    if x < share:
                        return name
                    x -= share
                return "ok"

        def error(status, kind, **more):
            return status, {"error": dict(type=kind, message="no", **more)}

        def execute(form):
            method = form["payment_method"]
            if method == "pm_invalid":
                return error(400, "invalid_request_error", code="resource_missing")
            intent = {"id": "pi_%06d" % (len(intents) + 1), "object": "payment_intent",
                      "amount": int(form["amount"]), "currency": form["currency"],
                      "created": int(time.time()), "status": "succeeded",
                      "metadata": {k[9:-1]: v for k, v in form.items() if k.startswith("metadata[")}}
            if method == "pm_declined":
                intent["status"] = "requires_payment_method"
                intent["last_payment_error"] = {"code": "card_declined",
                                                "decline_code": "insufficient_funds"}
            elif method == "pm_confirm":
                intent["status"] = "requires_action"
            elif method == "pm_slow":
                intent["status"] = "processing"
            intents.append(intent)
            if method == "pm_declined":
                return error(402, "card_error", code="card_declined",
                             decline_code="insufficient_funds")
            return 200, intent

        def charge(form, key, body, what):
            if key in keys:
                seen, answer = keys[key]
                if seen != body:
                    return error(400, "idempotency_error")
                return answer
            if what == "stored":
                answer = error(500, "api_error")
            else:
                answer = execute(form)
                if what == "stored_charged":
                    answer = error(500, "api_error")
            if answer[0] != 400:
                keys[key] = (body, answer)
            return answer

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def reply(self, status, body, kind="application/json", extra=()):
                data = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                for name, value in extra:
                    self.send_header(name, value)
                # No connection is used twice: on a kept one a client may send again by itself.
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(data)

            def cut(self):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                           struct.pack("ii", 1, 0))
                self.connection.close()
                self.close_connection = True
                self.wfile = open(os.devnull, "wb")

            def authorized(self):
                kind, _, text = self.headers.get("Authorization", "").partition(" ")
                return kind == "Basic" and base64.b64decode(text).decode().startswith("sk_test_")

            def do_GET(self):
                url = urlsplit(self.path)
                query = {k: v[-1] for k, v in parse_qs(url.query).items()}
                with lock:
                    if url.path == "/_sim/charges":
                        return self.reply(200, [
                            {"id": i["id"], "amount": i["amount"],
                             "invoice": i["metadata"]["invoice_id"],
                             "key": i["metadata"]["attempt_key"]}
                            for i in intents
                            if i["status"] == "succeeded" and "invoice_id" in i["metadata"]])
                    if url.path == "/_sim/requests":
                        return self.reply(200, requests)
                    if not self.authorized():
                        return self.reply(*error(401, "invalid_request_error"))
                    if url.path.startswith("/v1/payment_intents/"):
                        one = [i for i in intents if i["id"] == url.path.split("/")[3]]
                        if not one:
                            return self.reply(*error(404, "invalid_request_error"))
                        return self.reply(200, one[0])
                    found = [i for i in reversed(intents)
                             if i["created"] >= int(query.get("created[gte]", 0))]
                    if "starting_after" in query:
                        ids = [i["id"] for i in found]
                        found = found[ids.index(query["starting_after"]) + 1:]
                    limit = min(int(query.get("limit", 10)), 100)
                    return self.reply(200, {"object": "list", "data": found[:limit],
                                            "has_more": len(found) > limit})

            def simulate(self, body):
                words = body.split()
                with lock:
                    if self.path == "/_sim/script":
                        script[:] = words
                    elif self.path == "/_sim/random":
                        dice["random"] = random.Random(int(words[0]))
                        dice["shares"] = {k: float(v) for k, v in
                                          (w.split("=") for w in words[1:])}
                    elif self.path == "/_sim/foreign":
                        for _ in range(int(words[0])):
                            execute({"payment_method": "pm", "amount": "1", "currency": "usd"})
                    elif self.path == "/_sim/confirm":
                        for i in intents:
                            if i["status"] in ("requires_action", "processing"):
                                i["status"] = "succeeded"
                    elif self.path == "/_sim/forget":
                        keys.clear()
                    elif self.path == "/_sim/quit":
                        os._exit(0)
                return self.reply(200, {})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if self.path.startswith("/_sim/"):
                    return self.simulate(body)
                form = {k: v[-1] for k, v in parse_qs(body).items()}
                key = self.headers.get("Idempotency-Key", "")
                with lock:
                    requests.append({"key": key, "body": body,
                                     "authorization": self.headers.get("Authorization", "")})
                    if not self.authorized():
                        return self.reply(*error(401, "invalid_request_error"))
                    what = fault()
                    if what == "busy":
                        status, answer = error(429, "invalid_request_error")
                        return self.reply(status, answer, extra=[("Retry-After", "7")])
                    if what == "in_use":
                        return self.reply(*error(409, "idempotency_error"))
                    if what == "drop_before":
                        return self.cut()
                    if what == "proxy":
                        return self.reply(502, PAGE, "text/html")
                    status, answer = charge(form, key, body, what)
                if what == "drop_after":
                    return self.cut()
                if what == "proxy_charged":
                    return self.reply(502, PAGE, "text/html")
                self.reply(status, answer)

        def end_with_parent():
            sys.stdin.buffer.read()
            os._exit(0)

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 512

            def handle_error(self, *args):
                pass

        server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=end_with_parent, daemon=True).start()
        print(server.server_address[1], flush=True)
        server.serve_forever()
        """#
}
