import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import Redis

/// Collects what a channel says.
private final class Listener: RedisChannelListener {
    var replies: [RedisValue] = []
    var errors: [RedisError] = []

    func received(_ reply: RedisValue, on channel: ConnectionNumber) { replies.append(reply) }

    func ended(_ error: RedisError, on channel: ConnectionNumber) { errors.append(error) }
}

@Suite("Parsing replies")
struct ReplyParserTests {
    /// Every kind of reply, and arrays as deep as the reader goes (seven levels).
    private static let stream =
        "+OK\r\n-WRONGTYPE Operation against a key\r\n:-9223372036854775808\r\n$5\r\na\r\n\0b\r\n"
        + "$0\r\n\r\n$-1\r\n*-1\r\n*0\r\n*3\r\n:1\r\n*2\r\n$1\r\nx\r\n*0\r\n-ERR inner\r\n"
        + "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:7\r\n"

    private static let values: [RedisValue] = [
        .status("OK"),
        .error(RedisServerError(code: "WRONGTYPE", message: "Operation against a key")),
        .integer(.min), .bulk([97, 13, 10, 0, 98]), .bulk([]), .null, .null, .array([]),
        .array([
            .integer(1), .array([.bulk([120]), .array([])]),
            .error(RedisServerError(code: "ERR", message: "inner")),
        ]),
        .array([.array([.array([.array([.array([.array([.array([.integer(7)])])])])])])]),
    ]

    private func channel(_ listener: Listener, limit: Int = .max) -> EmbeddedChannel {
        EmbeddedChannel(
            handler: RedisChannelHandler(listener: listener, number: 1, maximumReplyBytes: limit))
    }

    @Test("every kind of reply is understood wherever the stream is cut in two or three")
    func splits() throws {
        let bytes = Array(Self.stream.utf8)
        for first in 0...bytes.count {
            for second in Set([first, min(first + 1, bytes.count), bytes.count]) {
                let listener = Listener()
                let channel = channel(listener)
                for part in [bytes[..<first], bytes[first..<second], bytes[second...]] {
                    try channel.writeInbound(ByteBuffer(bytes: part))
                }
                #expect(listener.replies == Self.values, "cut at \(first) and \(second)")
                #expect(listener.errors.isEmpty)
                _ = try channel.finish()
            }
        }
    }

    @Test("every kind of reply is understood byte by byte")
    func singleBytes() throws {
        let listener = Listener()
        let channel = channel(listener)
        for byte in Self.stream.utf8 { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
        #expect(listener.replies == Self.values)
        _ = try channel.finish()
    }

    @Test("a reply larger than a portion arrives whole, with what follows it")
    func largeReply() throws {
        let listener = Listener()
        let channel = channel(listener)
        let payload = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var buffer = ByteBuffer(string: "$\(payload.count)\r\n")
        buffer.writeBytes(payload)
        buffer.writeString("\r\n:1\r\n")
        try channel.writeInbound(buffer)
        #expect(listener.replies == [.bulk(payload), .integer(1)])
        _ = try channel.finish()
    }

    @Test(
        "what is not RESP2 ends the connection once, after the replies before it",
        arguments: [
            "HTTP/1.1 200 OK\r\n", "%1\r\n+a\r\n:1\r\n", ":1x\r\n", "$-2\r\n", "*-2\r\n", "$x\r\n",
            "*99999999999\r\n", String(repeating: "*1\r\n", count: 9) + ":1\r\n",
        ])
    func violations(text: String) throws {
        let listener = Listener()
        let channel = channel(listener)
        try channel.writeInbound(ByteBuffer(string: "+OK\r\n" + text))
        _ = try? channel.writeInbound(ByteBuffer(string: ":1\r\n"))
        #expect(listener.replies == [.status("OK")])
        #expect(listener.errors.map(\.code) == [.protocolViolation])
        #expect(!channel.isActive)
        _ = try? channel.finish()
    }

    @Test("a reply over the limit ends the connection, many replies below it do not")
    func limit() throws {
        let listener = Listener()
        let channel = channel(listener, limit: 100)
        let small = "$60\r\n\(String(repeating: "x", count: 60))\r\n"
        for _ in 0..<50 { try channel.writeInbound(ByteBuffer(string: small)) }
        #expect(listener.replies.count == 50)
        #expect(listener.errors.isEmpty)
        try channel.writeInbound(ByteBuffer(string: "*2\r\n" + small))
        try channel.writeInbound(ByteBuffer(string: small))
        #expect(listener.replies.count == 50)
        #expect(listener.errors.map(\.code) == [.protocolViolation])
        _ = try? channel.finish()
    }

    @Test("an array that claims two thousand million elements costs nothing until they come")
    func hugeClaim() throws {
        let listener = Listener()
        let channel = channel(listener)
        try channel.writeInbound(ByteBuffer(string: "*2147483647\r\n:1\r\n"))
        #expect(listener.replies.isEmpty)
        #expect(listener.errors.isEmpty)
        _ = try? channel.finish()
    }

    @Test("random bytes, and broken replies, never do more than end the connection")
    func fuzz() throws {
        let seed = UInt64.random(in: .min ... .max)
        var random = RepeatableRandom(seed: seed)
        let alphabet = Array("+-:$*0123456789\r\n\r\nab \0".utf8)
        let valid = Array(Self.stream.utf8)
        for round in 0..<3000 {
            var bytes: [UInt8]
            switch round % 3 {
            case 0:
                bytes = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            case 1:
                bytes = (0..<Int.random(in: 1...200, using: &random)).map { _ in
                    alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                }
            default:
                bytes = valid
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    bytes[index] = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                }
            }
            let whole = outcome(of: [bytes[...]])
            let cut = Int.random(in: 0...bytes.count, using: &random)
            let parts = outcome(of: [bytes[..<cut], bytes[cut...]])
            #expect(whole.replies == parts.replies, "seed \(seed), round \(round)")
            #expect(whole.errors.count == parts.errors.count, "seed \(seed), round \(round)")
            #expect(whole.errors.count <= 1, "seed \(seed), round \(round)")
        }
    }

    /// What a parser makes of the parts before the channel ends.
    private func outcome(
        of parts: [ArraySlice<UInt8>]
    ) -> (replies: [RedisValue], errors: [RedisError]) {
        let listener = Listener()
        let channel = channel(listener)
        for part in parts { _ = try? channel.writeInbound(ByteBuffer(bytes: part)) }
        let heard = (listener.replies, listener.errors)
        _ = try? channel.finish()
        return heard
    }
}
