import Redis
import TestSupport
import Testing

@Suite("Failovers by real Sentinels", .serialized, .timeLimit(.minutes(5)))
struct SentinelTests {
    private let patience = Duration.seconds(60)

    /// Writes until it succeeds, each time with little time.
    private func write(_ value: String, by connection: RedisConnection) async throws {
        try await eventually(within: patience, "a successful write") {
            let error = await failure { () throws(RedisError) in
                try await connection.send(
                    RedisCommand("SET", "key", value), timeout: .milliseconds(500))
            }
            return error == nil
        }
    }

    /// What a server itself has under the key.
    private func value(on server: RedisServer) async throws -> String? {
        let raw = try server.connection()
        let value = try await raw.send(RedisCommand("GET", "key")).string
        await raw.close()
        return value
    }

    @Test("after a failover in good order the same connection writes to the new master")
    func failover() async throws {
        let group = try await SentinelGroup.start(password: "pw", sentinelPassword: "spw")
        let connection = try group.connection()
        try await write("one", by: connection)
        #expect(try await value(on: group.servers[0]) == "one")
        try await group.failOver()
        // The old master may take a write or two before it hears of its demotion: those are lost.
        try await eventually(within: patience, "a write to the new master") {
            try await write("two", by: connection)
            return try await value(on: group.servers[1]) == "two"
        }
        await connection.close()
    }

    @Test("a master that dies is replaced, also when a Sentinel has died with it")
    func deadMaster() async throws {
        let group = try await SentinelGroup.start(sentinels: 3)
        let connection = try group.connection()
        try await write("one", by: connection)
        try await group.killSentinel(0)
        try await group.servers[0].kill()
        try await write("two", by: connection)
        #expect(try await value(on: group.servers[1]) == "two")
        await connection.close()
    }

    @Test("a master that became a replica is refused by its role until there is a master again")
    func demotedUnderSentinel() async throws {
        let group = try await SentinelGroup.start()
        let connection = try group.connection()
        let raw = try group.servers[0].connection()
        try await write("one", by: connection)
        _ = try await raw.send(
            RedisCommand("REPLICAOF", "127.0.0.1", "\(group.servers[1].port)"))
        let refused = await failure { () throws(RedisError) in
            try await connection.send(RedisCommand("SET", "key", "two"))
        }
        #expect(refused?.serverCode == "READONLY")
        try await eventually("the refusal of the role") {
            let error = await failure { () throws(RedisError) in
                try await connection.send(RedisCommand("PING"), timeout: .milliseconds(100))
            }
            return error?.code == .connect && error?.message.contains("its role is slave") == true
        }
        _ = try await raw.send(RedisCommand("REPLICAOF", "NO", "ONE"))
        try await write("three", by: connection)
        await connection.close()
        await raw.close()
    }

    @Test(
        "a connection that hangs on a demoted master leaves it on READONLY, without an outage line")
    func demoted() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let connection = try server.connection(logger: log.logger)
        let raw = try server.connection()
        try await write("one", by: connection)
        let before = try #require(connection.clientID)
        _ = try await raw.send(RedisCommand("REPLICAOF", "127.0.0.1", "1"))
        let script = RedisScript(name: "write", source: "return redis.call('SET', 'key', 'x')")
        let refused = await failure { () throws(RedisError) in
            try await connection.run(script, keys: [], arguments: [])
        }
        #expect(refused?.serverCode == "READONLY")
        _ = try await raw.send(RedisCommand("REPLICAOF", "NO", "ONE"))
        try await write("two", by: connection)
        #expect(connection.clientID.map { $0 > before } == true)
        #expect(log.notableMessages.isEmpty)
        await connection.close()
        await raw.close()
    }

    @Test("a client that blocks on a master which is demoted is set free and goes elsewhere")
    func demotedWhileBlocked() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let raw = try server.connection()
        async let blocked = failure { () throws(RedisError) in
            try await connection.send(RedisCommand("BLPOP", "queue", 0), timeout: .seconds(60))
        }
        try await eventually("the blocking") {
            try await raw.send(RedisCommand("INFO", "clients")).string?
                .contains("blocked_clients:1") == true
        }
        _ = try await raw.send(RedisCommand("REPLICAOF", "127.0.0.1", "1"))
        #expect(await blocked?.serverCode == "UNBLOCKED")
        _ = try await raw.send(RedisCommand("REPLICAOF", "NO", "ONE"))
        try await write("two", by: connection)
        await connection.close()
        await raw.close()
    }
}
