import NIOCore
import TestSupport
import Testing

@testable import Health

@Suite("Hostile clients of the health port")
struct HostileClientTests {
    @Test("garbage is refused or cut off, and the next client is served")
    func garbage() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                var random = RepeatableRandom()
                for _ in 0..<100 {
                    let connection = try RawConnection(port: port)
                    let count = Int.random(in: 1...5000, using: &random)
                    connection.send(
                        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                    connection.send("\r\n\r\n")
                    try demand(connection.isClosedByPeer(), "seed \(random.seed)")
                }
                try demand(RawConnection(port: port).get("/livez").status == 200)
            }
        }
    }

    private enum Excess: String, CaseIterable {
        case path, field, fields, headers, body

        var request: String {
            let long = String(repeating: "a", count: 100_000)
            return switch self {
            case .path: "GET /\(long) HTTP/1.1\r\nHost: x\r\n\r\n"
            case .field: "GET /livez HTTP/1.1\r\nX: \(long)\r\n\r\n"
            case .fields:
                "GET /livez HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 5000) + "\r\n"
            case .headers:
                "GET /livez HTTP/1.1\r\n"
                    + (0..<60).map { "X\($0): \(long.prefix(1000))\r\n" }.joined() + "\r\n"
            case .body: "POST /livez HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n\(long)"
            }
        }
    }

    @Test("a request that is too large is cut off", arguments: Excess.allCases)
    private func tooLarge(excess: Excess) async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                connection.send(excess.request)
                let reply = try? connection.readReply()
                try demand(reply == nil || (400..<500).contains(reply?.status ?? 0))
                try demand(connection.isClosedByPeer())
                try demand(RawConnection(port: port).get("/livez").status == 200)
            }
        }
    }

    @Test("a client that sends a byte now and then is cut off all the same")
    func slowLoris() async throws {
        var fixture = HealthFixture()
        fixture.limits.idle = .milliseconds(300)
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                connection.send("GET /livez HTTP/1.1\r\nX: ")
                // A hundred bytes, one every 50 ms, would take 5 s.
                try demand(
                    connection.isClosedWhileDripping(
                        UInt8(ascii: "a"), milliseconds: 50, limit: 100))
            }
        }
    }

    @Test("a client that says nothing is cut off")
    func silence() async throws {
        var fixture = HealthFixture()
        fixture.limits.idle = .milliseconds(100)
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                try demand(connection.isClosedByPeer())
            }
        }
    }

    @Test("a thousand open connections leave room for a probe")
    func thousandConnections() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                var held: [RawConnection] = []
                for number in 0..<1000 {
                    held.append(try RawConnection(port: port))
                    guard number % 100 == 99 else { continue }
                    try demand(RawConnection(port: port).get("/readyz").status == 200)
                }
                // The oldest were closed to let the probes in.
                try demand(held[0].isClosedByPeer())
                try demand(RawConnection(port: port).get("/metrics").status == 200)
            }
        }
    }

    @Test("many requests in one write are answered in order")
    func pipelining() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                connection.send(
                    String(
                        repeating: "GET /livez HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n", count: 50))
                for _ in 0..<50 {
                    try demand(connection.readReply().status == 200)
                    try demand(connection.readReply().status == 404)
                }
            }
        }
    }
}
