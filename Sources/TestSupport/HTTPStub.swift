package import Foundation
import Glibc
import Mailbox

/// A real HTTP server on 127.0.0.1 that answers, and misbehaves, as the path of a request says.
///
/// `/status/N` (with `location` or `retry_after`), `/echo`, `/length/N` and `/chunked/N` (a body of N
/// bytes), `/head/N` (a header of N bytes), `/hang`, `/delay/MILLISECONDS`, `/reset`, `/cut` (resets
/// in mid-body), `/garbage`, `/interim` (a 103 first), `/fail/N` (503 to the first N requests with the
/// same `webhook-id`). It keeps every request; ``requests()`` reads them back.
package final class HTTPStub: Sendable {
    /// One request as the server read it.
    package struct Received: Decodable, Sendable {
        /// Which connection it came on, counted from 1.
        package let connection: Int
        package let method: String
        /// With the query.
        package let path: String
        /// Names in lower case.
        package let headers: [String: String]
        package let body: Data
        /// Seconds since 1970.
        package let at: Double
    }

    /// The server could not be used.
    package struct StubError: Error, CustomStringConvertible {
        package let description: String
    }

    /// Where it listens.
    package let port: Int
    /// What a client must trust to reach it over TLS; `nil` for a plain server.
    package let certificateAuthorities: String?
    private let process: Process
    private let directory: URL
    private let log: URL

    /// Starts a server; it ends with ``stop()``, and with this process.
    ///
    /// `isSecure` makes it speak TLS, as 127.0.0.1, with a certificate of its own.
    package static func start(isSecure: Bool = false) async throws -> HTTPStub {
        try await onThreadOfItsOwn { try HTTPStub(isSecure: isSecure) }
    }

    private init(isSecure: Bool) throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("http-stub-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        log = directory.appendingPathComponent("requests.log")
        try Data().write(to: log)
        certificateAuthorities = isSecure ? try Self.makeCertificate(in: directory) : nil
        process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["python3", "-S", "-E", "-c", Self.script, log.path]
        process.arguments? += certificateAuthorities.map { [$0] } ?? []
        let output = Pipe()
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        try process.run()
        let greeting = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        guard let port = Int(greeting.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw StubError(description: "python3 did not start: \(greeting)")
        }
        self.port = port
    }

    /// The URL of `path` on this server.
    package func url(_ path: String, host: String = "127.0.0.1") -> String {
        "\(certificateAuthorities == nil ? "http" : "https")://\(host):\(port)\(path)"
    }

    /// Everything received so far, oldest first.
    package func requests() throws -> [Received] {
        let lines = try Data(contentsOf: log).split(separator: UInt8(ascii: "\n"))
        return try lines.map { try JSONDecoder().decode(Received.self, from: Data($0)) }
    }

    /// Ends the server.
    package func stop() async {
        try? await Self.onThreadOfItsOwn { [process, directory] in
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            try FileManager.default.removeItem(at: directory)
        }
    }

    /// Waiting for a child blocks, and the tests' threads are as few as the cores.
    private static func onThreadOfItsOwn<Answer: Sendable>(
        _ body: @escaping @Sendable () throws -> Answer
    ) async throws -> Answer {
        try await withCheckedThrowingContinuation { continuation in
            _ = OwnerThread(name: "http-stub") { continuation.resume(with: Result(catching: body)) }
        }
    }

    /// Makes a key and a self-signed certificate for 127.0.0.1 in one file.
    private static func makeCertificate(in directory: URL) throws -> String {
        let path = directory.appendingPathComponent("server.pem").path
        let openssl = Process()
        openssl.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        openssl.arguments = [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
            "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path,
        ]
        openssl.standardError = FileHandle.nullDevice
        try openssl.run()
        openssl.waitUntilExit()
        guard openssl.terminationStatus == 0 else {
            throw StubError(description: "openssl made no certificate")
        }
        return path
    }

    /// Starts a server, runs `body` with it, and ends it.
    package static func serving<Answer>(
        isSecure: Bool = false, _ body: (HTTPStub) async throws -> Answer
    ) async throws -> Answer {
        let stub = try await start(isSecure: isSecure)
        let outcome: Result<Answer, any Error>
        do { outcome = .success(try await body(stub)) } catch { outcome = .failure(error) }
        await stub.stop()
        return try outcome.get()
    }
}

extension HTTPStub {
    /// Threads and blocking sockets, so that it can break the protocol wherever a test wants.
    ///
    /// It ends
    /// when its parent has, so a crashed test leaves nothing behind.
    fileprivate static let script = #"""
        import base64, json, os, socket, ssl, struct, sys, threading, time

        log = open(sys.argv[1], "ab", buffering=0)
        lock = threading.Lock()
        failures = {}
        secure = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if len(sys.argv) > 2 else None
        if secure:
            secure.load_cert_chain(sys.argv[2])
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)

        def end_with_parent(parent=os.getppid()):
            while os.getppid() == parent:
                time.sleep(0.2)
            os._exit(0)

        def reset(peer):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

        def answer(status, body=b"", extra=()):
            head = ["HTTP/1.1 %d Stub" % status, "Content-Length: %d" % len(body)]
            head += ["%s: %s" % pair for pair in extra]
            return "\r\n".join(head).encode() + b"\r\n\r\n" + body

        def respond(peer, path, query, headers, body):
            parts = path.strip("/").split("/")
            kind, number = parts[0], int(parts[1]) if len(parts) > 1 else 0
            if kind == "status":
                pairs = [("Location", query["location"])] if "location" in query else []
                pairs += [("Retry-After", query["retry_after"])] if "retry_after" in query else []
                peer.sendall(answer(number, query.get("text", "").encode(), pairs))
            elif kind == "echo":
                peer.sendall(answer(200, body, [("X-Twice", "1"), ("X-Twice", "2")]))
            elif kind == "length":
                peer.sendall(answer(200, b"x" * number))
            elif kind == "chunked":
                peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                while number > 0:
                    part = b"x" * min(number, 1024)
                    peer.sendall(b"%x\r\n%s\r\n" % (len(part), part))
                    number -= len(part)
                peer.sendall(b"0\r\nX-Trailer: late\r\n\r\n")
            elif kind == "head":
                peer.sendall(answer(200, b"", [("X-Big-%d" % i, "x" * 1000)
                                               for i in range(number // 1000)]))
            elif kind == "delay":
                time.sleep(number / 1000)
                peer.sendall(answer(200, b"late"))
            elif kind == "hang":
                time.sleep(3600)
            elif kind == "reset":
                reset(peer)
                return False
            elif kind == "cut":
                peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf")
                reset(peer)
                return False
            elif kind == "close":
                peer.sendall(answer(200, b"bye"))
                return False
            elif kind == "garbage":
                peer.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                return False
            elif kind == "interim":
                peer.sendall(b"HTTP/1.1 103 Early Hints\r\nX-Early: yes\r\n\r\n")
                peer.sendall(answer(200, b"final", [("X-Final", "yes")]))
            elif kind == "fail":
                with lock:
                    key = headers.get("webhook-id", "")
                    failures[key] = failures.get(key, 0) + 1
                    seen = failures[key]
                peer.sendall(answer(503 if seen <= number else 200))
            else:
                peer.sendall(answer(404))
            return True

        def serve(peer, connection):
            stream = peer.makefile("rb")
            while True:
                line = stream.readline()
                if not line.strip():
                    break
                method, target, _ = line.decode("latin-1").split(" ", 2)
                headers = {}
                for field in iter(lambda: stream.readline().strip(), b""):
                    name, value = field.decode("latin-1").split(":", 1)
                    headers[name.lower()] = value.strip()
                body = stream.read(int(headers.get("content-length", 0)))
                entry = {"connection": connection, "method": method, "path": target,
                         "headers": headers, "body": base64.b64encode(body).decode(),
                         "at": time.time()}
                with lock:
                    log.write(json.dumps(entry).encode() + b"\n")
                path, _, text = target.partition("?")
                query = dict(pair.split("=", 1) for pair in text.split("&") if "=" in pair)
                if not respond(peer, path, query, headers, body):
                    break
            stream.close()
            peer.close()

        def serve_quietly(peer, connection):
            try:
                serve(secure.wrap_socket(peer, server_side=True) if secure else peer, connection)
            except (OSError, ValueError):
                pass

        threading.Thread(target=end_with_parent, daemon=True).start()
        print(listener.getsockname()[1], flush=True)
        count = 0
        while True:
            peer, _ = listener.accept()
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            count += 1
            threading.Thread(target=serve_quietly, args=(peer, count), daemon=True).start()
        """#
}
