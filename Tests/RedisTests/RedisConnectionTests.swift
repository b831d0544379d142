import Redis
import TestSupport
import Testing

@Suite("A connection to a real server")
struct RedisConnectionTests {
    @Test("10,000 concurrent commands each get their own reply, over TCP and over the socket")
    func concurrentCommands() async throws {
        let server = try await RedisServer.start()
        for url in [server.url, server.socketURL] {
            let connection = RedisConnection(
                address: try RedisAddress(url: url), logger: .silent)
            let count = 10_000
            let wrong = try await withThrowingTaskGroup(of: Bool.self) { group in
                for number in 0..<count {
                    group.addTask {
                        try await connection.send(RedisCommand("ECHO", number)).int != number
                    }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(wrong == 0)
            await connection.close()
        }
    }

    @Test("one task's commands are executed in the order in which it sends them")
    func order() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        for number in 0..<100 {
            _ = try await connection.send(RedisCommand("RPUSH", "list", number))
        }
        let list = try await connection.send(RedisCommand("LRANGE", "list", 0, -1))
        #expect(list.array?.map(\.int) == Array(0..<100))
        await connection.close()
    }

    @Test("every byte and a megabyte of bytes come back as they were sent")
    func binarySafety() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let all = (0...255).map { UInt8($0) } + [13, 10, 0, 36, 42]
        let long = (0..<1_000_003).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        for (key, value) in [("all\r\n\0", all), ("long", long), ("empty", [])] {
            _ = try await connection.send(RedisCommand("SET", key, value))
            #expect(try await connection.send(RedisCommand("GET", key)) == .bulk(value))
        }
        #expect(try await connection.send(RedisCommand("GET", "absent")) == .null)
        await connection.close()
    }

    @Test("an error in the middle of a pipeline is a value, and the rest still runs")
    func pipelineWithError() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let replies = try await connection.pipeline([
            RedisCommand("SET", "text", "a"), RedisCommand("LPUSH", "text", "b"),
            RedisCommand("GET", "text"),
        ])
        #expect(replies.count == 3)
        #expect(replies[0] == .status("OK"))
        #expect(replies[1].serverError?.code == "WRONGTYPE")
        #expect(replies[2].string == "a")
        #expect(try await connection.pipeline([]) == [])
        await connection.close()
    }

    @Test("an error reply to a single command is thrown with its code word, without the payload")
    func serverError() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let error = await #expect(throws: RedisError.self) {
            try await connection.send(RedisCommand("NONSENSE", "s3cret-payload"))
        }
        #expect(error?.code == .server)
        #expect(error?.serverCode == "ERR")
        #expect(error?.mayHaveBeenExecuted == false)
        #expect("\(error as Any)".contains("NONSENSE"))
        #expect(!"\(error as Any)".contains("s3cret-payload"))
        await connection.close()
    }

    @Test("the handshake selects the database, names the client and learns its id")
    func handshake() async throws {
        let server = try await RedisServer.start(password: "p@ss:w/rd%")
        let url = "redis://:p%40ss%3Aw%2Frd%25@127.0.0.1:\(server.port)/3"
        var options = RedisOptions()
        options.clientName = "backhaul-test"
        let connection = RedisConnection(
            address: try RedisAddress(url: url), options: options, logger: .silent)
        #expect(connection.clientID == nil)
        let info = try await connection.send(RedisCommand("CLIENT", "INFO")).string ?? ""
        #expect(info.contains(" db=3 "))
        #expect(info.contains(" name=backhaul-test "))
        let id = try #require(connection.clientID)
        #expect(info.hasPrefix("id=\(id) "))
        await connection.close()
        #expect(connection.clientID == nil)
    }

    @Test("a wrong or missing password is an authentication error at once, without the password")
    func wrongPassword() async throws {
        let server = try await RedisServer.start(password: "right")
        for credentials in [":wr0ng@", "nobody:wr0ng@", ""] {
            let address = try RedisAddress(url: "redis://\(credentials)127.0.0.1:\(server.port)")
            let connection = RedisConnection(address: address, logger: .silent)
            let error = await #expect(throws: RedisError.self) {
                try await connection.send(RedisCommand("PING"))
            }
            #expect(error?.code == .authentication, "with credentials \(credentials)")
            #expect(!"\(error as Any)".contains("wr0ng"))
            await connection.close()
        }
    }

    @Test("a database that does not exist is a connect error that says so")
    func wrongDatabase() async throws {
        let server = try await RedisServer.start()
        let address = try RedisAddress(url: "redis://127.0.0.1:\(server.port)/999")
        let connection = RedisConnection(address: address, logger: .silent)
        let error = await #expect(throws: RedisError.self) {
            try await connection.send(RedisCommand("PING"), timeout: .milliseconds(300))
        }
        #expect(error?.code == .connect)
        #expect(error?.message.contains("DB index is out of range") == true)
        await connection.close()
    }

    @Test("another connection wakes a blocked BLMOVE by its client id")
    func unblock() async throws {
        let server = try await RedisServer.start()
        let waiter = try server.connection()
        let other = try server.connection()
        _ = try await waiter.send(RedisCommand("PING"))
        let id = try #require(waiter.clientID)
        async let moved = waiter.send(
            RedisCommand("BLMOVE", "queue", "inbox", "RIGHT", "LEFT", 0), timeout: .seconds(60))
        try await eventually("the unblocking") {
            try await other.send(RedisCommand("CLIENT", "UNBLOCK", id)).int == 1
        }
        #expect(try await moved == .null)
        await waiter.close()
        await other.close()
    }

    @Test("a cancelled caller returns at once, and the replies behind it stay in step")
    func cancellation() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let other = try server.connection()
        _ = try await connection.send(RedisCommand("PING"))
        let id = try #require(connection.clientID)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                let error = await #expect(throws: RedisError.self) {
                    try await connection.send(
                        RedisCommand("BLPOP", "queue", 0), timeout: .seconds(60))
                }
                #expect(error?.code == .cancelled)
                #expect(error?.mayHaveBeenExecuted == true)
            }
            try await eventually("the blocking") {
                let list = try await other.send(RedisCommand("CLIENT", "LIST", "ID", id))
                return list.string?.contains("cmd=blpop") == true
            }
            group.cancelAll()
            try await group.waitForAll()
        }
        async let echo = connection.send(RedisCommand("ECHO", "after"))
        _ = try await other.send(RedisCommand("LPUSH", "queue", "element"))
        #expect(try await echo.string == "after")
        #expect(connection.clientID == id)
        await connection.close()
        await other.close()
    }

    @Test("after close every command, pending or new, fails as closed")
    func close() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        _ = try await connection.send(RedisCommand("PING"))
        async let pending = failure { () throws(RedisError) in
            try await connection.send(RedisCommand("BLPOP", "queue", 0))
        }
        let other = try server.connection()
        try await eventually("the blocking") {
            let text = try await other.send(RedisCommand("INFO", "clients")).string
            return text?.contains("blocked_clients:1") == true
        }
        await connection.close()
        await connection.close()
        #expect(await pending?.code == .closed)
        let later = await #expect(throws: RedisError.self) {
            try await connection.send(RedisCommand("PING"))
        }
        #expect(later?.code == .closed)
        await other.close()
    }

    @Test("a connection that nobody holds any more closes its socket")
    func release() async throws {
        let server = try await RedisServer.start()
        let other = try server.connection()
        var held: RedisConnection? = try server.connection()
        _ = try await held?.send(RedisCommand("CLIENT", "SETNAME", "held"))
        held = nil
        try await eventually("the end of the client") {
            let list = try await other.send(RedisCommand("CLIENT", "LIST")).string
            return list?.contains("name=held") == false
        }
        await other.close()
    }
}
