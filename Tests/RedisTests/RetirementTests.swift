import NIOEmbedded
import TestSupport
import Testing

@testable import Redis

@Suite("Leaving a server that takes no writes")
struct RetirementTests {
    private static let refusal = "-READONLY You can't write against a read only replica.\r\n"

    private func outcome(_ connection: RedisConnection, _ command: RedisCommand) async -> String {
        do throws(RedisError) {
            return try await connection.send(command, timeout: .seconds(600)).string ?? "?"
        } catch { return error.serverCode ?? error.code.description }
    }

    @Test("what is in flight is answered first; what comes later goes over the next connection")
    func inOrder() async throws {
        let network = try PretendedNetwork()
        let set = RedisCommand("SET", "a", 1)
        async let refused = outcome(network.connection, set)
        let first = try await network.channel(0)
        #expect(try await first.read() == set.wireText)
        async let echo = outcome(network.connection, RedisCommand("ECHO", 1))
        _ = try await first.read()
        try await first.say(Self.refusal)
        #expect(await refused == "READONLY")
        #expect(first.isActive)
        async let late = outcome(network.connection, RedisCommand("ECHO", 2))
        try await first.say(":1\r\n")
        #expect(await echo == "1")
        #expect(!first.isActive)
        await network.advance(.milliseconds(50))
        let second = try await network.channel(1, clientID: 8)
        #expect(try await second.read() == RedisCommand("ECHO", 2).wireText)
        try await second.say(":2\r\n")
        #expect(await late == "2")
        #expect(network.log.notableMessages.isEmpty, "the server answers: this is no outage")
        await network.end()
    }

    @Test("a pipeline gets all its replies before the connection is left")
    func pipeline() async throws {
        let network = try PretendedNetwork()
        let connection = network.connection
        async let replies = connection.pipeline([
            RedisCommand("SET", "a", 1), RedisCommand("GET", "a"),
        ])
        let channel = try await network.channel(0)
        _ = try await channel.read()
        try await channel.say(Self.refusal)
        #expect(channel.isActive)
        try await channel.say("$1\r\n1\r\n")
        #expect(try await replies.map { $0.serverError?.code ?? $0.string } == ["READONLY", "1"])
        #expect(!channel.isActive)
        await network.end()
    }

    @Test("a server that goes on refusing is asked less and less often")
    func backsOff() async throws {
        var options = RedisOptions()
        options.reconnect = ReconnectBackoff(base: .milliseconds(50), cap: .seconds(2))
        let network = try PretendedNetwork(options: options)
        for index in 0..<8 {
            async let refused = outcome(network.connection, RedisCommand("SET", "a", 1))
            try await eventually("connection \(index)") {
                await network.advance(.milliseconds(100))
                return network.channelCount > index
            }
            let channel = try await network.channel(index)
            _ = try await channel.read()
            try await channel.say(Self.refusal)
            #expect(await refused == "READONLY")
        }
        #expect(network.connection.core.retirements == 8)
        await network.end()
    }

    @Test(
        "the words by which a server says that another may be the master",
        arguments: [
            ("READONLY You can't write against a read only replica.", true),
            ("MASTERDOWN Link with MASTER is down", true),
            ("LOADING Redis is loading the dataset in memory", true),
            ("NOREPLICAS Not enough good replicas to write.", true),
            (
                "UNBLOCKED force unblock from blocking operation, "
                    + "instance state changed (master -> replica?)", true
            ),
            ("UNBLOCKED client unblocked via CLIENT UNBLOCK", false),
            ("ERR Error running script: @user_script: 12: -READONLY You can't write", true),
            ("ERR unknown command 'READONLY'", false),
            ("OOM command not allowed when used memory > 'maxmemory'.", false),
            ("NOSCRIPT No matching script.", false),
        ])
    func words(line: String, isAnother: Bool) {
        #expect(RedisServerError(line: line).asksForAnotherServer == isAnother)
    }
}
