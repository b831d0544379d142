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
            let seed = try await onThread {
                var random = RepeatableRandom()
                for _ in 0..<100 {
                    let connection = try RawConnection(port: port)
                    let count = Int.random(in: 1...5000, using: &random)
                    connection.send(
                        (0..<count).map { _ in UInt8(truncatingIfNeeded: random.next()) })
                    connection.send("\r\n\r\n")
                    #expect(connection.isClosedByPeer(), "seed \(random.seed)")
                }
                #expect(try RawConnection(port: port).get("/livez").status == 200)
                return random.seed
            }
            #expect(seed == seed)
        }
    }

    @Test(
        "a request that is too large is cut off",
        arguments: [
            "GET /" + String(repeating: "a", count: 100_000) + " HTTP/1.1\r\nHost: x\r\n\r\n",
            "GET /livez HTTP/1.1\r\nX: " + String(repeating: "a", count: 100_000) + "\r\n\r\n",
            "GET /livez HTTP/1.1\r\n" + String(repeating: "X: y\r\n", count: 5000) + "\r\n",
            "GET /livez HTTP/1.1\r\n"
                + (0..<60).map { "X\($0): " + String(repeating: "a", count: 1000) + "\r\n" }
                .joined() + "\r\n",
            "POST /livez HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n"
                + String(repeating: "a", count: 100_000),
        ])
    func tooLarge(request: String) async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                connection.send(request)
                let reply = try? connection.readReply()
                #expect(reply == nil || (400..<500).contains(reply?.status ?? 0))
                #expect(connection.isClosedByPeer())
                #expect(try RawConnection(port: port).get("/livez").status == 200)
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
                #expect(
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
                #expect(connection.isClosedByPeer())
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
                    #expect(try RawConnection(port: port).get("/readyz").status == 200)
                }
                // The oldest were closed to let the probes in.
                #expect(held[0].isClosedByPeer())
                #expect(try RawConnection(port: port).get("/metrics").status == 200)
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
                    #expect(try connection.readReply().status == 200)
                    #expect(try connection.readReply().status == 404)
                }
            }
        }
    }
}
