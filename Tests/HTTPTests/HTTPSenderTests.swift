import Foundation
import HTTP
import Logging
import TestSupport
import Testing

@Suite("Requests to a real server")
struct HTTPSenderTests {
    @Test("what is sent arrives as given, and the answer comes back whole")
    func roundTrip() async throws {
        try await sending { sender, stub in
            let body = Array("{\"a\": \"é\"}".utf8)
            let response = try await sender.send(
                HTTPRequest(
                    method: "POST", url: stub.url("/echo?q=1"),
                    headers: [("Content-Type", "application/json"), ("X-Empty", "")], body: body))
            #expect(response.status == 200)
            #expect(response.body == body)
            #expect(response.headers["x-twice"] == "1")
            #expect(response.headers.fields.filter { $0.name == "X-Twice" }.count == 2)
            #expect(response.remoteAddress == "127.0.0.1")
            #expect(response.elapsed > .zero)
            let received = try #require(stub.requests().first)
            #expect(received.method == "POST")
            #expect(received.path == "/echo?q=1")
            #expect(received.body == Data(body))
            #expect(received.headers["content-type"] == "application/json")
            #expect(received.headers["x-empty"]?.isEmpty == true)
            #expect(received.headers["expect"] == nil)
        }
    }

    @Test("every method goes out as named", arguments: ["GET", "POST", "PUT", "DELETE", "PATCH"])
    func methods(method: String) async throws {
        try await sending { sender, stub in
            for body in [[], Array("x".utf8)] where !(method == "GET" && !body.isEmpty) {
                let response = try await sender.send(
                    HTTPRequest(method: method, url: stub.url("/echo"), body: body))
                #expect(response.body == body)
            }
            #expect(try stub.requests().allSatisfy { $0.method == method })
            #expect(try stub.requests().allSatisfy { $0.headers["content-type"] == nil })
        }
    }

    @Test("requests of different kinds, one after another, leave nothing to each other")
    func kinds() async throws {
        let body = Array("x".utf8)
        let kinds: [(method: String, body: [UInt8])] = [
            ("POST", body), ("GET", []), ("PUT", body), ("POST", []), ("HEAD", []), ("POST", body),
            ("DELETE", []), ("GET", []), ("PATCH", body), ("POST", body), ("POST", []),
        ]
        try await sending { sender, stub in
            for (index, kind) in kinds.enumerated() {
                let response = try await sender.send(
                    HTTPRequest(
                        method: kind.method,
                        url: stub.url(kind.method == "HEAD" ? "/status/200" : "/echo"),
                        headers: index.isMultiple(of: 2) ? [("X-Even", "\(index)")] : [],
                        body: kind.body))
                #expect(response.status == 200)
                #expect(response.body == kind.body)
            }
            let received = try stub.requests()
            #expect(received.map(\.method) == kinds.map(\.method))
            #expect(received.map(\.body) == kinds.map { Data($0.body) })
            for (index, request) in received.enumerated() {
                #expect(request.headers["x-even"] == (index.isMultiple(of: 2) ? "\(index)" : nil))
            }
        }
    }

    @Test("one after another, requests to different places and of different sizes do not mix")
    func places() async throws {
        try await sending { sender, first in
            try await HTTPStub.serving { second in
                let sizes = [1, 20_000, 3, 60_000, 0, 2_000, 1]
                for (index, size) in sizes.enumerated() {
                    let stub = index.isMultiple(of: 2) ? first : second
                    let body = [UInt8](repeating: UInt8(index), count: size)
                    let response = try await sender.send(
                        HTTPRequest(method: "PUT", url: stub.url("/echo?\(index)"), body: body))
                    #expect(response.body == body)
                }
                for (offset, stub) in [first, second].enumerated() {
                    let received = try stub.requests()
                    let own = sizes.indices.filter { $0 % 2 == offset }
                    #expect(received.map(\.path) == own.map { "/echo?\($0)" })
                    #expect(received.map(\.body.count) == own.map { sizes[$0] })
                }
            }
        }
    }

    @Test("a name is resolved, and its sockets are watched like any other")
    func resolved() async throws {
        try await sending { sender, stub in
            let url = stub.url("/close").replacingOccurrences(of: "127.0.0.1", with: "localhost")
            for _ in 0..<5 {
                let response = try await sender.send(
                    HTTPRequest(method: "POST", url: url, body: [1]))
                #expect(response.status == 200)
            }
            #expect(try stub.requests().count == 5)
        }
    }

    @Test("HEAD has an answer without a body, whatever length it names")
    func head() async throws {
        try await sending { sender, stub in
            let response = try await sender.send(
                HTTPRequest(method: "HEAD", url: stub.url("/status/200")))
            #expect(response.status == 200)
            #expect(response.body.isEmpty)
        }
    }

    @Test("requests one after another share a connection")
    func keepAlive() async throws {
        try await sending { sender, stub in
            for _ in 0..<10 {
                let response = try await sender.send(
                    HTTPRequest(method: "POST", url: stub.url("/echo"), body: [1, 2, 3]))
                #expect(response.status == 200)
            }
            #expect(try Set(stub.requests().map(\.connection)) == [1])
        }
    }

    @Test("a connection the server closed is replaced")
    func closedConnection() async throws {
        try await sending { sender, stub in
            for _ in 0..<5 {
                let response = try await sender.send(
                    HTTPRequest(method: "POST", url: stub.url("/close"), body: [1]))
                #expect(response.status == 200)
            }
            #expect(try stub.requests().count == 5)
        }
    }

    @Test("64 requests run side by side on no more connections than allowed")
    func concurrency() async throws {
        try await sending { sender, stub in
            let start = ContinuousClock.now
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<64 {
                    group.addTask {
                        try await sender.send(
                            HTTPRequest(method: "GET", url: stub.url("/delay/200"))
                        ).status
                    }
                }
                for try await status in group { #expect(status == 200) }
            }
            // One after another they would take 12.8 s.
            #expect(ContinuousClock.now - start < .seconds(10))
            let connections = try Set(stub.requests().map(\.connection)).count
            #expect(connections > 1)
            #expect(connections <= HTTPLimits().maximumConnectionsPerHost)
        }
    }

    @Test("a host that hangs does not hold up another")
    func slowHost() async throws {
        var limits = HTTPLimits()
        limits.maximumInFlight = 4
        limits.maximumConnectionsPerHost = 2
        try await sending(limits) { sender, slow in
            try await HTTPStub.serving { quick in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 0..<8 {
                        group.addTask {
                            _ = try await sender.send(
                                HTTPRequest(method: "GET", url: slow.url("/hang")))
                        }
                    }
                    try await eventually { try slow.requests().count == 2 }
                    let response = try await sender.send(
                        HTTPRequest(method: "GET", url: quick.url("/echo")))
                    #expect(response.status == 200)
                    #expect(try slow.requests().count == 2)
                    group.cancelAll()
                    while let result = await group.nextResult() {
                        #expect(throws: HTTPError.self) { try result.get() }
                    }
                }
            }
        }
    }

    @Test("a redirect is an answer, and nobody follows it")
    func redirect() async throws {
        try await sending { sender, stub in
            let response = try await sender.send(
                HTTPRequest(method: "GET", url: stub.url("/status/302?location=/echo")))
            #expect(response.status == 302)
            #expect(response.headers["LOCATION"] == "/echo")
            #expect(try stub.requests().count == 1)
        }
    }

    @Test("an interim response is not mistaken for the final one")
    func interim() async throws {
        try await sending { sender, stub in
            let response = try await sender.send(
                HTTPRequest(method: "GET", url: stub.url("/interim")))
            #expect(response.status == 200)
            #expect(response.headers["x-early"] == nil)
            #expect(response.headers["x-final"] == "yes")
            #expect(response.body == Array("final".utf8))
        }
    }

    @Test("a body up to the limit is kept whole", arguments: ["/length/4096", "/chunked/4096"])
    func bodyAtLimit(path: String) async throws {
        var limits = HTTPLimits()
        limits.responseBytes = 4096
        try await sending(limits) { sender, stub in
            let response = try await sender.send(HTTPRequest(method: "GET", url: stub.url(path)))
            #expect(response.body.count == 4096)
            #expect(response.headers["x-trailer"] == nil)
        }
    }

    @Test("a connection broken by one request serves nobody else")
    func afterFailure() async throws {
        try await sending { sender, stub in
            _ = try? await sender.send(HTTPRequest(method: "GET", url: stub.url("/cut")))
            let response = try await sender.send(
                HTTPRequest(method: "POST", url: stub.url("/echo"), body: [7]))
            #expect(response.body == [7])
            #expect(try stub.requests().map(\.connection) == [1, 2])
        }
    }
}
