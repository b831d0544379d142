import TestSupport
import Testing

@testable import Redis

@Suite("Scripts")
struct RedisScriptTests {
    private let script = RedisScript(
        name: "join", source: "return {KEYS[1], ARGV[1], ARGV[2] or 'none', #KEYS, #ARGV}")

    @Test(
        "SHA-1 gives the digests of RFC 3174 and of the block boundaries",
        arguments: [
            ("", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "84983e441c3bd26ebaae4aa1f95129e5e54670f1"
            ),
            (String(repeating: "a", count: 1_000_000), "34aa973cd4c4daa4f61eeb2bdbad27316534016f"),
            (
                String(
                    repeating: "0123456701234567012345670123456701234567012345670123456701234567",
                    count: 10),
                "dea356a2cddd90c7a7ecedc5ebb563934f460452"
            ),
        ])
    func digests(message: String, digest: String) {
        #expect(SHA1.hexDigest(of: Array(message.utf8)) == digest)
    }

    @Test("a script the server does not know is sent with its text, once")
    func fallback() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let expected = RedisValue.array([
            .bulk(Array("key".utf8)), .bulk([0, 255]), .bulk(Array("7".utf8)), .integer(1),
            .integer(2),
        ])
        for _ in 0..<2 {
            let bytes: [UInt8] = [0, 255]
            #expect(
                try await connection.run(script, keys: ["key"], arguments: [bytes, 7]) == expected)
            #expect(try await calls(of: "eval", connection) == 1)
        }
        _ = try await connection.send(RedisCommand("SCRIPT", "FLUSH"))
        let bytes: [UInt8] = [0, 255]
        #expect(try await connection.run(script, keys: ["key"], arguments: [bytes, 7]) == expected)
        #expect(try await calls(of: "eval", connection) == 2)
        await connection.close()
    }

    @Test("the hash computed here is the hash the server computes")
    func loadedHash() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        #expect(try await connection.send(script.load).string == script.sha1)
        await connection.close()
    }

    @Test("a script's own error is thrown and names the script")
    func scriptError() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let failing = RedisScript(name: "refuse", source: "return redis.error_reply('NOPE no')")
        let error = await #expect(throws: RedisError.self) {
            try await connection.run(failing, keys: [], arguments: [])
        }
        #expect(error?.serverCode == "NOPE")
        #expect(error?.message.contains("refuse") == true)
        await connection.close()
    }

    @Test("a script behind a blocking command runs in the same turn, known to the server or not")
    func pipelineThenScript() async throws {
        let server = try await RedisServer.start()
        let connection = try server.connection()
        let pusher = try server.connection()
        let adopt = RedisScript(name: "adopt", source: "return redis.call('LPOP', KEYS[1])")
        for round in 0..<2 {
            async let waited = connection.pipeline(
                [RedisCommand("BLMOVE", "queue", "inbox", "RIGHT", "LEFT", 0)],
                then: RedisScriptCall(adopt, keys: ["inbox"]), timeout: .seconds(60))
            _ = try await pusher.send(RedisCommand("LPUSH", "queue", "job \(round)"))
            let (replies, taken) = try await waited
            #expect(replies.map(\.string) == ["job \(round)"])
            #expect(taken.string == "job \(round)")
        }
        #expect(try await calls(of: "eval", connection) == 1)
        await connection.close()
        await pusher.close()
    }

    @Test("the call with the text differs from the call by hash only in its beginning")
    func evalForm() {
        var call = RedisScriptCall(script, keys: ["a", "b"])
        call.append(1)
        call.append(contentsOf: ["x", "y"])
        #expect(
            call.evalsha.wireBytes
                == RedisCommand("EVALSHA", script.sha1, 2, "a", "b", 1, "x", "y").wireBytes)
        #expect(
            call.eval.wireBytes
                == RedisCommand("EVAL", script.source, 2, "a", "b", 1, "x", "y").wireBytes)
    }

    /// How often the server has executed `command`.
    private func calls(of command: String, _ connection: RedisConnection) async throws -> Int {
        let text = try await connection.send(RedisCommand("INFO", "commandstats")).string ?? ""
        let prefix = "cmdstat_\(command):calls="
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(prefix) {
            return Int(line.dropFirst(prefix.count).prefix { $0 != "," }) ?? 0
        }
        return 0
    }
}
