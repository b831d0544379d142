import Redis
import Testing

@Suite("Commands and their replies as values")
struct RedisCommandTests {
    private func text(_ command: RedisCommand) -> String {
        String(decoding: command.wireBytes, as: UTF8.self)
    }

    @Test("a command is an array of bulk strings with lengths in bytes")
    func form() {
        let slice = ([1, 2, 97, 98] as [UInt8])[2...]
        let command = RedisCommand(
            "SET", "k", "é", Int64.min, -7, slice, "tail".dropFirst(), 1.5, -Double.infinity)
        #expect(
            text(command)
                == "*9\r\n$3\r\nSET\r\n$1\r\nk\r\n$2\r\né\r\n$20\r\n-9223372036854775808\r\n"
                + "$2\r\n-7\r\n$2\r\nab\r\n$3\r\nail\r\n$3\r\n1.5\r\n$4\r\n-inf\r\n")
        #expect(text(RedisCommand("PING")) == "*1\r\n$4\r\nPING\r\n")
    }

    @Test("arguments appended one by one give the same bytes as all at once")
    func appending() {
        var command = RedisCommand("HDEL", reserving: 100)
        command.append("key")
        command.append([1, 2, 3] as [UInt8])
        command.append(contentsOf: ["a", "b"])
        command.append(contentsOf: [10, 11])
        let bytes: [UInt8] = [1, 2, 3]
        #expect(
            command.wireBytes
                == RedisCommand("HDEL", ["key", bytes, "a", "b", 10, 11]).wireBytes)
    }

    @Test("a value answers only in the forms it has")
    func accessors() {
        #expect(RedisValue.integer(-5).int == -5)
        #expect(RedisValue.integer(-5).string == "-5")
        #expect(RedisValue.integer(-5).bytes == nil)
        #expect(RedisValue.bulk(Array("42".utf8)).int == 42)
        #expect(RedisValue.bulk(Array("4x".utf8)).int == nil)
        #expect(RedisValue.status("OK").string == "OK")
        #expect(RedisValue.status("OK").bytes == [79, 75])
        #expect(RedisValue.bulk([0xFF]).bytes == [0xFF])
        #expect(RedisValue.array([.null]).array == [.null])
        #expect(RedisValue.null.isNull)
        for value in [RedisValue.null, .array([]), .error(RedisServerError(line: "ERR"))] {
            #expect(value.int == nil && value.string == nil && value.bytes == nil)
        }
    }

    @Test("an error line is a code word and a text, and its description repeats no arguments")
    func serverErrors() {
        let error = RedisServerError(line: "ERR unknown command 'x', with args beginning with: 'p'")
        #expect(error.code == "ERR")
        #expect(error.description == "ERR unknown command 'x'")
        #expect(RedisServerError(line: "READONLY").description == "READONLY")
        #expect(RedisServerError(line: "").code == "")
        let long = RedisServerError(line: "ERR " + String(repeating: "x", count: 1000))
        #expect(long.description.count == 204)
    }
}
