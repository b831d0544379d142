import Foundation
import Glibc
import Redis
import TestSupport
import Testing

@Suite("The fixture of a private Redis server")
struct RedisServerTests {
    @Test("servers run side by side and end with their owners")
    func ends() async throws {
        var servers = [try await RedisServer.start(), try await RedisServer.start()]
        #expect(servers[0].port != servers[1].port)
        let pids = servers.compactMap(\.pid)
        #expect(pids.count == 2 && pids.allSatisfy { kill($0, 0) == 0 })
        servers.removeAll()
        try await eventually("the end of the servers") { pids.allSatisfy { kill($0, 0) != 0 } }
    }

    @Test("a stopped server keeps nothing and comes back at the same address")
    func restarts() async throws {
        let server = try await RedisServer.start(password: "pw")
        let url = server.url
        let before = try server.connection()
        _ = try await before.send(RedisCommand("SET", "key", "value"))
        try await server.stop()
        #expect(server.pid == nil)
        try await server.restart()
        #expect(server.url == url)
        let after = try server.connection()
        #expect(try await after.send(RedisCommand("GET", "key")).isNull)
        await before.close()
        await after.close()
    }

    @Test("a server dies with a test process that is killed")
    func diesWithProcess() async throws {
        let directory = try TemporaryDirectory()
        await #expect(processExitsWith: .signal(SIGKILL)) {
            [path = directory.path(of: "notes") as String] in
            let server = try await RedisServer.start()
            try "\(server.pid ?? 0) \(server.directoryPath)".write(
                toFile: path, atomically: true, encoding: .utf8)
            kill(getpid(), SIGKILL)
        }
        let notes = try String(contentsOfFile: directory.path(of: "notes"), encoding: .utf8)
            .split(separator: " ")
        let pid = notes[0]
        try await eventually("the end of the server") {
            // Empty once the process is dead, even if nobody has waited for it yet.
            let words = try? String(contentsOfFile: "/proc/\(pid)/cmdline", encoding: .utf8)
            return words?.isEmpty ?? true
        }
        // Nobody was left to remove it.
        try FileManager.default.removeItem(atPath: String(notes[1]))
    }

    @Test("a program that is not installed is named")
    func missingProgram() {
        let error = #expect(throws: FixtureError.self) {
            try ChildProcess("no-such-program", [], in: "/tmp")
        }
        #expect("\(error as Any)".contains("no-such-program"))
    }
}
