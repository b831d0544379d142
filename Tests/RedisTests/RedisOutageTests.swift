import Redis
import TestSupport
import Testing

@Suite("Outages of a real server")
struct RedisOutageTests {
    /// Commands until one gets through, each with little time.
    private func recovery(_ connection: RedisConnection) async throws {
        try await eventually("the recovery") {
            let error = await failure { () throws(RedisError) in
                try await connection.send(RedisCommand("PING"), timeout: .milliseconds(500))
            }
            return error == nil
        }
    }

    @Test("a killed server fails what is under way; a restarted one is found again")
    func killAndRestart() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let connection = try server.connection(logger: log.logger)
        let other = try server.connection()
        _ = try await connection.send(RedisCommand("SET", "key", "value"))
        async let blocked = failure { () throws(RedisError) in
            try await connection.send(RedisCommand("BLPOP", "queue", 0), timeout: .seconds(60))
        }
        try await eventually("the blocking") {
            let text = try await other.send(RedisCommand("INFO", "clients")).string
            return text?.contains("blocked_clients:1") == true
        }
        try await server.kill()
        let error = await blocked
        #expect(error?.code == .connectionLost)
        #expect(error?.mayHaveBeenExecuted == true)
        let waiting = await failure { () throws(RedisError) in
            try await connection.send(RedisCommand("PING"), timeout: .milliseconds(100))
        }
        #expect(waiting?.code == .connect)
        try await server.restart()
        // Sent while there is no connection: it waits for one.
        let reply = try await connection.send(RedisCommand("EXISTS", "key"))
        #expect(reply == .integer(0))
        #expect(
            log.notableMessages == ["Redis is unreachable", "Redis is reachable again"])
        await connection.close()
        await other.close()
    }

    @Test("a server that stops answering is a timeout, and is found again when it goes on")
    func pauseAndResume() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        _ = try await connection.send(RedisCommand("PING"))
        server.pause()
        let error = await failure { () throws(RedisError) in
            try await connection.send(RedisCommand("PING"), timeout: .milliseconds(200))
        }
        #expect(error?.code == .timeout)
        #expect(error?.mayHaveBeenExecuted == true)
        server.resume()
        try await recovery(connection)
        await connection.close()
    }

    @Test("connections closed by the server a hundred times never mix up replies")
    func killedClients() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let other = try server.connection()
        for round in 0..<100 {
            try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<20 {
                    group.addTask {
                        let sent = "\(round)-\(number)"
                        do throws(RedisError) {
                            return try await connection.send(RedisCommand("ECHO", sent)).string
                                == sent
                        } catch {
                            return error.code == .connectionLost
                        }
                    }
                }
                group.addTask {
                    guard let id = connection.clientID else { return true }
                    let killed = try await other.send(RedisCommand("CLIENT", "KILL", "ID", id))
                    return killed.int != nil
                }
                for try await isRight in group { #expect(isRight, "round \(round)") }
            }
        }
        try await recovery(connection)
        await connection.close()
        await other.close()
    }

    @Test("a password changed on the server is heard as an authentication error")
    func changedPassword() async throws {
        let server = try await RedisServer.start(password: "old")
        let connection = try server.connection()
        let other = try server.connection()
        _ = try await connection.send(RedisCommand("PING"))
        _ = try await other.send(RedisCommand("CONFIG", "SET", "requirepass", "new"))
        let id = try #require(connection.clientID)
        _ = try await other.send(RedisCommand("CLIENT", "KILL", "ID", id))
        try await eventually("the refusal") {
            let error = await failure { () throws(RedisError) in
                try await connection.send(RedisCommand("PING"))
            }
            return error?.code == .authentication
        }
        await connection.close()
        await other.close()
    }
}
