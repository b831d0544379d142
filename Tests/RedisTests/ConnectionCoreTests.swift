import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Redis

@Suite("A connection with a pretended network and clock")
struct ConnectionCoreTests {
    private let ping = RedisCommand("PING")

    /// Sends PING and returns what it failed with, or the reply's text.
    private func outcome(
        _ connection: RedisConnection, _ command: RedisCommand, timeout: Duration? = nil
    ) async -> String {
        do throws(RedisError) {
            return try await connection.send(command, timeout: timeout).string ?? "?"
        } catch {
            return error.code.description
        }
    }

    @Test("nothing is connected before the first command")
    func lazy() async throws {
        let network = try PretendedNetwork()
        await network.advance(.seconds(60))
        #expect(network.channelCount == 0)
        async let pong = outcome(network.connection, ping)
        let channel = try await network.channel(0, clientID: 12)
        #expect(try await channel.read() == ping.wireText)
        #expect(network.connection.clientID == 12)
        try await channel.say("+PONG\r\n")
        #expect(await pong == "PONG")
        #expect(network.log.lines.isEmpty)
        await network.end()
    }

    @Test("commands left while the loop is busy go out in one write")
    func oneWrite() async throws {
        let network = try PretendedNetwork()
        async let pong = outcome(network.connection, ping)
        let channel = try await network.channel(0)
        _ = try await channel.read()
        try await channel.say("+PONG\r\n")
        _ = await pong
        let connection = network.connection
        let replies = Probe<RedisValue?>()
        // The loop is busy with this very closure, so what it leaves cannot be taken one by one.
        try await network.loop.executeInContext {
            for number in 0..<100 {
                let request = PendingRequest(
                    .one(RedisCommand("ECHO", number)), timeout: .seconds(1))
                request.completion = .callback { replies.record(try? $0.get()[0]) }
                connection.submit(request)
            }
        }
        let text = (0..<100).map { RedisCommand("ECHO", $0).wireText }.joined()
        #expect(try await channel.read() == text)
        try await channel.say((0..<100).map { ":\($0)\r\n" }.joined())
        #expect(replies.values == (0..<100).map { .integer($0) })
        await network.end()
    }

    @Test("a reply that does not come costs the connection; what is sent later uses a new one")
    func timeout() async throws {
        let network = try PretendedNetwork()
        async let late = outcome(network.connection, ping, timeout: .seconds(1))
        let first = try await network.channel(0)
        _ = try await first.read()
        async let behind = outcome(network.connection, RedisCommand("ECHO", 1))
        _ = try await first.read()
        await network.advance(.seconds(1))
        #expect(await late == "timeout")
        #expect(await behind == "connection_lost")
        #expect(!first.isActive)
        #expect(network.connection.clientID == nil)
        async let echo = outcome(network.connection, RedisCommand("ECHO", 2))
        await network.advance(.milliseconds(50))
        let second = try await network.channel(1, clientID: 8)
        #expect(try await second.read() == RedisCommand("ECHO", 2).wireText)
        try? await first.say("+too late\r\n")
        try await second.say(":2\r\n")
        #expect(await echo == "2")
        #expect(network.connection.clientID == 8)
        await network.end()
    }

    @Test("a command waits for a connection as long as its own time, then says why")
    func noConnection() async throws {
        let network = try PretendedNetwork(refusals: .max)
        let connection = network.connection
        let ping = ping
        async let error = failure { () throws(RedisError) in
            try await connection.send(ping, timeout: .seconds(2))
        }
        try await eventually("the first attempt") { !network.log.lines.isEmpty }
        for _ in 0..<40 { await network.advance(.milliseconds(50)) }
        let seen = await error
        #expect(seen?.code == .connect)
        #expect(seen?.mayHaveBeenExecuted == false)
        #expect(seen?.message.contains("Refused") == true)
        await network.end()
    }

    @Test("an outage is one error line and one notice with its seconds")
    func outageLines() async throws {
        let network = try PretendedNetwork(refusals: 5)
        async let pong = outcome(network.connection, ping, timeout: .seconds(600))
        try await eventually("the first attempt") { !network.log.lines.isEmpty }
        while network.channelCount == 0 { await network.advance(.milliseconds(100)) }
        let channel = try await network.channel(0)
        _ = try await channel.read()
        try await channel.say("+PONG\r\n")
        #expect(await pong == "PONG")
        #expect(
            network.log.notableMessages
                == ["Redis is unreachable", "Redis is reachable again"])
        let seconds = network.log.lines.last?.metadata["outage_s"].flatMap(Double.init)
        #expect(seconds.map { $0 > 0 && $0 < 60 } == true)
        await network.end()
    }

    @Test("a server that accepts but never answers the handshake is given up and tried again")
    func silentHandshake() async throws {
        let network = try PretendedNetwork()
        async let pong = outcome(network.connection, ping, timeout: .seconds(60))
        try await eventually("the connection") { network.channelCount == 1 }
        await network.advance(.seconds(5))
        await network.advance(.milliseconds(50))
        let second = try await network.channel(1)
        _ = try await second.read()
        try await second.say("+PONG\r\n")
        #expect(await pong == "PONG")
        await network.end()
    }

    @Test("one command more than the limit is refused, and room returns with the replies")
    func overload() async throws {
        var options = RedisOptions()
        options.maximumPendingCommands = 3
        let network = try PretendedNetwork(options: options)
        async let first = outcome(network.connection, ping)
        let channel = try await network.channel(0)
        _ = try await channel.read()
        async let second = outcome(network.connection, ping)
        _ = try await channel.read()
        let error = await #expect(throws: RedisError.self) {
            try await network.connection.pipeline([ping, ping])
        }
        #expect(error?.code == .overloaded)
        try await channel.say("+PONG\r\n+PONG\r\n")
        #expect(await first == "PONG")
        #expect(await second == "PONG")
        async let three = failure { [ping] () throws(RedisError) in
            try await network.connection.pipeline([ping, ping, ping])
        }
        #expect(try await channel.read() == ping.wireText + ping.wireText + ping.wireText)
        try await channel.say("+PONG\r\n+PONG\r\n+PONG\r\n")
        #expect(await three == nil)
        await network.end()
    }

    @Test("what would make the pending bytes exceed their limit is refused, for good or for now")
    func overloadOfBytes() async throws {
        var options = RedisOptions()
        options.maximumPendingBytes = 1000
        let network = try PretendedNetwork(options: options)
        let large = RedisCommand("ECHO", String(repeating: "x", count: 800))
        async let first = outcome(network.connection, large)
        let channel = try await network.channel(0)
        #expect(try await channel.read() == large.wireText)
        #expect(await outcome(network.connection, large) == "overloaded")
        try await channel.say("+done\r\n")
        #expect(await first == "done")
        async let second = outcome(network.connection, large)
        #expect(try await channel.read() == large.wireText)
        try await channel.say("+done\r\n")
        #expect(await second == "done")
        let larger = RedisCommand("ECHO", String(repeating: "x", count: 1000))
        #expect(await outcome(network.connection, larger) == "overloaded")
        await network.end()
    }

    @Test(
        "a peer out of step or out of protocol loses the connection",
        arguments: ["+PONG\r\n+unasked\r\n", "garbage\r\n"])
    func violations(text: String) async throws {
        let network = try PretendedNetwork()
        async let pong = outcome(network.connection, ping)
        let first = try await network.channel(0)
        _ = try await first.read()
        try? await first.say(text)
        #expect(await pong == (text.hasPrefix("+PONG") ? "PONG" : "protocol_violation"))
        #expect(!first.isActive)
        await network.advance(.milliseconds(50))
        _ = try await network.channel(1)
        await network.end()
    }

    @Test("a command cancelled before there is a connection is never sent")
    func cancelledWaiting() async throws {
        let network = try PretendedNetwork()
        let connection = network.connection
        let ping = ping
        await withTaskGroup(of: RedisError?.self) { group in
            group.addTask {
                await failure { () throws(RedisError) in try await connection.send(ping) }
            }
            group.cancelAll()
            let error = await group.next()
            #expect(error??.code == .cancelled)
            #expect(error??.mayHaveBeenExecuted == false)
        }
        async let echo = outcome(connection, RedisCommand("ECHO", 1))
        let channel = try await network.channel(0)
        #expect(try await channel.read() == RedisCommand("ECHO", 1).wireText)
        try await channel.say(":1\r\n")
        #expect(await echo == "1")
        await network.end()
    }
}
