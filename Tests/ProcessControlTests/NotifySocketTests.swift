import ProcessControl
import TestSupport
import Testing

@Suite("A service manager is told how a service is")
struct NotifySocketTests {
    @Test(
        "fields arrive in one message, at a path and at an abstract name", arguments: [false, true])
    func send(isAbstract: Bool) throws {
        let listener = try NotifyListener(isAbstract: isAbstract)
        let socket = try #require(NotifySocket(environment: ["NOTIFY_SOCKET": listener.address]))
        #expect(socket.send(["READY=1", "STATUS=3 of 64 jobs"]))
        #expect(socket.send(["WATCHDOG=1"]))
        #expect(listener.messages == ["READY=1\nSTATUS=3 of 64 jobs", "WATCHDOG=1"])
    }

    @Test(
        "no socket, or one that cannot be one, is none",
        arguments: [
            nil, "", "relative", "@", "/", "vsock:2:1234", "/" + String(repeating: "x", count: 120),
        ])
    func none(name: String?) {
        let environment = name.map { ["NOTIFY_SOCKET": $0] } ?? [:]
        #expect(NotifySocket(environment: environment) == nil)
    }

    @Test("what nobody hears is dropped")
    func unheard() throws {
        let directory = try TemporaryDirectory(prefix: "backhaul-notify")
        let socket = try #require(
            NotifySocket(environment: ["NOTIFY_SOCKET": directory.path(of: "nobody")]))
        #expect(!socket.send(["READY=1"]))
    }

    @Test(
        "the watchdog's period counts for the process it is meant for",
        arguments: [
            ("10000000", nil, Duration.seconds(10)), ("500000", "77", .milliseconds(500)),
            ("500000", "78", nil), ("0", nil, nil), ("soon", nil, nil), (nil, nil, nil),
        ])
    func watchdog(period: String?, process: String?, expected: Duration?) throws {
        var environment = ["NOTIFY_SOCKET": "/run/systemd/notify"]
        environment["WATCHDOG_USEC"] = period
        environment["WATCHDOG_PID"] = process
        let socket = try #require(NotifySocket(environment: environment, processID: 77))
        #expect(socket.watchdog == expected)
    }

    @Test("a reload says when it began, by the clock that never goes back")
    func reloading() {
        let fields = NotifySocket.reloading
        #expect(fields.first == "RELOADING=1")
        let moment = fields.last?.split(separator: "=").last.flatMap { Int64($0) } ?? 0
        let now = SteadyTime.now / .microseconds(1)
        #expect(moment > 0 && Double(moment) <= now && now - Double(moment) < 60e6)
    }
}
